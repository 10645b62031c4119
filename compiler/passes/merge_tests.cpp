// Tests of bytes that stand near each other and fail alike become one:
//
//   (%1[0] & 0xf0) == 0x40, (%1[0] & 15) >= 5     →  %1[0] - 0x45 <= 10
//   (be16 %1[6] & 0x1fff) == 0, %1[9] == 17       →  (le32 %1[6] & 0xff00ff1f) == 0x11000000
//
// Loads and masks wider than what is asked become narrow. What is computed of a byte behind its test is computed from
// the difference, which the kernel's verifier knows the bounds of.
#include "compiler/ir/facts.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/passes/byte_tests.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>
#include <bit>
#include <optional>
#include <ranges>
#include <utility>

namespace xdpf::passes {
namespace {

using namespace ir;

constexpr unsigned widest = 4; // bytes; larger constants take two instructions

// How a test can be made.
struct Form {
    std::uint64_t offset = 0;
    unsigned width = 1;
    Op op = Op::constant; // bit_and or sub, else nothing is computed
    std::uint64_t by = 0;
    Cond cond = Cond::eq;
    std::uint64_t imm = 0;

    [[nodiscard]] unsigned cost() const { return op == Op::constant ? 2 : 3; }
};

Form of_masks(std::uint64_t offset, unsigned width, std::uint64_t mask, std::uint64_t value)
{
    if (value == 0)
        return {.offset = offset, .width = width, .cond = Cond::clear, .imm = mask};
    if (mask == value && std::has_single_bit(mask))
        return {.offset = offset, .width = width, .cond = Cond::set, .imm = mask};
    if (mask == max_of_width(width))
        return {.offset = offset, .width = width, .imm = value};
    return {.offset = offset, .width = width, .op = Op::bit_and, .by = mask, .imm = value};
}

std::optional<Form> of_byte(std::uint64_t offset, const Bytes &bytes)
{
    const auto range = interval(bytes);
    const auto mask = masked(bytes);
    if (range && range->least == range->most)
        return Form{.offset = offset, .imm = range->least};
    if (range && range->least == 0)
        return Form{.offset = offset, .cond = Cond::le, .imm = range->most};
    if (range && range->most == 255)
        return Form{.offset = offset, .cond = Cond::ge, .imm = range->least};
    if (range)
        return Form{
            .offset = offset, .op = Op::sub, .by = range->least, .cond = Cond::le, .imm = range->most - range->least};
    return mask ? std::optional(of_masks(offset, 1, mask->mask, mask->value)) : std::nullopt;
}

// One load of what is known to be there, `present` bytes from the pointer on.
std::optional<Form> form_of(const ByteTest &test, std::uint64_t present)
{
    if (test.bytes.empty() || std::ranges::any_of(test.bytes, [](const auto &one) { return one.second.none(); }))
        return std::nullopt;
    const std::uint64_t first = test.bytes.begin()->first;
    const std::uint64_t last = test.bytes.rbegin()->first;
    if (first == last && last < present)
        return of_byte(first, test.bytes.begin()->second);
    const std::uint64_t width = std::bit_ceil(last - first + 1);
    if (width > widest || present < width || present <= last)
        return std::nullopt;
    const std::uint64_t offset = std::min(first, present - width);
    std::uint64_t mask = 0;
    std::uint64_t value = 0;
    for (const auto &[at, bytes] : test.bytes) {
        const auto part = masked(bytes);
        if (!part)
            return std::nullopt;
        mask |= std::uint64_t{part->mask} << 8 * (at - offset);
        value |= std::uint64_t{part->value} << 8 * (at - offset);
    }
    return of_masks(offset, static_cast<unsigned>(width), mask, value);
}

class Merging {
public:
    explicit Merging(Program &program)
        : program_(program), incoming_(count_incoming(program)), uses_(count_uses(program)), tests_(program)
    {
        present_.resize(program.blocks.size());
        if (std::ranges::any_of(program.blocks, writes))
            find_ways();
    }

    void run()
    {
        walk_facts(program_, [&](BlockId id, const Facts &known) {
            if (const ValueId pointer = pointer_of(id); pointer.valid())
                present_[id] = known.present(pointer);
        });
        for (std::size_t i = 0; i < program_.blocks.size(); ++i)
            if (present_[BlockId(i)] != 0)
                merge(BlockId(i));
        for (const auto &[block, inst] : made_)
            program_.blocks[block].insts.push_back(inst);
        for (const auto &[block, byte] : known_bytes_)
            use_difference(block, byte);
    }

private:
    // A byte of which a test has made a difference.
    struct KnownByte {
        ValueId pointer;
        std::uint64_t offset;
        Bytes bytes;
        ValueId difference;
        unsigned least;
    };

