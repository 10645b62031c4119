// Values in here: a number is itself, a packet pointer is its distance from the packet's start, packet_end the packet's
// length, and a pointer into a map's value a handle, counted from 1, with 0 for null.
#include "compiler/ir/interpret.hpp"
#include "compiler/ir/graph.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/traits.hpp"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cassert>

namespace xdpf::ir {
namespace {

std::uint64_t read_number(std::span<const std::byte> bytes, Order order)
{
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        number = number << 8 | std::to_integer<std::uint64_t>(bytes[order == Order::big ? i : bytes.size() - 1 - i]);
    return number;
}

void write_number(std::span<std::byte> bytes, Order order, std::uint64_t number)
{
    for (std::size_t i = 0; i < bytes.size(); ++i)
        bytes[order == Order::big ? bytes.size() - 1 - i : i] = static_cast<std::byte>(number >> (8 * i));
}

} // namespace

// One packet's way through the program.
class Execution {
public:
    Execution(Interpreter &interpreter, std::span<std::byte> packet, Context context)
        : program_(interpreter.program_), maps_(interpreter.maps_), values_(interpreter.values_),
          slots_(interpreter.slots_), arguments_(interpreter.arguments_), packet_(packet), context_(context)
    {
    }

    std::expected<RunResult, std::string> run()
    {
        BlockId block(0);
        while (block.valid()) {
            for (const Inst &inst : program_.blocks[block].insts) {
                ++result_.executed;
                step(inst);
                if (!error_.empty())
                    return std::unexpected(fmt::format("b{}: {}", block.value, error_));
            }
            ++result_.executed;
            block = leave(program_.blocks[block].end);
        }
        if (result_.verdict != XDP_REDIRECT)
            result_.redirect.reset();
        return result_;
    }

private:
    void fail(const Inst &inst, std::string_view what) { error_ = fmt::format("'{}': {}", to_text(inst, {}), what); }

    void step(const Inst &inst)
    {
        switch (shape_of(inst.op)) {
        case Shape::constant: values_[inst.result] = inst.imm; break;
        case Shape::nullary: values_[inst.result] = inst.op == Op::packet_start ? 0 : packet_.size(); break;
        case Shape::context:
            values_[inst.result] = inst.field == ContextField::rx_queue ? context_.rx_queue : context_.ingress_ifindex;
            break;
        case Shape::load:
            if (const auto bytes = part(inst, packet_, values_[inst.a]); !bytes.empty())
                values_[inst.result] = read_number(bytes, inst.order);
            break;
        case Shape::unary: values_[inst.result] = evaluate(inst.op, values_[inst.a], 0); break;
        case Shape::binary: values_[inst.result] = evaluate(inst.op, values_[inst.a], values_[inst.b]); break;
        case Shape::offset: move(inst); break;
        case Shape::store_slot:
            if (const auto bytes = part(inst, slots_[inst.key], 0); !bytes.empty())
                write_number(bytes, inst.order, values_[inst.a]);
            break;
        case Shape::load_map:
        case Shape::store_map: access_map(inst); break;
        case Shape::lookup:
            if (holds(inst, inst.key, maps_.spec(inst.map).key.size))
                values_[inst.result] = handle(maps_.lookup(inst.map, slots_[inst.key]));
            break;
        case Shape::update:
            if (holds(inst, inst.key, maps_.spec(inst.map).key.size) &&
                holds(inst, inst.value, maps_.spec(inst.map).value.size))
                maps_.update(inst.map, slots_[inst.key], slots_[inst.value]);
            break;
        case Shape::redirect: redirect(inst); break;
        default: fail(inst, "unknown"); break;
        }
    }

    // The bytes that a load or store is about; none, and an error, where they are not all there.
    std::span<std::byte> part(const Inst &inst, std::span<std::byte> bytes, std::uint64_t start)
    {
        if (start <= bytes.size() && inst.imm <= bytes.size() - start && inst.width <= bytes.size() - start - inst.imm)
            return bytes.subspan(start + inst.imm, inst.width);
        fail(inst, fmt::format("reaches past the end of {} bytes", bytes.size()));
        return {};
    }

