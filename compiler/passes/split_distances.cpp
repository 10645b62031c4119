// The constant part of a distance becomes a step of its own, which costs nothing: it goes into the accesses behind it,
// and a guard of what stands there says something of the pointer that it is counted from.
//
//   %4 = add %3, 5, %5 = shl %4, 2            %5 = shl %3, 2
//   %6 = offset %1 + %5 max 60           →    %7 = offset %1 + 20 max 20   %6 = offset %7 + %5 max 40
#include "compiler/ir/bounds.hpp"
#include "compiler/ir/comparisons.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <optional>
#include <utility>

namespace xdpf::passes {
namespace {

using namespace ir;

class Splitting {
public:
    explicit Splitting(Program &program) : program_(program), comparisons_(program), bounds_(upper_bounds(program))
    {
        definitions_.resize(program.values.size());
        for (const Block &block : program.blocks)
            for (const Inst &inst : block.insts)
                if (inst.result.valid())
                    definitions_[inst.result] = inst;
    }

    void run()
    {
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            std::vector<Inst> insts = std::exchange(program_.blocks[BlockId(i)].insts, {});
            out_ = &program_.blocks[BlockId(i)].insts;
            for (Inst &inst : insts) {
                if (inst.op == Op::offset)
                    split(inst, BlockId(i));
                out_->push_back(inst);
            }
        }
    }

private:
    // value = (rest << shift) + bytes
    struct Parts {
        ValueId rest;
        std::uint64_t shift = 0;
        std::uint64_t bytes = 0;
    };

    std::optional<std::uint64_t> constant(ValueId value) const
    {
        if (!value.valid() || definitions_[value].op != Op::constant || !definitions_[value].result.valid())
            return std::nullopt;
        return definitions_[value].imm;
    }

    Parts parts_of(ValueId value) const
    {
        const Inst &made = definitions_[value];
        const auto by = constant(made.b);
        if (!by || *by > UINT16_MAX)
            return {value, 0, 0};
        if (made.op == Op::add) {
            Parts parts = parts_of(made.a);
            parts.bytes += *by;
            return parts;
        }
        Parts parts = made.op == Op::shl && *by < 16 ? parts_of(made.a) : Parts{value, 0, 0};
        if (parts.rest == value || (parts.shift == 0 && parts.bytes == 0))
            return {value, 0, 0};
        return {parts.rest, parts.shift + *by, parts.bytes << *by};
    }

    void split(Inst &inst, BlockId at)
    {
        const Parts parts = parts_of(inst.b);
        if (constant(inst.b) || parts.bytes == 0 || parts.bytes > inst.imm)
            return;
        const std::uint64_t most = comparisons_.bound(parts.rest, at, bounds_);
        if (most > (inst.imm - parts.bytes) >> parts.shift)
            return; // the kernel's verifier knows the sum's bound alone
        const ValueId base = add(inst, Op::offset, inst.a, number(parts.bytes, inst.span), ValueKind::packet,
                                 program_.values[inst.a].max + parts.bytes);
        out_->back().imm = parts.bytes;
        inst.a = base;
        inst.b = parts.shift == 0 ? parts.rest
                                  : add(inst, Op::shl, parts.rest, number(parts.shift, inst.span), ValueKind::number,
                                        most << parts.shift);
        inst.imm -= parts.bytes;
    }

    ValueId number(std::uint64_t value, Span span)
    {
        const ValueId result = program_.add_value(ValueKind::number, value);
        out_->push_back(make_constant(result, value, span));
        return result;
    }

    ValueId add(const Inst &like, Op op, ValueId a, ValueId b, ValueKind kind, std::uint64_t max)
    {
        Inst made;
        made.op = op;
        made.a = a;
        made.b = b;
        made.span = like.span;
        made.result = program_.add_value(kind, max);
        out_->push_back(made);
        return made.result;
    }

    Program &program_;
    Comparisons comparisons_;
    IdVector<ValueId, std::uint64_t> bounds_;
    IdVector<ValueId, Inst> definitions_;
    std::vector<Inst> *out_ = nullptr;
};

} // namespace

void split_distances(Program &program) { Splitting(program).run(); }

} // namespace xdpf::passes
