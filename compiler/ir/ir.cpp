#include "compiler/ir/ir.hpp"

namespace xdpf::ir {
namespace {

struct OpInfo {
    std::string_view text;
    Shape shape;
};

constexpr std::array ops{
#define XDPF_IR_OP(name, text, shape) OpInfo{text, Shape::shape},
#include "compiler/ir/ops.def"
#undef XDPF_IR_OP
};

} // namespace

Shape shape_of(Op op) { return ops[static_cast<std::size_t>(op)].shape; }
std::string_view text_of(Op op) { return ops[static_cast<std::size_t>(op)].text; }

} // namespace xdpf::ir
