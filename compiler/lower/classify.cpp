// Runs of many rules. When a run is reached, it is known which of its headers the packet has; the rules that ask for
// another are left out, and what remains are boxes in a space of a few fields. Few of them are tested one after the
// other; more become a tree of comparisons, with the fields in registers.
#include "compiler/lower/run_writer.hpp"

#include <algorithm>

namespace xdpf::lowering {

namespace {

constexpr std::size_t few = 6;                  // rules, tested in a row
constexpr std::size_t most_code_entries = 4000; // of the tree: some 15,000 instructions
constexpr std::size_t widest_in_code = 16;      // of its leaves
constexpr std::size_t most_boxes = 64;          // of one rule whose sets have several intervals each
constexpr std::uint32_t widest = 32;            // bits of a dimension
constexpr std::size_t most_dimensions = 16;     // addresses of IPv6 are four each

std::vector<std::uint32_t> part_bits(const sema::Field &field)
{
    std::vector<std::uint32_t> out;
    for (auto left = field.bits; left > 0; left -= out.back())
        out.push_back(std::min(left, widest));
    return out;
}

using Numbers = std::vector<classify::Range>; // by part of a field

// False where nothing is left.
bool narrow(classify::Rule &rule, std::size_t first_dimension, const Numbers &to)
{
    for (std::size_t i = 0; i < to.size(); ++i) {
        classify::Range &range = rule.ranges[first_dimension + i];
        range.first = std::max(range.first, to[i].first);
        range.last = std::min(range.last, to[i].last);
        if (range.first > range.last)
            return false;
    }
    return true;
}

// The boxes that an interval of a field's numbers is in the space of its parts, which have these bits.
void split(sema::u128 first, sema::u128 last, std::span<const std::uint32_t> bits, const Numbers &before,
           std::vector<Numbers> &out)
{
    if (bits.empty()) {
        out.push_back(before);
        return;
    }
    std::uint32_t below = 0;
    for (const auto more : bits.subspan(1))
        below += more;
    const sema::u128 mask = (sema::u128{1} << below) - 1;
    auto from = static_cast<std::uint64_t>(first >> below);
    auto to = static_cast<std::uint64_t>(last >> below);
    const auto put = [&](std::uint64_t begin, std::uint64_t end, sema::u128 rest_first, sema::u128 rest_last) {
        Numbers numbers = before;
        numbers.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
        split(rest_first, rest_last, bits.subspan(1), numbers, out);
    };
    if (from == to)
        return put(from, to, first & mask, last & mask);
    if ((first & mask) != 0) {
        put(from, from, first & mask, mask);
        ++from;
    }
    if ((last & mask) != mask) {
        put(to, to, 0, last & mask);
        --to;
    }
    if (from <= to)
        put(from, to, 0, mask);
}

} // namespace

void RunWriter::write()
{
    find_rules();
    if (run_.table == nullptr)
        write_parts();
    else
        write_run();
    write_counts();
}

// Stretches of rules that ask for the same fields become tables of their own.
void RunWriter::write_parts()
{
    const auto parts = split_parts(e_.unit_, rules_);
    const Outcome behind_all = otherwise_;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const bool last = i + 1 == parts.size();
        rules_ = parts[i].rules;
        next_ = last ? ir::BlockId() : e_.new_block();
        otherwise_ = last ? behind_all : Outcome{};
        forget_fields();
        const auto kind = parts[i].kind;
        const bool written = (kind == RunPart::Kind::points && write_points()) ||
                             (kind == RunPart::Kind::intervals && write_intervals());
        if (!written) {
            forget_fields();
            write_run();
        }
        if (!last)
            e_.start(next_);
    }
}

void RunWriter::write_run()
{
    const bool tabled = run_.table != nullptr && find_table_fields();
    if (!find_boxes())
        return in_a_row("one of them is too many boxes of numbers, or they ask for too many fields");
    if (!tabled && set_.rules.size() <= few)
        return in_a_row(fmt::format("up to {} rules are fastest so", few));
    if (tabled)
        return write_tables("rules from a file can be replaced while the program runs");
    if (set_.rules.size() <= most_in_code) {
        const auto tree = classify::build_tree(set_, {.leaf = 3, .eagerness = 3, .most_entries = most_code_entries});
        if (tree.widest <= widest_in_code)
            return write_tree(tree);
    }
    write_tables("as code they would be too large");
}

// The dimensions of a table are the same whatever its rules ask for. Nothing where the packet has none of them.
bool RunWriter::find_table_fields()
{
    for (const auto &[header, number] : run_.table->fields) {
        if (known_[e_.facts_.find({Fact::Kind::present, header.header, header.index})] != Truth::yes)
            continue;
        if (!dimension_of({header, number})) {
            forget_fields();
            return false;
        }
    }
    set_.otherwise = action_of(otherwise_);
    (void)action_of({run_.xsk, {}});
    return !parts_.empty();
}