    void move(const Inst &inst)
    {
        if (inst.op == Op::rebase) {
            values_[inst.result] = values_[inst.a] & inst.imm;
            return;
        }
        if (values_[inst.b] > inst.imm)
            fail(inst, fmt::format("the distance is {}, more than was promised", values_[inst.b]));
        values_[inst.result] = values_[inst.a] + values_[inst.b];
    }

    bool holds(const Inst &inst, SlotId slot, std::size_t size)
    {
        if (slots_[slot].size() >= size)
            return true;
        fail(inst, "the slot is too small");
        return false;
    }

    std::uint64_t handle(MapStore::Value value)
    {
        if (value == nullptr)
            return 0;
        held_.push_back(std::move(value));
        return held_.size();
    }

    void access_map(const Inst &inst)
    {
        const std::uint64_t pointer = values_[inst.a];
        if (pointer == 0 || pointer > held_.size())
            return fail(inst, "a null pointer");
        const auto bytes = part(inst, *held_[pointer - 1], 0);
        if (bytes.empty())
            return;
        if (inst.op == Op::load_map)
            values_[inst.result] = read_number(bytes, inst.order);
        else
            write_number(bytes, inst.order,
                         values_[inst.b] + (inst.op == Op::atomic_add ? read_number(bytes, inst.order) : 0));
    }

    // __bpf_xdp_redirect_map (include/linux/filter.h): an index is cut to 32 bits; nothing in the slot, or no such
    // slot, gives the two lowest bits of the flags.
    void redirect(const Inst &inst)
    {
        const auto key = static_cast<std::uint32_t>(values_[inst.a]);
        if (!maps_.is_filled(inst.map, key)) {
            values_[inst.result] = inst.imm & (XDP_ABORTED | XDP_DROP | XDP_PASS | XDP_TX);
            return;
        }
        result_.redirect = RedirectTarget{inst.map, key};
        values_[inst.result] = XDP_REDIRECT;
    }

    // The next block; none after a return.
    BlockId leave(const Terminator &end)
    {
        switch (end.kind) {
        case Terminator::Kind::jump: return follow(end.edges[0]);
        case Terminator::Kind::branch: {
            const std::uint64_t b = end.b.valid() ? values_[end.b] : end.imm;
            return follow(end.edges[evaluate(end.cond, values_[end.a], b) ? 0 : 1]);
        }
        case Terminator::Kind::guard: return follow(end.edges[values_[end.a] + end.imm <= values_[end.b] ? 0 : 1]);
        case Terminator::Kind::return_:
            result_.verdict = static_cast<std::uint32_t>(end.a.valid() ? values_[end.a] : end.imm);
            result_.decided_by = end.span;
            return {};
        case Terminator::Kind::asm_:
        case Terminator::Kind::none: break;
        }
        assert(!"a block without a terminator");
        return {};
    }

    // Parameters take their values all at once: an argument may be another parameter of the same block.
    BlockId follow(const Edge &edge)
    {
        arguments_.clear();
        for (const ValueId arg : edge.args)
            arguments_.push_back(values_[arg]);
        const auto &params = program_.blocks[edge.target].params;
        for (std::size_t i = 0; i < params.size(); ++i)
            values_[params[i]] = arguments_[i];
        return edge.target;
    }

    const Program &program_;
    MapStore &maps_;
    IdVector<ValueId, std::uint64_t> &values_;
    IdVector<SlotId, std::vector<std::byte>> &slots_;
    std::vector<std::uint64_t> &arguments_;
    std::span<std::byte> packet_;
    Context context_;
    std::vector<MapStore::Value> held_;
    RunResult result_;
    std::string error_;
};

Interpreter::Interpreter(const Program &program, MapStore &maps) : program_(program), maps_(maps)
{
    values_.resize(program.values.size(), 0);
    for (const Slot &slot : program.slots)
        slots_.add(std::vector<std::byte>(slot.size));
}

std::expected<RunResult, std::string> Interpreter::run(std::span<std::byte> packet, Context context)
{
    return Execution(*this, packet, context).run();
}

} // namespace xdpf::ir
