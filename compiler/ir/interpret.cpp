// Values in here: a number is itself, a pointer to packet, end or metadata a position in the packet's buffer, and a
// pointer into a map's value or a record a handle, counted from 1, with 0 for null.
#include "compiler/ir/interpret.hpp"
#include "compiler/ir/graph.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/traits.hpp"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cassert>
#include <cerrno>

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

// What a helper gives for an error: an int, extended by its sign.
std::uint64_t as_status(int status) { return static_cast<std::uint64_t>(static_cast<std::int64_t>(status)); }

} // namespace

// splitmix64
std::uint32_t RandomNumbers::next()
{
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ mixed >> 30) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ mixed >> 27) * 0x94d049bb133111eb;
    return static_cast<std::uint32_t>((mixed ^ mixed >> 31) >> 32);
}

// One packet's way through the program.
class Execution {
public:
    Execution(Interpreter &interpreter, PacketBuffer &packet, const Context &context)
        : program_(interpreter.program_), maps_(interpreter.maps_), asm_hook_(interpreter.asm_hook_),
          values_(interpreter.values_), slots_(interpreter.slots_), arguments_(interpreter.arguments_), packet_(packet),
          context_(context), random_(context.seed)
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
                if (result_.tail_call)
                    return std::move(result_);
            }
            ++result_.executed;
            block = leave(program_.blocks[block].end);
        }
        if (!error_.empty())
            return std::unexpected(std::move(error_));
        if (result_.verdict != XDP_REDIRECT)
            result_.redirect.reset();
        return std::move(result_);
    }