void RunWriter::note(RunForm form)
{
    if (e_.options_.forms == nullptr)
        return;
    form.program = e_.source_.name;
    for (const FactId fact : node_.asked.looks)
        if (known_[fact] == Truth::yes) {
            const auto &name = e_.unit_.headers[e_.facts_[fact].header].name;
            if (form.headers.find(name) == std::string::npos)
                form.headers += fmt::format("{}{}", form.headers.empty() ? "" : ", ", name);
        }
    e_.options_.forms->push_back(std::move(form));
}

// The alternatives of a rule stand side by side.
std::size_t RunWriter::written_rules() const
{
    std::size_t count = 0;
    for (std::size_t i = 0; i < rules_.size(); ++i)
        count += i == 0 || rules_[i]->head != rules_[i - 1]->head ? 1 : 0;
    return count;
}

void RunWriter::note(const classify::Tree &tree, RunForm::Kind kind, std::string why)
{
    note({.kind = kind,
          .rules = written_rules(),
          .fields = dimensions_.size(),
          .depth = tree.depth,
          .widest = tree.widest,
          .entries = tree.entries,
          .why = std::move(why)});
}

const ir::Edge &RunWriter::edge_to(const Outcome &outcome)
{
    if (!outcome.target.valid())
        return behind_ = e_.to(next_);
    const auto [at, is_new] = edges_.try_emplace(outcome);
    if (!is_new)
        return at->second;
    if (outcome.counted) {
        at->second = e_.to(e_.new_block());
        to_count_.emplace_back(at->second.target, outcome);
    } else {
        at->second = e_.go(outcome.target, known_);
    }
    return at->second;
}

void RunWriter::count(ir::ValueId index)
{
    const auto slot = e_.slot_of(Emitter::SlotUse::key, 4);
    e_.store(slot, 0, 4, ir::Order::little, index);
    const auto entry = e_.lookup(e_.source_.counters, slot);
    const auto found = e_.new_block();
    const auto counted = e_.new_block();
    e_.branch(ir::Cond::ne, entry, 0, e_.to(found), e_.to(counted)); // there is an entry for each rule
    e_.start(found);
    e_.count_up(e_.unit_.maps[e_.source_.counters], entry);
    e_.jump(e_.to(counted));
    e_.start(counted);
}

// Rules that go on with the same node are counted by the same code.
void RunWriter::write_counts()
{
    std::map<NodeId, ir::BlockId> counting;
    for (const auto &[block, outcome] : to_count_) {
        const auto [at, is_new] = counting.try_emplace(outcome.target);
        if (is_new) {
            at->second = e_.new_block();
            const auto index = e_.program_.add_value(ir::ValueKind::number, UINT32_MAX);
            e_.program_.blocks[at->second].params.push_back(index);
            e_.start(at->second);
            count(index);
            e_.jump(e_.go(outcome.target, known_));
        }
        e_.start(block);
        e_.jump({at->second, {e_.constant(*outcome.counted)}});
    }
}

// Those that this packet can match; behind one that it matches for sure no other is looked at.
void RunWriter::find_rules()
{
    for (const RunRule &rule : run_.rules) {
        if (std::ranges::any_of(rule.presents, [&](FactId fact) { return known_[fact] != Truth::yes; }) ||
            std::ranges::any_of(rule.absents, [&](FactId fact) { return known_[fact] == Truth::yes; }))
            continue;
        if (rule.tests.empty() && run_.table == nullptr) { // a table's code does not depend on its rules
            otherwise_ = outcome_of(rule);
            break;
        }
        rules_.push_back(&rule);
    }
}

// The first dimension of the field; nothing where it cannot be one.
std::optional<std::size_t> RunWriter::dimension_of(const sema::FieldValue &of)
{
    const auto [at, is_new] = dimensions_.try_emplace({of.header, of.field}, parts_.size());
    if (!is_new)
        return at->second;
    const sema::Field &field = e_.unit_.headers[of.header.header].fields[of.field];
    if (field.floating() || (field.bits > widest && field.little_endian) ||
        parts_.size() + part_bits(field).size() > most_dimensions)
        return std::nullopt;
    auto begin = field.bit_offset;
    for (const auto bits : part_bits(field)) {
        Part part{of.header, field};
        part.field.bit_offset = begin;
        part.field.bits = bits;
        set_.largest.push_back(static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1));
        parts_.push_back(std::move(part));
        begin += bits;
    }
    return at->second;
}

bool RunWriter::find_boxes()
{
    for (const RunRule *rule : rules_)
        for (const RunTest &test : rule->tests)
            if (!dimension_of(test.field))
                return false;
    set_.otherwise = action_of(otherwise_);
    return std::ranges::all_of(rules_, [&](const RunRule *rule) { return add_boxes(*rule); });
}

void RunWriter::forget_fields()
{
    dimensions_.clear();
    parts_.clear();
    values_.clear();
    actions_.clear();
    numbers_.clear();
    targets_.clear();
    target_numbers_.clear();
    counting_ = false;
    set_ = {};
}

std::uint32_t RunWriter::action_of(const Outcome &outcome)
{
    const auto [at, is_new] = numbers_.try_emplace(outcome, static_cast<std::uint32_t>(actions_.size()));
    if (is_new) {
        actions_.push_back(outcome);
        if (target_numbers_.try_emplace(outcome.target, targets_.size()).second)
            targets_.push_back(outcome.target);
        counting_ = counting_ || outcome.counted;
    }
    return at->second;
}

