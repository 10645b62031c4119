#include "compiler/base/limits.hpp"
#include "compiler/ir/bounds.hpp"
#include "compiler/ir/comparisons.hpp"
#include "compiler/ir/facts.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/ir/verify_sweep.hpp"

#include <algorithm>
#include <bit>
#include <optional>

namespace xdpf::ir {
namespace {

class Knowledge : Sweep {
public:
    using Sweep::Sweep;

    void run()
    {
        find_definitions();
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
            check_loop(id);
            in_block(
                id, [&](const Inst &inst) { check_knowledge(inst, facts, written); },
                [&](const Terminator &end) {
                    check_guard(end);
                    for_each_edge(end, [&](const Edge &edge) { pass_on(edge.target, written); });
                });
        });
    }

private:
    void find_definitions()
    {
        defined_in_.resize(program_.values.size());
        constants_.resize(program_.values.size(), nullptr);
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            for (const ValueId param : program_.blocks[BlockId(i)].params)
                defined_in_[param] = BlockId(i);
            for (const Inst &inst : program_.blocks[BlockId(i)].insts) {
                if (inst.result.valid())
                    defined_in_[inst.result] = BlockId(i);
                if (inst.op == Op::constant)
                    constants_[inst.result] = &inst;
            }
        }
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
        case Op::element: return value_sizes_[inst.a] - std::min(inst.imm, value_sizes_[inst.a]);
        case Op::reserve: return inst.imm;
        default: return std::nullopt;
        }
    }

    // The pointers of a loop, as far as they get in all its rounds.
    void check_loop(BlockId id)
    {
        if (!program_.blocks[id].is_loop())
            return;
        block_ = id;
        for (const ValueId param : program_.blocks[id].params)
            if (kind(param) == ValueKind::packet && reaches_[param] > program_.values[param].max)
                fail("the pointer may be {} bytes into the packet, more than {}", reaches_[param],
                     program_.values[param].max);
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
            const std::uint64_t present = facts.present(inst.a);
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
        case Shape::element:
            if (facts.about(inst.a).present == 0)
                fail("the pointer may be null");
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
        if (const std::uint64_t most = comparisons_.bound(inst.b, block_, bounds_); most > inst.imm)
            fail("the distance is bounded by {}, not by {}", most, inst.imm);
        if (max < base || max - base < inst.imm)
            fail("the result's bound {} is too low", max);
    }

    // What is known of a number wherever it is.
    Range range_of(ValueId number) const
    {
        if (const Inst *const constant = constants_[number])
            return {constant->imm, constant->imm};
        return {0, bounds_[number]};
    }

    // Whether it holds of a number in the present block; of a parameter, of all its arguments.
    template <class Test> bool always(ValueId number, Test test) const
    {
        if (test(range_of(number)) || comparisons_.shown(number, block_, test))
            return true;
        const BlockId home = defined_in_[number];
        if (program_.blocks[home].is_loop())
            return false;
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
                holds = holds && (test(range_of(argument)) || test(Comparisons::along(end, taken, argument)) ||
                                  comparisons_.shown(argument, BlockId(i), test));
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

    Comparisons comparisons_{program_};
    IdSet<BlockId> reachable_ = reachable_blocks(program_);
    IdVector<BlockId, std::uint32_t> incoming_ = count_incoming(program_);
    IdVector<ValueId, std::uint64_t> bounds_ = upper_bounds(program_);
    IdVector<ValueId, std::uint64_t> reaches_ = packet_reaches(program_);
    IdVector<ValueId, BlockId> defined_in_;
    IdVector<ValueId, const Inst *> constants_;
    IdVector<ValueId, std::uint64_t> value_sizes_;
    IdVector<SlotId, std::uint32_t> slot_starts_;
    IdVector<BlockId, std::vector<bool>> written_; // by block: which bytes of all slots are written when it begins
};

} // namespace

void check_knowledge(Inquiry &inquiry) { Knowledge(inquiry).run(); }

} // namespace xdpf::ir
