// Three sweeps, each trusting what the one before has shown: the shape of the graph (nothing else can be asked of a
// graph with wild edges), then definitions and kinds, then what must be known about pointers and slots.
#include "compiler/ir/verify.hpp"
#include "compiler/ir/bounds.hpp"
#include "compiler/ir/epochs.hpp"
#include "compiler/ir/facts.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/traits.hpp"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <bit>
#include <optional>

namespace xdpf::ir {
namespace {

constexpr std::uint64_t max_packet_offset = 0xffff;
constexpr std::uint32_t max_stack = 512;
constexpr std::uint32_t rx_meta_size = 8;
constexpr std::uint64_t max_record = UINT32_MAX / 4; // RINGBUF_MAX_RECORD_SZ, kernel/bpf/ringbuf.c

class Verifier {
public:
    Verifier(const Program &program, std::span<const MapSpec> maps, Stage stage)
        : program_(program), maps_(maps), stage_(stage)
    {
    }

    std::vector<std::string> run()
    {
        check_shape();
        if (errors_.empty())
            check_definitions();
        if (errors_.empty())
            check_knowledge();
        if (errors_.empty())
            check_lifetimes();
        if (errors_.empty())
            check_records();
        return std::move(errors_);
    }

private:
    template <class... Args> void fail(fmt::format_string<Args...> format, Args &&...args)
    {
        std::string where;
        if (block_.valid())
            where = fmt::format("b{}: ", block_.value);
        if (inst_ != nullptr)
            where += fmt::format("'{}': ", to_text(*inst_, maps_));
        else if (end_ != nullptr)
            where += fmt::format("'{}': ", to_text(*end_));
        errors_.push_back(where + fmt::format(format, std::forward<Args>(args)...));
    }

    // Calls on_inst and on_end with the place set for messages.
    template <class OnInst, class OnEnd> void in_block(BlockId id, OnInst on_inst, OnEnd on_end)
    {
        block_ = id;
        for (const Inst &inst : program_.blocks[id].insts) {
            inst_ = &inst;
            on_inst(inst);
        }
        inst_ = nullptr;
        end_ = &program_.blocks[id].end;
        on_end(*end_);
        end_ = nullptr;
        block_ = {};
    }

    // ---- The graph ------------------------------------------------------------------------------------------------

    void check_shape()
    {
        if (program_.blocks.empty())
            return fail("the program has no blocks");
        if (!program_.blocks[BlockId(0)].params.empty())
            fail("the entry has parameters");
        std::uint32_t stack = 0;
        for (const Slot &slot : program_.slots)
            stack += (slot.size + 7) / 8 * 8;
        if (stack > max_stack)
            fail("slots take {} bytes of the stack, more than {}", stack, max_stack);
        for (std::size_t i = 0; i < program_.blocks.size(); ++i)
            in_block(
                BlockId(i), [&](const Inst &inst) { check_parts(inst); },
                [&](const Terminator &end) { check_parts(end); });
    }

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
        for_each_edge(end, [&](const Edge &edge) { check_parts(edge); });
    }

    void check_parts(const Edge &edge)
    {
        if (!edge.target.valid() || edge.target.value >= program_.blocks.size())
            return fail("an edge leads nowhere");
        if (edge.target <= block_)
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
            if (arg.kind != param.kind)
                fail("b{} takes a {} as its parameter {}, not a {}", edge.target.value, text_of(param.kind), i + 1,
                     text_of(arg.kind));
            else if (param.kind == ValueKind::packet && arg.max > param.max)
                fail("the pointer for parameter {} of b{} may be {} bytes into the packet, more than {}", i + 1,
                     edge.target.value, arg.max, param.max);
        }
    }

    // ---- Definitions and kinds ------------------------------------------------------------------------------------