// A box for each combination of the intervals of its sets.
bool RunWriter::add_boxes(const RunRule &rule)
{
    classify::Rule box{{}, action_of(outcome_of(rule))};
    for (const auto largest : set_.largest)
        box.ranges.push_back({0, largest});
    std::vector<classify::Rule> boxes{box};
    for (const RunTest &test : rule.tests) {
        const auto first = *dimension_of(test.field);
        const auto bits = part_bits(e_.unit_.headers[test.field.header.header].fields[test.field.field]);
        std::vector<Numbers> wanted;
        for (const auto &[from, to] : test.intervals)
            split(from, to, bits, {}, wanted);
        std::vector<classify::Rule> narrowed;
        for (const auto &one : boxes)
            for (const Numbers &numbers : wanted)
                if (auto both = classify::Rule(one); narrow(both, first, numbers))
                    narrowed.push_back(std::move(both));
        boxes = std::move(narrowed);
        if (boxes.size() > most_boxes)
            return false;
    }
    std::ranges::move(boxes, std::back_inserter(set_.rules));
    return true;
}

// Every test reads its field again: a field that stays in a register tells the kernel's verifier more with each test,
// so that no two of its states are alike.
void RunWriter::in_a_row(std::string why)
{
    note({.kind = RunForm::Kind::row, .rules = written_rules(), .why = std::move(why)});
    for (const RunRule *rule : rules_) {
        e_.span_ = rule->head;
        if (rule->tests.empty())
            return e_.jump(edge_to(outcome_of(*rule)));
        const auto next = e_.new_block();
        for (std::size_t i = 0; i < rule->tests.size(); ++i) {
            const bool last = i + 1 == rule->tests.size();
            const auto then = last ? ir::BlockId() : e_.new_block();
            const auto &yes = last ? edge_to(outcome_of(*rule)) : e_.to(then);
            const RunTest &test = rule->tests[i];
            e_.test(test.pred, {.known = &known_}, test.negated ? e_.to(next) : yes, test.negated ? yes : e_.to(next));
            if (!last)
                e_.start(then);
        }
        e_.start(next);
    }
    e_.jump(edge_to(otherwise_));
}

void RunWriter::load_fields()
{
    for (const Part &part : parts_)
        values_.push_back(
            e_.field(e_.unit_.headers[part.header.header], part.field, e_.start_of(part.header, {.known = &known_})));
}

void RunWriter::write_tree(const classify::Tree &tree)
{
    note(tree, RunForm::Kind::tree, "few enough for code, and too many for a row");
    load_fields();
    std::vector<ir::BlockId> nodes;
    std::vector<ir::BlockId> leaves;
    for (std::size_t i = 0; i < tree.nodes.size(); ++i)
        nodes.push_back(e_.new_block());
    for (std::size_t i = 0; i < tree.leaves.size(); ++i)
        leaves.push_back(e_.new_block());
    const auto block_of = [&](classify::Place place) {
        return e_.to(place.is_leaf ? leaves[place.index] : nodes[place.index]);
    };
    e_.jump(block_of(tree.root));
    for (std::size_t i = 0; i < tree.nodes.size(); ++i) {
        const classify::Node &node = tree.nodes[i];
        e_.start(nodes[i]);
        e_.branch(ir::Cond::lt, values_[node.dimension], node.threshold, block_of(node.below), block_of(node.from));
    }
    for (std::size_t i = 0; i < tree.leaves.size(); ++i) {
        e_.start(leaves[i]);
        write_leaf(tree.leaves[i]);
    }
}

void RunWriter::write_leaf(const classify::Leaf &leaf)
{
    for (const classify::Candidate &candidate : leaf.candidates) {
        const classify::Rule &rule = set_.rules[candidate.rule];
        std::vector<std::size_t> open;
        for (std::size_t d = 0; d < parts_.size(); ++d)
            if ((candidate.open >> d & 1) != 0)
                open.push_back(d);
        // What fewest packets pass comes first.
        std::ranges::stable_sort(open, {}, [&](std::size_t d) {
            const classify::Range &range = rule.ranges[d];
            return static_cast<double>(range.last - range.first) / set_.largest[d];
        });
        const auto next = e_.new_block();
        for (std::size_t i = 0; i < open.size(); ++i) {
            const bool last = i + 1 == open.size();
            const auto then = last ? ir::BlockId() : e_.new_block();
            const classify::Range &range = rule.ranges[open[i]];
            e_.test_interval(values_[open[i]], {range.first, range.last}, set_.largest[open[i]],
                             last ? edge_to(actions_[rule.action]) : e_.to(then), e_.to(next));
            if (!last)
                e_.start(then);
        }
        e_.start(next);
    }
    e_.jump(edge_to(actions_[leaf.otherwise]));
}

// No name of a map in the source, nor of another that the compiler made.
void Emitter::emit_run(NodeId id, const Knowledge &known) { RunWriter(*this, id, known).write(); }

} // namespace xdpf::lowering