private:
    using Bytes = MapStore::Bytes;

    void fail(const Inst &inst, std::string_view what) { error_ = fmt::format("'{}': {}", to_text(inst, {}), what); }

    void give(const Inst &inst, std::uint64_t value)
    {
        if (inst.result.valid())
            values_[inst.result] = value;
    }
    void give(const Inst &inst, MapStore::Outcome outcome)
    {
        give(inst, as_status(maps_.status_of(inst.map, outcome)));
    }

    void step(const Inst &inst)
    {
        switch (shape_of(inst.op)) {
        case Shape::constant: give(inst, inst.imm); break;
        case Shape::nullary:
        case Shape::query: give(inst, ask(inst.op)); break;
        case Shape::context: give(inst, field(inst.field)); break;
        case Shape::load:
        case Shape::store_packet: access_packet(inst); break;
        case Shape::unary: give(inst, evaluate(inst.op, values_[inst.a], 0)); break;
        case Shape::binary: give(inst, evaluate(inst.op, values_[inst.a], values_[inst.b])); break;
        case Shape::offset: move(inst); break;
        case Shape::adjust: give(inst, as_status(adjust(inst.op, values_[inst.a]))); break;
        case Shape::load_slot: access(inst, part(inst, slots_[inst.key], inst.imm), {}); break;
        case Shape::store_slot: access(inst, part(inst, slots_[inst.key], inst.imm), inst.a); break;
        case Shape::rx_meta: receive_metadata(inst); break;
        case Shape::load_map:
        case Shape::store_map:
            if (const Held *const held = pointee(inst))
                access(inst, part(inst, *held->bytes, held->from + inst.imm), inst.b);
            break;
        case Shape::element:
            if (const Held *const held = pointee(inst))
                give(inst, handle(held->bytes, held->from + (values_[inst.b] & inst.imm), held->map));
            break;
        case Shape::map_value:
        case Shape::lookup:
        case Shape::update:
        case Shape::erase:
        case Shape::push: access_map(inst); break;
        case Shape::redirect: redirect(inst); break;
        case Shape::tail_call: tail_call(inst); break;
        case Shape::reserve: give(inst, handle(maps_.reserve(inst.map, inst.imm), 0, inst.map)); break;
        case Shape::copy_packet: copy_packet(inst); break;
        case Shape::submit: submit(inst); break;
        }
    }

    std::uint64_t ask(Op op)
    {
        switch (op) {
        case Op::packet_start: return packet_.start_at();
        case Op::packet_end: return packet_.end_at();
        case Op::packet_length:
        case Op::whole_length: return packet_.bytes().size();
        case Op::meta_start: return packet_.meta_at();
        case Op::now: return context_.now;
        case Op::random: return random_.next();
        case Op::cpu: return context_.cpu;
        default: assert(!"no question"); return 0;
        }
    }

    std::uint64_t field(ContextField field) const
    {
        switch (field) {
        case ContextField::rx_queue: return context_.rx_queue;
        case ContextField::ingress_ifindex: return context_.ingress_ifindex;
        case ContextField::egress_ifindex: return context_.egress_ifindex;
        }
        return 0;
    }

    int adjust(Op op, std::uint64_t by)
    {
        switch (op) {
        case Op::adjust_head: return packet_.adjust_head(by);
        case Op::adjust_tail: return packet_.adjust_tail(by);
        default: return packet_.adjust_meta(by);
        }
    }

    // A pointer to metadata reaches up to the packet, one to the packet up to its end.
    void access_packet(const Inst &inst)
    {
        const bool meta = program_.values[inst.a].kind == ValueKind::meta;
        const std::size_t first = meta ? packet_.meta_at() : packet_.start_at();
        const std::uint64_t at = values_[inst.a] + inst.imm - first;
        access(inst, part(inst, meta ? packet_.metadata() : packet_.bytes(), at), inst.b);
    }

    // Loads from the bytes, or stores `value` there; nothing where there are none.
    void access(const Inst &inst, std::span<std::byte> bytes, ValueId value)
    {
        if (bytes.empty())
            return;
        if (is_load(inst.op))
            return give(inst, read_number(bytes, inst.order));
        const std::uint64_t before = inst.op == Op::atomic_add ? read_number(bytes, inst.order) : 0;
        write_number(bytes, inst.order, before + values_[value]);
    }

    // The bytes that a load or store is about; none, and an error, where they are not all there.
    std::span<std::byte> part(const Inst &inst, std::span<std::byte> bytes, std::uint64_t at)
    {
        if (at <= bytes.size() && inst.width <= bytes.size() - at)
            return bytes.subspan(at, inst.width);
        fail(inst, fmt::format("reaches past the end of {} bytes", bytes.size()));
        return {};
    }

    void move(const Inst &inst)
    {
        if (inst.op == Op::rebase)
            return give(inst, values_[inst.b] + ((values_[inst.a] - values_[inst.b]) & inst.imm));
        if (values_[inst.b] > inst.imm)
            fail(inst, fmt::format("the distance is {}, more than was promised", values_[inst.b]));
        give(inst, values_[inst.a] + values_[inst.b]);
    }

    // The kfuncs bpf_xdp_metadata_rx_hash, _timestamp and _vlan_tag.
    void receive_metadata(const Inst &inst)
    {
        const std::span<std::byte> slot = slots_[inst.value];
        const RxMetadata &rx = context_.rx;
        if (slot.size() < 8)
            return fail(inst, "the slot is too small");
        give(inst, std::uint64_t{0});
        if (inst.rx == RxMeta::hash && rx.hash) {
            write_number(slot.first(4), Order::little, *rx.hash);
        } else if (inst.rx == RxMeta::timestamp && rx.timestamp) {
            write_number(slot.first(8), Order::little, *rx.timestamp);
        } else if (inst.rx == RxMeta::vlan && rx.vlan) {
            write_number(slot.first(2), Order::big, rx.vlan->protocol);
            write_number(slot.subspan(2, 2), Order::little, rx.vlan->tci);
        } else {
            give(inst, as_status(-EOPNOTSUPP));
        }
    }

    bool holds(const Inst &inst, SlotId slot, std::size_t size)
    {
        if (slots_[slot].size() >= size)
            return true;
        fail(inst, "the slot is too small");
        return false;
    }

    // Bytes that a pointer leads to.
    struct Held {
        MapStore::Value bytes;
        std::uint64_t from = 0;
        MapId map;
    };

    std::uint64_t handle(MapStore::Value value, std::uint64_t from, MapId map)
    {
        if (value == nullptr)
            return 0;
        held_.push_back({std::move(value), from, map});
        return held_.size();
    }

    // None, and an error, for null and for records that were submitted.
    Held *pointee(const Inst &inst)
    {
        const std::uint64_t pointer = values_[inst.a];
        if (pointer != 0 && pointer <= held_.size() && held_[pointer - 1].bytes != nullptr)
            return &held_[pointer - 1];
        fail(inst, "a null pointer");
        return nullptr;
    }

    void access_map(const Inst &inst)
    {
        const MapSpec &spec = maps_.spec(inst.map);
        const bool with_value = inst.op == Op::update || shape_of(inst.op) == Shape::push;
        if ((inst.key.valid() && !holds(inst, inst.key, spec.key.size)) ||
            (with_value && !holds(inst, inst.value, spec.value.size)))
            return;
        switch (inst.op) {
        case Op::map_value:
            give(inst, handle(maps_.lookup(inst.map, Bytes(sizeof(std::uint32_t))), inst.imm, {}));
            break;
        case Op::lookup: give(inst, handle(maps_.lookup(inst.map, slots_[inst.key]), 0, {})); break;
        case Op::update: give(inst, maps_.update(inst.map, slots_[inst.key], slots_[inst.value], inst.imm)); break;
        case Op::erase: give(inst, maps_.remove(inst.map, slots_[inst.key])); break;
        case Op::push_value: give(inst, maps_.push(inst.map, slots_[inst.value])); break;
        case Op::peek:
            give(inst,
                 maps_.has_value(inst.map, slots_[inst.value]) ? MapStore::Outcome::done : MapStore::Outcome::missing);
            break;
        default: assert(!"no access to a map"); break;
        }
    }

    // bpf_xdp_load_bytes: what is not there is not copied in part.
    void copy_packet(const Inst &inst)
    {
        const Held *const record = pointee(inst);
        if (record == nullptr)
            return;
        const std::uint64_t length = values_[inst.b];
        if (length == 0 || length > inst.max || inst.imm > record->bytes->size() ||
            record->bytes->size() - inst.imm < inst.max)
            return fail(inst, fmt::format("{} bytes into a record of {}", length, record->bytes->size()));
        const auto packet = packet_.bytes();
        if (length > packet.size())
            return give(inst, as_status(-EINVAL));
        std::ranges::copy(packet.first(length), record->bytes->begin() + static_cast<std::ptrdiff_t>(inst.imm));
        give(inst, std::uint64_t{0});
    }

    void submit(const Inst &inst)
    {
        Held *const record = pointee(inst);
        if (record == nullptr)
            return;
        result_.records.push_back({record->map, *record->bytes});
        record->bytes = nullptr;
    }

    void tail_call(const Inst &inst)
    {
        if (!maps_.is_filled(inst.map, static_cast<std::uint32_t>(inst.imm)))
            return;
        result_.tail_call = TailCall{inst.map, static_cast<std::uint32_t>(inst.imm)};
        result_.decided_by = inst.span;
    }

    // __bpf_xdp_redirect_map (include/linux/filter.h): an index is cut to 32 bits; nothing in the slot, or no such
    // slot, gives the two lowest bits of the flags, and takes back what was asked for before. A broadcast asks for no
    // slot.
    void redirect(const Inst &inst)
    {
        const auto key = static_cast<std::uint32_t>(values_[inst.a]);
        const bool broadcast = (inst.imm & redirect_flag::broadcast) != 0;
        result_.redirect.reset();
        if (!broadcast && !maps_.is_filled(inst.map, key))
            return give(inst, inst.imm & redirect_flag::fallback);
        result_.redirect =
            RedirectTarget{inst.map, broadcast ? 0 : key, broadcast, (inst.imm & redirect_flag::exclude_ingress) != 0};
        give(inst, std::uint64_t{XDP_REDIRECT});
    }

    // The next block; none after a return.
    BlockId leave(const Terminator &end)
    {
        switch (end.kind) {
        case Terminator::Kind::jump:
        case Terminator::Kind::again: return follow(end.edges[0]);
        case Terminator::Kind::branch: {
            const std::uint64_t b = end.b.valid() ? values_[end.b] : end.imm;
            return follow(end.edges[evaluate(end.cond, values_[end.a], b) ? 0 : 1]);
        }
        case Terminator::Kind::guard: return follow(end.edges[values_[end.a] + end.imm <= values_[end.b] ? 0 : 1]);
        case Terminator::Kind::return_:
            result_.verdict = static_cast<std::uint32_t>(end.a.valid() ? values_[end.a] : end.imm);
            result_.decided_by = end.span;
            return {};
        case Terminator::Kind::asm_: run_asm(end); return {};
        case Terminator::Kind::none: break;
        }
        assert(!"a block without a terminator");
        return {};
    }

    void run_asm(const Terminator &end)
    {
        result_.decided_by = end.span;
        if (asm_hook_ == nullptr) {
            error_ = "nobody runs the program's instructions";
            return;
        }
        const AsmBlock &block = program_.asms[end.imm];
        if (auto done = asm_hook_({block, packet_, context_, random_, maps_, result_}); !done)
            error_ = std::move(done.error());
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
    const AsmHook &asm_hook_;
    IdVector<ValueId, std::uint64_t> &values_;
    IdVector<SlotId, std::vector<std::byte>> &slots_;
    std::vector<std::uint64_t> &arguments_;
    PacketBuffer &packet_;
    const Context &context_;
    RandomNumbers random_;
    std::vector<Held> held_;
    RunResult result_;
    std::string error_;
};

Interpreter::Interpreter(const Program &program, MapStore &maps) : program_(program), maps_(maps)
{
    values_.resize(program.values.size(), 0);
    for (const Slot &slot : program.slots)
        slots_.add(std::vector<std::byte>(slot.size));
}

std::expected<RunResult, std::string> Interpreter::run(PacketBuffer &packet, const Context &context)
{
    return Execution(*this, packet, context).run();
}

std::expected<RunResult, std::string> Interpreter::run(std::span<std::byte> packet, const Context &context)
{
    buffer_.assign(packet);
    auto result = run(buffer_, context);
    const auto bytes = buffer_.bytes();
    std::ranges::copy(bytes.first(std::min(bytes.size(), packet.size())), packet.begin());
    return result;
}

} // namespace xdpf::ir
