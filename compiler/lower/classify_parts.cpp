// Which rules of a run get a table of their own.
#include "compiler/lower/run_writer.hpp"

#include <algorithm>

namespace xdpf::lowering {
namespace {

constexpr std::size_t fewest_points = 24;    // fewer are no faster than as a tree
constexpr std::size_t fewest_intervals = 12; // likewise
constexpr std::size_t most_tables = 4;       // of one run: each costs what a lookup takes

using Fields = std::vector<std::pair<sema::HeaderRef, std::size_t>>;

struct Stretch {
    Fields fields;
    RunPart part;
    std::size_t numbers = 0; // or intervals
};

// The fields that a rule asks for, each once; nothing where it asks for one again.
std::optional<Fields> fields_of(const RunRule &rule)
{
    Fields fields;
    for (const RunTest &test : rule.tests)
        fields.emplace_back(test.field.header, test.field.field);
    std::ranges::sort(fields);
    const bool twice = std::ranges::adjacent_find(fields) != fields.end();
    return fields.empty() || twice ? std::nullopt : std::optional(std::move(fields));
}

bool is_point(const RunRule &rule)
{
    return std::ranges::all_of(rule.tests, [](const RunTest &test) {
        return test.intervals.size() == 1 && test.intervals[0].first == test.intervals[0].last;
    });
}

RunPart::Kind kind_of(const sema::Unit &unit, const RunRule &rule, const Fields &fields)
{
    const auto &[header, number] = fields.front();
    const sema::Field &field = unit.headers[header.header].fields[number];
    if (fields.size() == 1 && field.bits <= widest_interval && !field.floating())
        return RunPart::Kind::intervals;
    return is_point(rule) ? RunPart::Kind::points : RunPart::Kind::mixed;
}

// Rules that can share a table stand together.
std::vector<Stretch> stretches_of(const sema::Unit &unit, const std::vector<const RunRule *> &rules)
{
    std::vector<Stretch> out;
    for (const RunRule *rule : rules) {
        const auto fields = fields_of(*rule);
        const auto kind = fields ? kind_of(unit, *rule, *fields) : RunPart::Kind::mixed;
        if (kind == RunPart::Kind::mixed || out.empty() || out.back().part.kind != kind || out.back().fields != *fields)
            out.push_back({fields.value_or(Fields{}), {{}, kind}});
        Stretch &last = out.back();
        last.part.rules.push_back(rule);
        last.numbers += kind == RunPart::Kind::intervals ? rule->tests.front().intervals.size() : 1;
    }
    for (Stretch &one : out)
        if (one.part.kind == RunPart::Kind::intervals &&
            std::ranges::all_of(one.part.rules, [](const RunRule *rule) { return rule->counted && is_point(*rule); }))
            one.part.kind = RunPart::Kind::points; // in a hash table it is known sooner which is to be counted
    return out;
}

} // namespace

std::vector<RunPart> split_parts(const sema::Unit &unit, const std::vector<const RunRule *> &rules)
{
    auto stretches = stretches_of(unit, rules);
    std::vector<std::size_t> sizes;
    for (const Stretch &one : stretches)
        sizes.push_back(one.part.kind == RunPart::Kind::mixed ? 0 : one.numbers);
    std::ranges::sort(sizes, std::greater());
    const std::size_t least = sizes.size() > most_tables ? sizes[most_tables] + 1 : 0;
    std::vector<RunPart> out;
    std::size_t done = 0; // of the rules
    for (auto &[fields, part, numbers] : stretches) {
        const auto fewest = part.kind == RunPart::Kind::points ? fewest_points : fewest_intervals;
        done += part.rules.size();
        const auto before = out.empty() || out.back().kind != RunPart::Kind::mixed ? 0 : out.back().rules.size();
        const auto behind = rules.size() - done;
        // Of many others, all in one table: what is in the cache of flows is found there once, and not twice.
        const bool amid_many = before > 0 && behind > 0 && before + behind > numbers && rules.size() > most_in_code;
        if (numbers < std::max(least, fewest) || (part.kind == RunPart::Kind::intervals && amid_many))
            part.kind = RunPart::Kind::mixed;
        if (out.empty() || part.kind != RunPart::Kind::mixed || out.back().kind != RunPart::Kind::mixed)
            out.push_back(std::move(part));
        else
            std::ranges::move(part.rules, std::back_inserter(out.back().rules));
    }
    if (out.empty())
        out.emplace_back();
    return out;
}

} // namespace xdpf::lowering