    static bool writes(const Block &block)
    {
        return std::ranges::any_of(block.insts, [](const Inst &inst) { return writes_packet(inst.op); });
    }

    void find_ways()
    {
        only_way_.resize(program_.blocks.size());
        for (std::size_t i = 0; i < program_.blocks.size(); ++i)
            for_each_edge(program_.blocks[BlockId(i)].end, [&](const Edge &edge) {
                if (incoming_[edge.target] == 1)
                    only_way_[edge.target] = BlockId(i);
            });
    }

    // Whether the packet still has what was loaded from it when the block ends.
    bool is_still_there(const Inst &load, BlockId id) const
    {
        if (only_way_.empty())
            return true;
        for (BlockId at = id; at.valid(); at = only_way_[at])
            for (const Inst &inst : program_.blocks[at].insts | std::views::reverse) {
                if (inst.result == load.result)
                    return true;
                if (writes_packet(inst.op))
                    return false;
            }
        return false;
    }

    // Of a value that is used elsewhere the verifier may need to know what the test shows.
    const Inst *tested(BlockId id) const
    {
        const Terminator &end = program_.blocks[id].end;
        const Inst *const load = end.a.valid() && uses_[end.a] == 1 ? tests_.load(end) : nullptr;
        return load != nullptr && is_still_there(*load, id) ? load : nullptr;
    }

    ValueId pointer_of(BlockId id) const
    {
        const Inst *const load = tested(id);
        return load != nullptr ? load->a : ValueId();
    }

    std::optional<ByteTest> read(BlockId id, std::size_t pass) const
    {
        return tested(id) != nullptr ? tests_.read(program_.blocks[id].end, pass) : std::nullopt;
    }

    bool is_quiet(BlockId id) const
    {
        const Block &block = program_.blocks[id];
        return incoming_[id] == 1 && block.params.empty() &&
               std::ranges::all_of(block.insts, [](const Inst &inst) { return is_pure(inst.op); });
    }

    void merge(BlockId id)
    {
        for (const std::size_t pass : {0U, 1U}) {
            if (!may_improve(id, pass))
                continue;
            if (const auto test = read(id, pass); test && merge(id, *test, pass))
                return;
        }
    }

    // Whether the test may become shorter by itself, or one behind it asks for bytes near the same pointer.
    bool may_improve(BlockId id, std::size_t pass) const
    {
        const Terminator &end = program_.blocks[id].end;
        const ValueId pointer = pointer_of(id);
        if (!pointer.valid() || tests_.cost(end) > 2)
            return pointer.valid();
        for (BlockId at = end.edges[pass].target; is_quiet(at);) {
            const Terminator &there = program_.blocks[at].end;
            if (!has_two_edges(there))
                return false;
            const std::size_t on = same(there.edges[1], end.edges[1 - pass]) ? 0 : 1;
            if (!same(there.edges[1 - on], end.edges[1 - pass]))
                return false;
            if (pointer_of(at) == pointer)
                return true;
            at = there.edges[on].target;
        }
        return false;
    }

    // Takes tests from the blocks behind edges[pass] in.
    bool merge(BlockId id, ByteTest test, std::size_t pass)
    {
        Terminator &end = program_.blocks[id].end;
        const Edge out = end.edges[1 - pass];
        std::vector<std::pair<BlockId, std::size_t>> merged;
        BlockId last = id; // of those merged
        for (BlockId at = end.edges[pass].target; is_quiet(at);) {
            const Terminator &there = program_.blocks[at].end;
            if (!has_two_edges(there))
                break;
            const std::size_t on = same(there.edges[1], out) ? 0 : 1;
            if (!same(there.edges[1 - on], out))
                break;
            if (const auto more = read(at, on); more && more->pointer == test.pointer) {
                ByteTest both = test;
                both.cost += more->cost;
                for (const auto &[offset, bytes] : more->bytes)
                    if (const auto [entry, fresh] = both.bytes.try_emplace(offset, bytes); !fresh)
                        entry->second &= bytes;
                if (const auto form = form_of(both, present_[id]); form && form->cost() < both.cost) {
                    test = std::move(both);
                    merged.emplace_back(at, on);
                    last = at;
                }
            }
            at = there.edges[on].target;
        }
        const auto form = form_of(test, present_[id]);
        if (!form || form->cost() >= test.cost)
            return false;
        const BlockId behind =
            merged.empty() ? end.edges[pass].target : program_.blocks[last].end.edges[merged.back().second].target;
        for (const auto &[at, on] : merged)
            decide(program_.blocks[at].end, on);
        write(id, test, *form, pass, merged, behind);
        return true;
    }