    void check_definitions()
    {
        defined_in_.resize(program_.values.size());
        constants_.resize(program_.values.size(), nullptr);
        reachable_ = reachable_blocks(program_);
        pending_ = IdSet<ValueId>(program_.values.size());
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            const BlockId id(i);
            for (const ValueId param : program_.blocks[id].params)
                define(param, id);
            for (const Inst &inst : program_.blocks[id].insts) {
                if (inst.result.valid())
                    define(inst.result, id);
                if (inst.op == Op::constant)
                    constants_[inst.result] = &inst;
            }
        }
        dominators_.emplace(program_);
        for (std::size_t i = 0; i < program_.blocks.size(); ++i)
            if (reachable_.contains(BlockId(i)))
                check_definitions(BlockId(i), *dominators_);
            else if (stage_ == Stage::for_the_kernel)
                fail("b{} is unreachable", i);
    }

    void define(ValueId value, BlockId block)
    {
        if (defined_in_[value].valid())
            fail("b{}: value {} is defined twice", block.value, value.value);
        defined_in_[value] = block;
    }

    void check_definitions(BlockId id, const Dominators &dominators)
    {
        for (const Inst &inst : program_.blocks[id].insts)
            if (inst.result.valid())
                pending_.insert(inst.result);
        const auto check_use = [&](ValueId value) {
            if (!defined_in_[value].valid())
                fail("value {} is never defined", value.value);
            else if (pending_.contains(value) || !dominators.dominates(defined_in_[value], id))
                fail("value {} is not defined on every path to its use", value.value);
        };
        in_block(
            id,
            [&](const Inst &inst) {
                for_each_use(inst, check_use);
                if (inst.result.valid())
                    pending_.erase(inst.result);
                check_kinds(inst);
            },
            [&](const Terminator &end) {
                for_each_use(end, check_use);
                check_kinds(end);
            });
    }

    ValueKind kind(ValueId value) const { return program_.values[value].kind; }

    void want(ValueId value, ValueKind wanted)
    {
        if (kind(value) != wanted)
            fail("value {} is a {} where a {} is needed", value.value, text_of(kind(value)), text_of(wanted));
    }

    void want(ValueId value, ValueKind wanted, ValueKind other)
    {
        if (kind(value) != other)
            want(value, wanted);
    }

    void check_kinds(const Inst &inst)
    {
        using enum ValueKind;
        if (inst.result.valid())
            want(inst.result, result_kind(inst.op));
        switch (shape_of(inst.op)) {
        case Shape::constant:
        case Shape::nullary:
        case Shape::context:
        case Shape::query: break;
        case Shape::load: want(inst.a, packet, meta); break;
        case Shape::store_packet:
            want(inst.a, packet, meta);
            want(inst.b, number);
            break;
        case Shape::adjust:
        case Shape::unary: want(inst.a, number); break;
        case Shape::binary:
            want(inst.a, number);
            want(inst.b, number);
            check_constant(inst);
            break;
        case Shape::offset:
            want(inst.a, packet);
            want(inst.b, inst.op == Op::rebase ? packet : number);
            break;
        case Shape::store_slot:
            want(inst.a, number);
            check_slot_access(inst);
            break;
        case Shape::load_slot: check_slot_access(inst); break;
        case Shape::rx_meta:
            if (program_.slots[inst.value].size < rx_meta_size)
                fail("slot {} has fewer than {} bytes", inst.value.value, rx_meta_size);
            break;
        case Shape::load_map: want(inst.a, map_value, record); break;
        case Shape::store_map:
            want(inst.a, map_value, record);
            want(inst.b, number);
            if (inst.op == Op::atomic_add && (inst.width < 4 || inst.imm % inst.width != 0))
                fail("an atomic addition has 4 or 8 bytes and is aligned");
            break;
        case Shape::copy_packet:
            want(inst.a, record);
            want(inst.b, number);
            break;
        case Shape::submit: want(inst.a, record); break;
        case Shape::redirect:
            want(inst.a, number);
            check_map(inst);
            break;
        case Shape::map_value:
        case Shape::lookup:
        case Shape::update:
        case Shape::erase:
        case Shape::push:
        case Shape::tail_call:
        case Shape::reserve: check_map(inst); break;
        }
    }

    // Whether the map is of a kind that the operation is for, with slots that hold its keys and values.
    void check_map(const Inst &inst)
    {
        const MapSpec &map = spec(inst);
        switch (shape_of(inst.op)) {
        case Shape::redirect: return check_redirect(inst, map);
        case Shape::tail_call:
            if (!has(map.kind, map_trait::programs))
                fail("'{}' holds no programs", map.name);
            if (inst.imm >= map.max_entries)
                fail("'{}' has {} slots", map.name, map.max_entries);
            return;
        case Shape::reserve:
            if (!has(map.kind, map_trait::ring))
                fail("'{}' is no ring buffer", map.name);
            if (inst.imm == 0 || inst.imm > max_record)
                fail("a record of {} bytes", inst.imm);
            return;
        case Shape::push:
            if (inst.op == Op::peek ? map.kind != MapKind::bloom_filter : !has(map.kind, map_trait::keyless))
                fail("'{}' is no map to {}", map.name, text_of(inst.op));
            return check_slot(inst.value, map.value.size, "value", map);
        case Shape::map_value:
            if (map.kind != MapKind::array || map.max_entries != 1)
                fail("'{}' is no array of one entry", map.name);
            return;
        default: return check_entry(inst, map);
        }
    }

    void check_redirect(const Inst &inst, const MapSpec &map)
    {
        if (!has(map.kind, map_trait::redirect))
            fail("'{}' is no map to redirect into", map.name);
        const std::uint64_t flags = inst.imm & (redirect_flag::broadcast | redirect_flag::exclude_ingress);
        if (flags != 0 && !has(map.kind, map_trait::broadcast))
            fail("'{}' is no map to broadcast into", map.name);
        if (flags == redirect_flag::exclude_ingress)
            fail("an exception without a broadcast");
        if ((inst.imm & ~flags) > redirect_flag::fallback)
            fail("the fallback {} is more than two bits", inst.imm & ~flags);
    }

    // Lookup, update and delete.
    void check_entry(const Inst &inst, const MapSpec &map)
    {
        if (has(map.kind, map_trait::redirect))
            return fail("'{}' can only be redirected into", map.name);
        if (has(map.kind, map_trait::programs | map_trait::keyless | map_trait::ring))
            return fail("'{}' has no entries that a program can reach", map.name);
        check_slot(inst.key, map.key.size, "key", map);
        if (inst.op != Op::update)
            return;
        check_slot(inst.value, map.value.size, "value", map);
        if (inst.imm > BPF_EXIST)
            fail("{} is no flag of an update", inst.imm);
    }

    void check_slot(SlotId slot, std::uint32_t size, std::string_view what, const MapSpec &map)
    {
        if (program_.slots[slot].size < size)
            fail("slot {} is smaller than a {} of '{}'", slot.value, what, map.name);
    }

    const MapSpec &spec(const Inst &inst) const { return maps_[inst.map.value]; }

    void check_constant(const Inst &inst)
    {
        const Inst *const b = constants_[inst.b];
        if (b == nullptr || stage_ != Stage::for_the_kernel)
            return;
        if ((inst.op == Op::div || inst.op == Op::mod) && b->imm == 0)
            fail("the divisor is 0");
        if ((inst.op == Op::shl || inst.op == Op::shr) && b->imm > 63)
            fail("a shift by {}", b->imm);
    }

    void check_slot_access(const Inst &inst)
    {
        const std::uint32_t size = program_.slots[inst.key].size;
        if (inst.imm > size || size - inst.imm < inst.width)
            fail("the {} leaves the slot's {} bytes", text_of(inst.op), size);
        if (inst.imm % inst.width != 0)
            fail("a {} of the stack is not aligned", text_of(inst.op));
    }

    void check_kinds(const Terminator &end)
    {
        using enum ValueKind;
        switch (end.kind) {
        case Terminator::Kind::branch:
            if (kind(end.a) == map_value || kind(end.a) == record) {
                if (end.b.valid() || end.imm != 0 || (end.cond != Cond::eq && end.cond != Cond::ne))
                    fail("a pointer is compared with more than null");
                break;
            }
            want(end.a, number);
            if (end.b.valid())
                want(end.b, number);
            break;
        case Terminator::Kind::guard:
            want(end.a, packet, meta);
            want(end.b, kind(end.a) == meta ? packet : packet_end);
            if (kind(end.a) == meta && program_.values[end.b].max != 0)
                fail("metadata is compared with more than the packet's start");
            break;
        case Terminator::Kind::return_:
            if (end.a.valid())
                want(end.a, number);
            break;
        case Terminator::Kind::asm_:
            if (end.imm >= program_.asms.size())
                fail("there is no such block of instructions");
            break;
        case Terminator::Kind::jump:
        case Terminator::Kind::none: break;
        }
    }

    // ---- What must be known ---------------------------------------------------------------------------------------

    void check_knowledge()
    {
        bounds_ = upper_bounds(program_);
        reaches_ = packet_reaches(program_);
        incoming_ = count_incoming(program_);
        find_value_sizes();
        slot_starts_.resize(program_.slots.size());
        std::uint32_t start = 0;
        for (std::size_t i = 0; i < program_.slots.size(); ++i) {
            slot_starts_[SlotId(i)] = start;
            start += program_.slots[SlotId(i)].size;
        }
        written_.resize(program_.blocks.size());
        written_[BlockId(0)].assign(start, false);
        walk_facts(program_, [&](BlockId id, const Facts &facts) {
            std::vector<bool> written = std::move(written_[id]);
            in_block(
                id, [&](const Inst &inst) { check_knowledge(inst, facts, written); },
                [&](const Terminator &end) {
                    check_guard(end);
                    for_each_edge(end, [&](const Edge &edge) { pass_on(edge.target, written); });
                });
        });
    }

    // No use of a pointer to the packet behind what moves the packet's ends.
    void check_lifetimes()
    {
        Epochs epochs(program_.blocks.size());
        IdVector<ValueId, std::uint32_t> made;
        made.resize(program_.values.size(), 0);
        const auto check_use = [&](ValueId value) {
            if (points_to_packet(value) && made[value] != epochs.now())
                fail("value {} was made before the packet's ends were moved", value.value);
        };
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            if (!reachable_.contains(BlockId(i)))
                continue;
            epochs.enter(BlockId(i));
            for (const ValueId param : program_.blocks[BlockId(i)].params)
                made[param] = epochs.now();
            in_block(
                BlockId(i),
                [&](const Inst &inst) {
                    for_each_use(inst, check_use);
                    if (moves_packet(inst.op))
                        epochs.change();
                    if (inst.result.valid())
                        made[inst.result] = epochs.now();
                },
                [&](const Terminator &end) {
                    for_each_use(end, check_use);
                    epochs.leave(end);
                });
        }
    }

    bool points_to_packet(ValueId value) const
    {
        return kind(value) == ValueKind::packet || kind(value) == ValueKind::packet_end ||
               kind(value) == ValueKind::meta;
    }

    // ---- Records of ring buffers ----------------------------------------------------------------------------------

    // A record that is not submitted so far.
    struct OpenRecord {
        ValueId value;
        bool tested = false; // and it is there
        bool operator==(const OpenRecord &) const = default;
    };
    using OpenRecords = std::vector<OpenRecord>;

    void check_records()
    {
        IdVector<BlockId, std::optional<OpenRecords>> incoming;
        incoming.resize(program_.blocks.size());
        incoming[BlockId(0)].emplace();
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            if (!incoming[BlockId(i)])
                continue;
            OpenRecords open = std::move(*incoming[BlockId(i)]);
            for (const ValueId param : program_.blocks[BlockId(i)].params)
                if (kind(param) == ValueKind::record)
                    fail("b{}: a record is a parameter", i);
            in_block(
                BlockId(i), [&](const Inst &inst) { follow_records(inst, open); },
                [&](const Terminator &end) {
                    if (end.kind == Terminator::Kind::return_ || end.kind == Terminator::Kind::asm_)
                        want_no_records(open);
                    std::size_t which = 0;
                    for_each_edge(end, [&](const Edge &edge) {
                        OpenRecords there = records_along(end, which++, open);
                        std::optional<OpenRecords> &present = incoming[edge.target];
                        if (present && *present != there)
                            fail("a record is submitted on one way to b{} and not on another", edge.target.value);
                        present = std::move(there);
                    });
                });
        }
    }

    void want_no_records(const OpenRecords &open)
    {
        for (const OpenRecord &record : open)
            fail("record {} is not submitted", record.value.value);
    }

    void follow_records(const Inst &inst, OpenRecords &open)
    {
        if (inst.op == Op::reserve)
            open.push_back({inst.result});
        if (inst.op == Op::tail_call)
            want_no_records(open);
        if (!inst.a.valid() || kind(inst.a) != ValueKind::record)
            return;
        const auto at = std::ranges::find(open, inst.a, &OpenRecord::value);
        if (at == open.end())
            return fail("the record is submitted already, or not there");
        if (!at->tested)
            return fail("the record may be null");
        if (inst.op == Op::submit)
            open.erase(at);
    }

    OpenRecords records_along(const Terminator &end, std::size_t which, const OpenRecords &open)
    {
        OpenRecords there = open;
        if (end.kind != Terminator::Kind::branch || kind(end.a) != ValueKind::record)
            return there;
        const auto at = std::ranges::find(there, end.a, &OpenRecord::value);
        if (at == there.end())
            return there;
        if (which == (end.cond == Cond::eq ? 0U : 1U))
            there.erase(at);
        else
            at->tested = true;
        return there;
    }

    // Bytes behind each pointer into a map's value; of a parameter, the fewest that an argument has.
    void find_value_sizes()
    {
        value_sizes_.resize(program_.values.size(), UINT64_MAX);
        for (const Block &block : program_.blocks) {
            for (const Inst &inst : block.insts)
                if (const auto size = pointee_size(inst))
                    value_sizes_[inst.result] = *size;
            for_each_edge(block.end, [&](const Edge &edge) {
                const auto &params = program_.blocks[edge.target].params;
                for (std::size_t i = 0; i < params.size(); ++i)
                    value_sizes_[params[i]] = std::min(value_sizes_[params[i]], value_sizes_[edge.args[i]]);
            });
        }
    }

    std::optional<std::uint64_t> pointee_size(const Inst &inst) const
    {
        switch (inst.op) {
        case Op::lookup: return spec(inst).value.size;
        case Op::map_value: return spec(inst).value.size - std::min<std::uint64_t>(inst.imm, spec(inst).value.size);
        case Op::reserve: return inst.imm;
        default: return std::nullopt;
        }
    }

    void pass_on(BlockId target, const std::vector<bool> &written)
    {
        std::vector<bool> &there = written_[target];
        if (there.empty())
            there = written;
        for (std::size_t i = 0; i < written.size(); ++i)
            there[i] = there[i] && written[i];
    }

    void check_knowledge(const Inst &inst, const Facts &facts, std::vector<bool> &written)
    {
        switch (shape_of(inst.op)) {
        case Shape::load:
        case Shape::store_packet: {
            const std::uint64_t present = facts.about(inst.a).present;
            if (inst.imm > present || present - inst.imm < inst.width)
                fail("{} bytes are guarded on every path, {} needed", present, inst.imm + inst.width);
            break;
        }
        case Shape::load_map:
        case Shape::store_map:
            if (kind(inst.a) == ValueKind::map_value && facts.about(inst.a).present == 0)
                fail("the pointer may be null");
            check_inside(inst, inst.width);
            break;
        case Shape::copy_packet: check_copy(inst); break;
        case Shape::offset: check_offset(inst); break;
        case Shape::store_slot:
            std::fill_n(written.begin() + static_cast<std::ptrdiff_t>(slot_starts_[inst.key] + inst.imm), inst.width,
                        true);
            break;
        case Shape::load_slot: check_written(inst.key, inst.imm, inst.width, written); break;
        case Shape::rx_meta: check_written(inst.value, 0, rx_meta_size, written); break;
        case Shape::lookup:
        case Shape::erase: check_written(inst.key, 0, spec(inst).key.size, written); break;
        case Shape::update:
            check_written(inst.key, 0, spec(inst).key.size, written);
            check_written(inst.value, 0, spec(inst).value.size, written);
            break;
        case Shape::push: check_written(inst.value, 0, spec(inst).value.size, written); break;
        default: break;
        }
    }

    void check_inside(const Inst &inst, std::uint64_t bytes)
    {
        if (const std::uint64_t size = value_sizes_[inst.a]; inst.imm > size || size - inst.imm < bytes)
            fail("the access leaves the value's {} bytes", size);
    }

    // The kernel wants to know that at least one byte is copied, and no more than there is room for.
    void check_copy(const Inst &inst)
    {
        check_inside(inst, inst.max);
        if (bounds_[inst.b] > inst.max && !always(inst.b, [&](const Range &range) { return range.most <= inst.max; }))
            fail("the length is bounded by {}, not by {}", bounds_[inst.b], inst.max);
        if (!always(inst.b, [](const Range &range) { return range.least > 0; }))
            fail("the length may be 0");
    }

    void check_written(SlotId slot, std::uint64_t from, std::uint64_t size, const std::vector<bool> &written)
    {
        for (std::uint64_t i = from; i < from + size; ++i)
            if (!written[slot_starts_[slot] + i])
                return fail("byte {} of slot {} may not have been written", i, slot.value);
    }

    void check_offset(const Inst &inst)
    {
        const std::uint64_t base = program_.values[inst.a].max;
        const std::uint64_t max = program_.values[inst.result].max;
        if (inst.op == Op::rebase) {
            if (!std::has_single_bit(inst.imm + 1))
                fail("{} is no mask", inst.imm);
            if (reaches_[inst.a] > inst.imm)
                fail("the pointer may be {} bytes into the packet, more than the mask keeps", reaches_[inst.a]);
            if (max < inst.imm)
                fail("the result's bound {} is too low", max);
            if (program_.values[inst.b].max != 0)
                fail("value {} is not the packet's start", inst.b.value);
            return;
        }
        if (bounds_[inst.b] > inst.imm && !compared(inst.b, inst.imm))
            fail("the distance is bounded by {}, not by {}", bounds_[inst.b], inst.imm);
        if (max < base || max - base < inst.imm)
            fail("the result's bound {} is too low", max);
    }

    // Whether a branch on the way here has shown that the number is no more than `max`. The
    // kernel learns from that comparison, too.
    bool compared(ValueId number, std::uint64_t max) const
    {
        return shown(number, block_, [&](const Range &range) { return range.most <= max; });
    }

    struct Range {
        std::uint64_t least = 0;
        std::uint64_t most = UINT64_MAX;
    };

    static Range range_of(Cond holds, std::uint64_t imm)
    {
        switch (holds) {
        case Cond::eq: return {imm, imm};
        case Cond::ne: return {imm == 0 ? 1U : 0U, UINT64_MAX};
        case Cond::lt: return {0, imm == 0 ? UINT64_MAX : imm - 1};
        case Cond::le: return {0, imm};
        case Cond::gt: return {imm == UINT64_MAX ? 0 : imm + 1, UINT64_MAX};
        case Cond::ge: return {imm, UINT64_MAX};
        case Cond::set: return {1, UINT64_MAX};
        case Cond::clear: break;
        }
        return {};
    }

    // What the end of a block shows of a number along one of its edges.
    static Range range_along(const Terminator &end, std::size_t which, ValueId number)
    {
        if (end.kind != Terminator::Kind::branch || end.a != number || end.b.valid())
            return {};
        return range_of(which == 0 ? end.cond : inverse(end.cond), end.imm);
    }

    // Whether a branch on every path to the block has shown it.
    template <class Test> bool shown(ValueId number, BlockId below, Test test) const
    {
        for (; below != BlockId(0); below = dominators_->parent(below)) {
            const Terminator &end = program_.blocks[dominators_->parent(below)].end;
            if (incoming_[below] == 1 && test(range_along(end, end.edges[0].target == below ? 0 : 1, number)))
                return true;
        }
        return false;
    }

    // Whether it holds of a number in the present block; of a parameter, of all its arguments.
    template <class Test> bool always(ValueId number, Test test) const
    {
        const Inst *const constant = constants_[number];
        if (constant != nullptr)
            return test(Range{constant->imm, constant->imm});
        if (test(Range{0, bounds_[number]}) || shown(number, block_, test))
            return true;
        const BlockId home = defined_in_[number];
        const auto &params = program_.blocks[home].params;
        const auto at = std::ranges::find(params, number);
        if (at == params.end() || incoming_[home] == 0)
            return false;
        return all_arguments(home, static_cast<std::size_t>(at - params.begin()), test);
    }

    template <class Test> bool all_arguments(BlockId target, std::size_t param, Test test) const
    {
        for (std::size_t i = 0; i < target.value; ++i) {
            if (!reachable_.contains(BlockId(i)))
                continue;
            const Terminator &end = program_.blocks[BlockId(i)].end;
            std::size_t which = 0;
            bool holds = true;
            for_each_edge(end, [&](const Edge &edge) {
                const std::size_t taken = which++;
                if (edge.target != target)
                    return;
                const ValueId argument = edge.args[param];
                const Inst *const constant = constants_[argument];
                const Range range =
                    constant != nullptr ? Range{constant->imm, constant->imm} : Range{0, bounds_[argument]};
                holds = holds &&
                        (test(range) || test(range_along(end, taken, argument)) || shown(argument, BlockId(i), test));
            });
            if (!holds)
                return false;
        }
        return true;
    }

    void check_guard(const Terminator &end)
    {
        if (end.kind != Terminator::Kind::guard)
            return;
        const std::uint64_t max = kind(end.a) == ValueKind::meta ? 0 : program_.values[end.a].max;
        if (max > max_packet_offset || end.imm > max_packet_offset - max)
            fail("the pointer may be {} bytes into the packet; with the guard's {} that is more than {}", max, end.imm,
                 max_packet_offset);
    }

    const Program &program_;
    std::span<const MapSpec> maps_;
    Stage stage_;
    std::vector<std::string> errors_;

    BlockId block_; // the place, for messages
    const Inst *inst_ = nullptr;
    const Terminator *end_ = nullptr;

    std::optional<Dominators> dominators_;
    IdVector<BlockId, std::uint32_t> incoming_;
    IdVector<ValueId, BlockId> defined_in_;
    IdVector<ValueId, const Inst *> constants_;
    IdSet<ValueId> pending_; // results of the block being checked that are still to come
    IdSet<BlockId> reachable_;
    IdVector<ValueId, std::uint64_t> bounds_;
    IdVector<ValueId, std::uint64_t> reaches_;
    IdVector<ValueId, std::uint64_t> value_sizes_;
    IdVector<SlotId, std::uint32_t> slot_starts_;
    IdVector<BlockId, std::vector<bool>> written_; // by block: which bytes of all slots are written when it begins
};

} // namespace

std::vector<std::string> verify(const Program &program, std::span<const MapSpec> maps, Stage stage)
{
    return Verifier(program, maps, stage).run();
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
