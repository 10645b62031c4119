// Rules in tables of a map (classify/tables.hpp), walked by code whose size does not depend on their number. In front
// of the walk stands a cache of flows, a map of its own for each CPU: what the tables said of a key is remembered
// under the key itself, together with the generation of the rules that said it.
//
//   cache entry   u64 generation << 32 | class << 22 | code; then the words of the key
//
// A code is an XDP verdict, or the number of a node that decides, from `first_jump` on. Where rules are counted, the
// rule's place among the counters, plus one, stands above it.
#include "compiler/lower/run_writer.hpp"
#include "compiler/rule_tables.hpp"

#include <linux/bpf.h>

#include <bit>

namespace xdpf::lowering {
namespace {

constexpr std::uint64_t not_placed = UINT32_MAX >> 1; // the mask of pointers into the tables, until their size is known
constexpr std::uint64_t not_begun = std::uint64_t{1} << 32; // and a number: the offset of bytes, until it is known
constexpr std::size_t most_table_entries = 700'000;         // of one tree
constexpr std::uint32_t cached_flows = 8192;                // a power of two
constexpr std::uint32_t first_jump = 8;                     // codes from here on are no verdicts
constexpr std::uint64_t most_steps = 400'000;               // of the verifier's million, for all tables of a program
constexpr unsigned code_bits = 22;
constexpr unsigned class_bits = 32 - code_bits;
constexpr std::uint64_t code_mask = (1U << code_bits) - 1;

ir::Inst &placed(ir::Inst &inst, std::uint32_t offset, std::uint8_t width)
{
    inst.imm = offset;
    inst.width = width;
    return inst;
}

} // namespace

// The verdict, where the node says nothing else.
std::uint32_t RunWriter::jump_code(std::size_t target) const
{
    if (!targets_[target].valid())
        return first_jump + static_cast<std::uint32_t>(target);
    const Node &node = e_.graph_.nodes[targets_[target]];
    if (node.kind == Node::Kind::decide && node.decision == nullptr)
        return XDP_PASS;
    const bool plain = node.kind == Node::Kind::decide && !node.decision->redirect.valid() && !node.decision->go_to &&
                       !node.decision->assembly;
    return plain ? node.decision->verdict : first_jump + static_cast<std::uint32_t>(target);
}

unsigned RunWriter::counter_shift() const
{
    return static_cast<unsigned>(std::bit_width(first_jump + targets_.size()));
}

// What stands in the tables for an action.
std::uint32_t RunWriter::code_of(std::uint32_t action) const
{
    const Outcome &outcome = actions_[action];
    const auto jump = jump_code(target_numbers_.at(outcome.target));
    return outcome.counted ? (*outcome.counted + 1) << counter_shift() | jump : jump;
}

std::optional<std::vector<std::uint32_t>> RunWriter::codes_of_actions() const
{
    std::vector<std::uint32_t> codes;
    for (std::uint32_t action = 0; action < actions_.size(); ++action)
        codes.push_back(code_of(action));
    constexpr std::size_t more_maps = 2; // tables, and a cache of flows
    const bool fit = std::ranges::all_of(codes, [](std::uint32_t code) { return code <= code_mask; }) &&
                     e_.tables_.size() >> class_bits == 0 && e_.maps_.size() + more_maps <= most_program_maps;
    return fit ? std::optional(std::move(codes)) : std::nullopt;
}

// Both loops are walked round by round: about so many instructions.
std::uint64_t RunWriter::steps_to_verify() const
{
    const auto words = classify::shape_of(set_.largest).words;
    const std::uint64_t of_node = 16 + std::uint64_t{5} * words;
    const std::uint64_t of_candidate = 14 + std::uint64_t{6} * parts_.size();
    return most_nodes_ * of_node + most_candidates_ * of_candidate;
}

// The block that takes the code; what it goes on with is written later.
ir::ValueId RunWriter::start_decision()
{
    decide_ = e_.new_block();
    const auto code = e_.program_.add_value(ir::ValueKind::number);
    e_.program_.blocks[decide_].params.push_back(code);
    return code;
}

ir::ValueId RunWriter::load_map(ir::ValueId pointer, std::uint32_t offset, std::uint8_t width)
{
    ir::Inst &made = placed(e_.inst(ir::Op::load_map), offset, width);
    made.a = pointer;
    return e_.number(made, width == 8 ? UINT64_MAX : UINT32_MAX);
}

ir::ValueId RunWriter::element(ir::ValueId base, ir::ValueId at, std::uint64_t mask)
{
    ir::Inst &made = e_.inst(ir::Op::element);
    made.a = base;
    made.b = at;
    made.imm = mask;
    return made.result = e_.program_.add_value(ir::ValueKind::map_value);
}

ir::ValueId RunWriter::table(ir::ValueId at)
{
    ir::Inst &made = e_.inst(ir::Op::map_value);
    made.map = e_.tables_.map;
    made.imm = 0;
    const auto base = made.result = e_.program_.add_value(ir::ValueKind::map_value);
    if (!at.valid())
        return base;
    e_.tables_.anywhere = true;
    return element(base, at, not_placed);
}

RunWriter::Stored RunWriter::stored(std::vector<std::byte> bytes)
{
    Stored where;
    where.mask = std::bit_ceil(bytes.size()) - 1;
    where.number = e_.tables_.add(e_, std::move(bytes));
    if (std::ranges::any_of(e_.graph_.runs, [](const Run &run) { return run.table != nullptr; })) {
        const auto set = load_map(table({}), rule_tables::active_at, 4);
        where.begin = e_.binary(ir::Op::add, set, load_map(table(set), 4 * where.number, 4));
    }
    return where;
}

ir::ValueId RunWriter::inside(const Stored &where, ir::ValueId offset)
{
    if (where.begin.valid())
        return table(e_.binary(ir::Op::add, where.begin, offset));
    ir::Inst &made = e_.inst(ir::Op::map_value);
    made.map = e_.tables_.map;
    made.imm = not_begun + where.number;
    const auto base = made.result = e_.program_.add_value(ir::ValueKind::map_value);
    return element(base, offset, where.mask);
}

// The numbers of all dimensions, side by side.
void RunWriter::make_key()
{
    const auto shape = classify::shape_of(set_.largest);
    words_.assign(shape.words, {});
    for (std::size_t d = 0; d < values_.size(); ++d) {
        const auto [word, shift] = shape.lanes[d];
        const auto part = shift == 0 ? values_[d] : e_.binary(ir::Op::shl, values_[d], shift);
        words_[word] = words_[word].valid() ? e_.binary(ir::Op::bit_or, words_[word], part) : part;
    }
}

ir::SlotId RunWriter::cache_slot()
{
    auto hash = words_[0];
    for (std::size_t i = 1; i < words_.size(); ++i)
        hash = e_.binary(ir::Op::bit_xor, hash, e_.binary(ir::Op::mul, words_[i], e_.constant(golden)));
    const auto spread = e_.binary(ir::Op::mul, hash, e_.constant(golden));
    auto index = e_.binary(ir::Op::shr, spread, 64 - std::countr_zero(cached_flows), cached_flows - 1);
    if (class_ != 0) // the same key in another tree has another entry
        index = e_.binary(ir::Op::bit_xor, index, class_ % cached_flows, cached_flows - 1);
    const auto slot = e_.slot_of(Emitter::SlotUse::key, 4);
    e_.store(slot, 0, 4, ir::Order::little, index);
    return slot;
}

void RunWriter::write_tables(std::string why)
{
    // A set that takes the place of one from a file is walked by the same code.
    constexpr std::uint32_t nodes_of_any_table = 48;
    constexpr std::uint32_t candidates_of_any_table = 128;
    // The kernel's verifier walks the tests of a leaf once for each rule that one can have.
    constexpr std::uint32_t most_in_leaf = 2000;
    const bool replaceable = run_.table != nullptr;
    classify::TreeOptions options{
        .leaf = 8, .eagerness = 2.6, .most_entries = most_table_entries, .widest = most_in_leaf};
    if (replaceable)
        options.widest = candidates_of_any_table - 1, options.deepest = nodes_of_any_table - 1;
    const auto tree = classify::build_tree(set_, options);
    if (tree.widest > options.widest && !replaceable)
        return in_a_row(fmt::format("{} of them can match the same packet", tree.widest));
    if (tree.widest > options.widest || tree.depth > options.deepest)
        e_.diagnostics_
            .report(Kind::too_large, node_.span, e_.source_.name,
                    fmt::format("{} rules of '{}' can match the same packet, and rules from a file are walked up to {}",
                                tree.widest, run_.table->file, options.widest))
            .suggest("the same rules in the source: match … -> …");
    auto codes = codes_of_actions();
    if (!codes)
        return in_a_row("there are more of them than tables can count, or no map is left for those");
    most_nodes_ = replaceable ? nodes_of_any_table : static_cast<std::uint32_t>(tree.depth + 1);
    most_candidates_ = replaceable ? candidates_of_any_table : static_cast<std::uint32_t>(tree.widest + 1);
    const auto steps = steps_to_verify();
    if (!replaceable && e_.tables_.steps + steps > most_steps)
        return in_a_row(fmt::format("{} of them can match the same packet, which as tables the kernel's verifier "
                                    "would follow for too long",
                                    tree.widest));
    e_.tables_.steps += steps;
    note(tree, RunForm::Kind::tables, std::move(why));
    e_.tables_.replaceable = e_.tables_.replaceable || replaceable;
    load_fields();
    class_ = e_.tables_.add(e_, {tree, set_, std::move(*codes), {}});
    const auto code = start_decision();
    make_key();
    head_ = load_map(table({}), 0, 8);
    const auto entry = e_.lookup(e_.tables_.cache_for(e_, words_.size()), cache_slot());
    const auto found = e_.new_block();
    const auto missing = e_.new_block();
    e_.branch(ir::Cond::ne, entry, 0, e_.to(found), e_.to(missing));
    e_.start(missing);
    e_.give(XDP_ABORTED); // an array has every index below its size: only the kernel's verifier comes here
    e_.start(found);
    const auto walk = ask_cache(entry);
    e_.start(walk);
    walk_tables(entry);
    e_.start(decide_);
    dispatch(code);
}

// Goes to the decision where the entry is about this key; otherwise to the block that is returned.
ir::BlockId RunWriter::ask_cache(ir::ValueId entry)
{
    const auto said = load_map(entry, 0, 8);
    const auto generation = e_.binary(ir::Op::bit_and, head_, ~std::uint64_t{UINT32_MAX});
    tag_ = e_.binary(ir::Op::bit_or, generation, std::uint64_t{class_} << code_bits);
    auto differs = e_.binary(ir::Op::shr, e_.binary(ir::Op::bit_xor, said, tag_), code_bits);
    for (std::size_t i = 0; i < words_.size(); ++i)
        differs =
            e_.binary(ir::Op::bit_or, differs,
                      e_.binary(ir::Op::bit_xor, load_map(entry, static_cast<std::uint32_t>(8 + 8 * i), 8), words_[i]));
    const auto same = e_.new_block();
    const auto other = e_.new_block();
    e_.branch(ir::Cond::eq, differs, 0, e_.to(same), e_.to(other));
    e_.start(same);
    e_.jump({decide_, {e_.binary(ir::Op::bit_and, said, code_mask, code_mask)}});
    return other;
}

// A loop's head with a number that counts down beside what it goes round with; the block that is left is its body.
RunWriter::Loop RunWriter::loop(ir::ValueId first, std::uint32_t rounds)
{
    Loop made;
    made.at = e_.program_.add_value(ir::ValueKind::number);
    made.left = e_.program_.add_value(ir::ValueKind::number, rounds);
    made.rounds = rounds;
    const auto most = e_.constant(rounds);
    made.head = e_.new_block();
    auto &head = e_.program_.blocks[made.head];
    head.params = {made.at, made.left};
    head.rounds = rounds;
    e_.jump({made.head, {first, most}});
    e_.start(made.head);
    return made;
}

// Behind the test that ends a loop: another round, or, after more of them than the tables have, no verdict.
void RunWriter::next_round(const Loop &loop)
{
    const auto more = e_.new_block();
    const auto too_many = e_.new_block();
    e_.branch(ir::Cond::ne, loop.left, 0, e_.to(more), e_.to(too_many));
    e_.start(too_many);
    e_.give(XDP_ABORTED);
    e_.start(more);
}

void RunWriter::again(const Loop &loop, ir::ValueId at)
{
    e_.jump({loop.head, {at, e_.binary(ir::Op::sub, loop.left, 1, loop.rounds)}});
}

void RunWriter::walk_tables(ir::ValueId entry)
{
    const auto set = e_.binary(ir::Op::bit_and, head_, UINT32_MAX, UINT32_MAX);
    const auto root = load_map(table(set), 4 * class_, 4);
    const Loop nodes = loop(root, most_nodes_);
    const auto at_leaf = e_.new_block();
    const auto at_node = e_.new_block();
    e_.branch(ir::Cond::set, nodes.at, 1, e_.to(at_leaf), e_.to(at_node));
    e_.start(at_node);
    next_round(nodes);
    again(nodes, child_of(table(e_.binary(ir::Op::add, set, nodes.at))));

    e_.start(at_leaf);
    const Loop entries = loop(e_.binary(ir::Op::sub, nodes.at, 1), most_candidates_);
    const auto one = load_map(table(e_.binary(ir::Op::add, set, entries.at)), 0, 4);
    const auto last = e_.new_block();
    const auto rule = e_.new_block();
    const auto decided = e_.new_block();
    const auto code = e_.program_.add_value(ir::ValueKind::number, UINT32_MAX);
    e_.program_.blocks[decided].params.push_back(code);
    e_.branch(ir::Cond::set, one, 1, e_.to(last), e_.to(rule));
    e_.start(last);
    e_.jump({decided, {e_.binary(ir::Op::shr, one, 1)}});
    e_.start(rule);
    next_round(entries);
    const auto matched = e_.new_block();
    const auto other = e_.new_block();
    const auto place = table(e_.binary(ir::Op::add, set, one));
    e_.branch(ir::Cond::eq, e_.binary(ir::Op::shr, outside(place), 63), 0, e_.to(matched), e_.to(other));
    e_.start(matched);
    e_.jump({decided, {load_map(place, classify::rule_action(values_.size()), 4)}});
    e_.start(other);
    again(entries, e_.binary(ir::Op::add, entries.at, 4));

    e_.start(decided);
    remember(entry, code);
    e_.jump({decide_, {code}});
}

// Without a jump: which child it is, is as good as random.
ir::ValueId RunWriter::child_of(ir::ValueId node)
{
    const auto words = static_cast<std::uint32_t>(words_.size());
    const auto numbers = classify::node_numbers(words);
    ir::ValueId masked;
    for (std::uint32_t i = 0; i < words; ++i) {
        const auto part = e_.binary(ir::Op::bit_and, load_map(node, 8 * i, 8), words_[i]);
        masked = masked.valid() ? e_.binary(ir::Op::bit_or, masked, part) : part;
    }
    const auto number = e_.binary(ir::Op::shr, masked, load_map(node, numbers, 4));
    const auto beyond = e_.binary(ir::Op::shr, e_.binary(ir::Op::sub, load_map(node, numbers + 4, 4), number), 63);
    return load_map(element(node, e_.binary(ir::Op::shl, beyond, 2), 7), numbers + 8, 4);
}

// The highest bit is set where a number lies outside the rule.
ir::ValueId RunWriter::outside(ir::ValueId rule)
{
    ir::ValueId sum;
    for (std::size_t d = 0; d < values_.size(); ++d) {
        const auto offset = static_cast<std::uint32_t>(8 * d);
        const auto below = e_.binary(ir::Op::sub, values_[d], load_map(rule, offset, 4));
        const auto above = e_.binary(ir::Op::sub, load_map(rule, offset + 4, 4), values_[d]);
        const auto either = e_.binary(ir::Op::bit_or, below, above);
        sum = sum.valid() ? e_.binary(ir::Op::bit_or, sum, either) : either;
    }
    return sum;
}

void RunWriter::remember(ir::ValueId entry, ir::ValueId code)
{
    const Sink to(entry);
    e_.store(to, 0, 8, ir::Order::little, e_.binary(ir::Op::bit_or, tag_, code));
    for (std::size_t i = 0; i < words_.size(); ++i)
        e_.store(to, static_cast<std::uint32_t>(8 + 8 * i), 8, ir::Order::little, words_[i]);
}

void RunWriter::dispatch(ir::ValueId code)
{
    if (counting_) {
        const auto index = e_.binary(ir::Op::shr, code, counter_shift(), code_mask >> counter_shift());
        code = e_.binary(ir::Op::bit_and, code, (1U << counter_shift()) - 1, (1U << counter_shift()) - 1);
        const auto counted = e_.new_block();
        const auto behind = e_.new_block();
        e_.branch(ir::Cond::ne, index, 0, e_.to(counted), e_.to(behind));
        e_.start(counted);
        count(e_.binary(ir::Op::sub, index, 1, code_mask));
        e_.jump(e_.to(behind));
        e_.start(behind);
    }
    std::vector<std::uint32_t> codes;
    for (std::size_t i = 0; i < targets_.size(); ++i)
        if (jump_code(i) >= first_jump)
            codes.push_back(jump_code(i));
    dispatch(code, codes);
}

// One of these, in ascending order, or a verdict.
void RunWriter::dispatch(ir::ValueId code, std::span<const std::uint32_t> codes)
{
    constexpr std::size_t few = 4;
    if (codes.size() > few) {
        const auto half = codes.size() / 2;
        const auto below = e_.new_block();
        const auto from = e_.new_block();
        e_.branch(ir::Cond::lt, code, codes[half], e_.to(below), e_.to(from));
        e_.start(below);
        dispatch(code, codes.first(half));
        e_.start(from);
        return dispatch(code, codes.subspan(half));
    }
    for (const auto one : codes) {
        const auto next = e_.new_block();
        e_.branch(ir::Cond::eq, code, one, edge_to({targets_[one - first_jump], {}}), e_.to(next));
        e_.start(next);
    }
    auto &end = e_.program_.blocks[e_.block_].end;
    end.kind = ir::Terminator::Kind::return_;
    end.a = code;
    end.span = e_.span_;
}

// ---- The maps, shared by all runs of a program ---------------------------------------------------------------------

std::uint32_t ProgramTables::add(Emitter &e, Contents contents)
{
    if (!map.valid()) {
        MapSpec spec{.name = free_map_name(e.maps_, rule_tables::map_name),
                     .kind = MapKind::array,
                     .max_entries = 1,
                     .span = e.source_.span,
                     .data = true,
                     .internal = true};
        spec.key = {"", 4, {{"", FieldFormat::number, 0, 4, false}}};
        map = MapId(e.maps_.size());
        e.maps_.push_back(std::move(spec));
    }
    contents_.push_back(std::move(contents));
    return static_cast<std::uint32_t>(contents_.size() - 1);
}

MapId ProgramTables::cache_for(Emitter &e, std::size_t words)
{
    const auto [at, is_new] = caches_.try_emplace(words, MapId(e.maps_.size()));
    if (is_new) {
        MapSpec spec{.name = free_map_name(e.maps_, fmt::format("xdpf_flows{}", words)),
                     .kind = MapKind::percpu_array,
                     .max_entries = cached_flows,
                     .span = e.source_.span,
                     .internal = true};
        spec.key = {"", 4, {{"", FieldFormat::number, 0, 4, false}}};
        spec.value.name = spec.name + "_value";
        spec.value.fields.push_back({"tag", FieldFormat::number, 0, 8});
        for (std::uint32_t i = 0; i < words; ++i)
            spec.value.fields.push_back({fmt::format("key{}", i), FieldFormat::number, 8 + 8 * i, 8});
        spec.value.size = static_cast<std::uint32_t>(8 + 8 * words);
        e.maps_.push_back(std::move(spec));
    }
    return at->second;
}

std::uint32_t ProgramTables::add(Emitter &e, std::vector<std::byte> bytes)
{
    const auto same = std::ranges::find(contents_, bytes, &Contents::bytes);
    if (same != contents_.end())
        return static_cast<std::uint32_t>(same - contents_.begin());
    return add(e, Contents{{}, {}, {}, std::move(bytes)});
}

// All runs are written: puts the tables into the map, and the map's size into the instructions.
void ProgramTables::finish(ir::Program &program, std::vector<MapSpec> &maps, std::uint32_t bytes)
{
    if (!map.valid())
        return;
    classify::TableWriter writer(contents_.size());
    std::vector<std::uint32_t> begins(contents_.size());
    for (std::size_t i = 0; i < contents_.size(); ++i)
        if (contents_[i].bytes.empty())
            writer.add(i, contents_[i].tree, contents_[i].set, contents_[i].codes);
        else
            begins[i] = rule_tables::head_size + writer.add(i, contents_[i].bytes);
    const auto set = std::move(writer).take();
    const std::uint32_t sets = replaceable ? 2 : 1;
    std::size_t fixed = 0; // of which no more will be needed
    for (const Contents &one : contents_)
        fixed += one.bytes.size();
    const std::size_t least_room = fixed + 32'000; // for some hundred rules where there are few now
    const std::size_t used =
        rule_tables::head_size + (replaceable ? std::max(set.size(), least_room) : set.size()) * sets;
    constexpr std::size_t slack = 512; // a node or a rule that begins at the last byte
    const std::uint64_t mask = (replaceable && bytes > slack ? bytes - slack : std::bit_ceil(used)) - 1;
    MapSpec &spec = maps[map.value];
    std::uint64_t reach = anywhere ? mask + 1 : used;
    for (std::size_t i = 0; i < contents_.size() && !replaceable; ++i)
        reach = std::max<std::uint64_t>(reach, begins[i] + std::bit_ceil(contents_[i].bytes.size()));
    spec.initial.resize(reach + slack);
    const auto room = static_cast<std::uint32_t>((reach - rule_tables::head_size) / sets & ~std::uint64_t{7});
    overflow = set.size() > room ? set.size() : 0;
    const auto put = [&](std::size_t at, std::uint32_t number) {
        for (std::size_t i = 0; i < sizeof number; ++i)
            spec.initial[at + i] = static_cast<std::byte>(number >> (8 * i));
    };
    put(rule_tables::active_at, rule_tables::head_size);
    put(rule_tables::generation_at, 1);
    put(rule_tables::room_at, room);
    put(rule_tables::sets_at, sets);
    if (overflow == 0)
        std::ranges::copy(set, spec.initial.begin() + rule_tables::head_size);
    const auto size = static_cast<std::uint32_t>(spec.initial.size());
    spec.value = {"", size, {{"", FieldFormat::bytes, 0, size}}};
    for (ir::Block &block : program.blocks)
        for (ir::Inst &inst : block.insts)
            if (inst.op == ir::Op::element && inst.imm == not_placed)
                inst.imm = mask;
            else if (inst.op == ir::Op::map_value && inst.map == map && inst.imm >= not_begun)
                inst.imm = begins[inst.imm - not_begun];
}

} // namespace xdpf::lowering