    void write(BlockId id, const ByteTest &test, const Form &form, std::size_t pass,
               const std::vector<std::pair<BlockId, std::size_t>> &merged, BlockId behind)
    {
        Terminator &end = program_.blocks[id].end;
        Inst load;
        load.op = Op::load;
        load.width = static_cast<std::uint8_t>(form.width);
        load.a = test.pointer;
        load.imm = form.offset;
        ValueId tested = add(id, load, max_of_width(form.width));
        if (form.op != Op::constant) {
            Inst computed;
            computed.op = form.op;
            computed.a = tested;
            computed.b = add(id, make_constant({}, form.by, end.span), form.by);
            tested = add(id, computed, form.op == Op::bit_and ? form.by : UINT64_MAX);
        }
        if (form.op == Op::sub) {
            const KnownByte byte{test.pointer, form.offset, test.bytes.begin()->second, tested,
                                 static_cast<unsigned>(form.by)};
            for (const auto &[block, on] : merged)
                known_bytes_.emplace_back(block, byte);
            if (incoming_[behind] == 1)
                known_bytes_.emplace_back(behind, byte);
        }
        end.a = tested;
        end.cond = form.cond;
        end.imm = form.imm;
        if (pass == 1)
            std::swap(end.edges[0], end.edges[1]);
    }

    ValueId add(BlockId id, Inst inst, std::uint64_t max)
    {
        inst.span = program_.blocks[id].end.span;
        inst.result = program_.add_value(ValueKind::number, max);
        made_.emplace_back(id, inst);
        return inst.result;
    }

    // `byte & mask` is the difference and a constant where no bit outside the mask changes.
    void use_difference(BlockId id, const KnownByte &byte)
    {
        std::vector<Inst> out;
        std::vector<std::pair<ValueId, std::uint64_t>> constants;
        std::vector<ValueId> loads;
        bool written = false;
        for (Inst inst : program_.blocks[id].insts) {
            written = written || writes_packet(inst.op);
            if (inst.op == Op::constant)
                constants.emplace_back(inst.result, inst.imm);
            if (inst.op == Op::load && inst.a == byte.pointer && inst.imm == byte.offset && inst.width == 1 && !written)
                loads.push_back(inst.result);
            const auto mask = std::ranges::find(constants, inst.b, &std::pair<ValueId, std::uint64_t>::first);
            if (inst.op == Op::bit_and && mask != constants.end() && std::ranges::find(loads, inst.a) != loads.end() &&
                only_there(byte, mask->second)) {
                const std::uint64_t least = byte.least & mask->second;
                inst.op = Op::add;
                inst.a = byte.difference;
                inst.b = program_.add_value(ValueKind::number, least);
                out.push_back(make_constant(inst.b, least, inst.span));
            }
            out.push_back(inst);
        }
        program_.blocks[id].insts = std::move(out);
    }

    static bool only_there(const KnownByte &byte, std::uint64_t mask)
    {
        for (unsigned i = 0; i < byte.bytes.size(); ++i)
            if (byte.bytes[i] && (i & mask) != i - byte.least + (byte.least & mask))
                return false;
        return true;
    }

    Program &program_;
    IdVector<BlockId, std::uint32_t> incoming_;
    IdVector<ValueId, std::uint32_t> uses_;
    ByteTests tests_;
    IdVector<BlockId, BlockId>
        only_way_; // by block: from where it is reached, if from one place; empty: nothing writes
    IdVector<BlockId, std::uint64_t> present_; // by block: bytes known at its end from its test's pointer on
    std::vector<std::pair<BlockId, Inst>> made_;
    std::vector<std::pair<BlockId, KnownByte>> known_bytes_;
};

} // namespace

void merge_tests(Program &program) { Merging(program).run(); }

} // namespace xdpf::passes
