#include "compiler/ir/graph.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/ir/verify_sweep.hpp"

#include <bit>

namespace xdpf::ir {
namespace {

constexpr std::uint32_t max_stack = 512; // MAX_BPF_STACK

class Shapes : Sweep {
public:
    using Sweep::Sweep;

    void run()
    {
        if (program_.blocks.empty())
            return fail("the program has no blocks");
        if (!program_.blocks[BlockId(0)].params.empty())
            fail("the entry has parameters");
        for (const Slot &slot : program_.slots) // how many fit is the code generator's to say: slots share places
            if (slot.size > max_stack)
                fail("a slot takes {} bytes of the stack, more than {}", slot.size, max_stack);
        for (std::size_t i = 0; i < program_.blocks.size(); ++i)
            in_block(
                BlockId(i), [&](const Inst &inst) { check_parts(inst); },
                [&](const Terminator &end) { check_parts(end); });
    }

private:
    bool is_value(ValueId value) const { return value.valid() && value.value < program_.values.size(); }
    bool is_slot(SlotId slot) const { return slot.valid() && slot.value < program_.slots.size(); }

    bool optional_value(ValueId value) const { return !value.valid() || is_value(value); }

    // What an instruction must have.
    struct Parts {
        bool a = false;
        bool b = false;
        bool map = false;
        bool key = false;
        bool value = false;
    };

    static Parts parts_of(Op op)
    {
        switch (shape_of(op)) {
        case Shape::constant:
        case Shape::nullary:
        case Shape::context:
        case Shape::query: return {};
        case Shape::load:
        case Shape::unary:
        case Shape::adjust:
        case Shape::load_map:
        case Shape::submit: return {.a = true};
        case Shape::store_packet:
        case Shape::binary:
        case Shape::offset:
        case Shape::element:
        case Shape::store_map:
        case Shape::copy_packet: return {.a = true, .b = true};
        case Shape::load_slot: return {.key = true};
        case Shape::store_slot: return {.a = true, .key = true};
        case Shape::rx_meta: return {.value = true};
        case Shape::map_value:
        case Shape::tail_call:
        case Shape::reserve: return {.map = true};
        case Shape::lookup:
        case Shape::erase: return {.map = true, .key = true};
        case Shape::update: return {.map = true, .key = true, .value = true};
        case Shape::push: return {.map = true, .value = true};
        case Shape::redirect: return {.a = true, .map = true};
        }
        return {};
    }

    void check_parts(const Inst &inst)
    {
        const Parts parts = parts_of(inst.op);
        if (is_value(inst.a) != parts.a || is_value(inst.b) != parts.b || inst.a.valid() != parts.a ||
            inst.b.valid() != parts.b)
            fail("operands are missing or too many");
        if (is_value(inst.result) != has_result(inst.op) && !(gives_status(inst.op) && optional_value(inst.result)))
            fail("{}", has_result(inst.op) ? "the result is missing" : "gives no result");
        if (parts.map && (!inst.map.valid() || inst.map.value >= maps_.size()))
            fail("there is no such map");
        if ((parts.key && !is_slot(inst.key)) || (parts.value && !is_slot(inst.value)))
            fail("there is no such slot");
        if (!std::has_single_bit(inst.width) || inst.width > 8)
            fail("{} is no width of an access", inst.width);
    }

    void check_parts(const Terminator &end)
    {
        using enum Terminator::Kind;
        if (end.kind == none)
            return fail("the block has no terminator");
        const bool a = end.kind == branch || end.kind == guard || (end.kind == return_ && end.a.valid());
        const bool b = end.kind == guard || (end.kind == branch && end.b.valid());
        if (is_value(end.a) != a || is_value(end.b) != b || end.a.valid() != a || end.b.valid() != b)
            fail("operands are missing or too many");
        for_each_way(end, [&](const Edge &edge) { check_parts(edge, end.kind == again); });
    }

    void check_parts(const Edge &edge, bool back)
    {
        if (!edge.target.valid() || edge.target.value >= program_.blocks.size())
            return fail("an edge leads nowhere");
        if (back && (edge.target > block_ || !program_.blocks[edge.target].is_loop()))
            fail("b{} is not the head of a loop that ends here", edge.target.value);
        if (!back && edge.target <= block_)
            fail("the edge to b{} does not go forward", edge.target.value);
        const auto &params = program_.blocks[edge.target].params;
        if (edge.args.size() != params.size())
            return fail("b{} takes {} values, not {}", edge.target.value, params.size(), edge.args.size());
        for (std::size_t i = 0; i < params.size(); ++i) {
            if (!is_value(edge.args[i]) || !is_value(params[i])) {
                fail("an argument of b{} is no value", edge.target.value);
                continue;
            }
            const ValueInfo &arg = program_.values[edge.args[i]];
            const ValueInfo &param = program_.values[params[i]];
            if (back && param.kind != ValueKind::number && param.kind != ValueKind::packet)
                fail("a loop carries no {}", text_of(param.kind));
            else if (arg.kind != param.kind)
                fail("b{} takes a {} as its parameter {}, not a {}", edge.target.value, text_of(param.kind), i + 1,
                     text_of(arg.kind));
            else if (param.kind == ValueKind::number && program_.blocks[edge.target].is_loop() && arg.max > param.max)
                fail("the number for parameter {} of b{} may be {}, more than {}", i + 1, edge.target.value, arg.max,
                     param.max);
            else if (param.kind == ValueKind::packet && !back && arg.max > param.max)
                fail("the pointer for parameter {} of b{} may be {} bytes into the packet, more than {}", i + 1,
                     edge.target.value, arg.max, param.max);
        }
    }
};

} // namespace

void check_shape(Inquiry &inquiry) { Shapes(inquiry).run(); }

std::vector<std::string> verify(const Program &program, std::span<const MapSpec> maps, Stage stage)
{
    Inquiry inquiry{program, maps, stage, {}};
    for (const auto check : {check_shape, check_definitions, check_knowledge, check_lifetimes, check_records})
        if (inquiry.findings.empty())
            check(inquiry);
    return std::move(inquiry.findings);
}

std::vector<std::string> verify(const Program &program, const Module &module, Stage stage)
{
    return verify(program, module.maps, stage);
}

std::vector<std::string> verify(const Module &module, Stage stage)
{
    std::vector<std::string> all;
    for (const Program &program : module.programs)
        for (const std::string &finding : verify(program, module, stage))
            all.push_back(fmt::format("{}: {}", program.name, finding));
    return all;
}

} // namespace xdpf::ir
