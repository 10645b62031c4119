#include "compiler/split.hpp"

#include "compiler/cut.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace xdpf {
namespace {

constexpr double filled = 0.9; // of a part: the next measurement shall find it within the limits

void add_table(sema::Unit &unit)
{
    MapSpec spec{
        .name = free_map_name(unit.maps, "programs"), .kind = MapKind::prog_array, .span = unit.programs.front().span};
    spec.key = spec.value = {"", 4, {{"", FieldFormat::number, 0, 4, false}}};
    unit.program_table = unit.maps.add(std::move(spec));
}

// Programs and maps are symbols of one object.
class Names {
public:
    explicit Names(const sema::Unit &unit)
    {
        for (const sema::Program &program : unit.programs)
            taken_.insert(program.name);
        for (const MapSpec &map : unit.maps)
            taken_.insert(map.name);
    }
    std::string of_part(const std::string &program, std::size_t number)
    {
        for (std::string tail = fmt::format("__{}", number);; tail.insert(0, "_")) {
            const std::string name = program.substr(0, longest_kernel_name - tail.size()) + tail;
            if (taken_.insert(name).second)
                return name;
        }
    }

private:
    std::set<std::string, std::less<>> taken_;
};

} // namespace

std::string too_many_in_a_row(std::size_t programs)
{
    return fmt::format("about {} programs would follow each other, and the kernel lets {}", programs, most_in_a_row);
}

std::vector<std::size_t> SplitPrograms::parts_of(std::size_t program) const
{
    std::vector<std::size_t> out;
    for (std::size_t i = 0; i < parts.size(); ++i)
        if (parts[i].of == program)
            out.push_back(i);
    return out;
}

Splitter::Splitter(sema::Unit &unit) : unit_(unit)
{
    for (std::size_t i = 0; i < unit.programs.size(); ++i) {
        sources_.push_back({.weights = guessed_weights(unit, unit.programs[i].rules)});
        result_.parts.push_back({.of = i, .end = sources_[i].weights.size()});
    }
}

bool Splitter::divide(std::span<const Share> shares)
{
    for (std::size_t program = 0; program < sources_.size(); ++program) {
        const auto beyond = [&](std::size_t part) { return shares[part].value_or(0) > 1; };
        if (std::ranges::any_of(result_.parts_of(program), beyond) && !divide(program, shares))
            return false;
    }
    if (!unit_.program_table.valid())
        add_table(unit_);
    cut();
    return true;
}

// What was measured corrects the weights; then there are as many parts as these ask for.
bool Splitter::divide(std::size_t program, std::span<const Share> shares)
{
    Source &source = sources_[program];
    for (const std::size_t i : result_.parts_of(program)) {
        const SplitPrograms::Part &part = result_.parts[i];
        if (!shares[i])
            continue;
        if (*shares[i] > 1 && part.end - part.begin < 2) {
            why_not_ = "one of its rules alone is too much";
            return false;
        }
        const std::span weights = std::span(source.weights).subspan(part.begin, part.end - part.begin);
        const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
        for (double &weight : weights) // which are above 0
            weight *= *shares[i] / sum;
    }
    const double sum = std::accumulate(source.weights.begin(), source.weights.end(), 0.0);
    source.parts = std::max(static_cast<std::size_t>(std::ceil(sum / filled)), source.parts + 1);
    if (source.parts <= most_in_a_row)
        return true;
    why_not_ = too_many_in_a_row(source.parts);
    return false;
}

void Splitter::cut()
{
    result_.programs = unit_.programs;
    result_.parts.resize(unit_.programs.size());
    Names names(unit_);
    for (std::size_t program = 0; program < sources_.size(); ++program) {
        const sema::Program &whole = unit_.programs[program];
        if (sources_[program].parts == 1)
            continue;
        const std::size_t first_slot = result_.programs.size(); // of the second part
        auto pieces = cut_rules(whole, sources_[program].weights, sources_[program].parts, first_slot);
        sources_[program].parts = pieces.size();
        for (std::size_t i = 0; i < pieces.size(); ++i) {
            const SplitPrograms::Part part{program, pieces[i].begin, pieces[i].end};
            if (i == 0) {
                result_.programs[program].rules = std::move(pieces[i].rules);
                result_.parts[program] = part;
                continue;
            }
            sema::Program &more = result_.programs.emplace_back();
            more.name = names.of_part(whole.name, i + 1);
            more.span = whole.span;
            more.rules = std::move(pieces[i].rules);
            more.lets = whole.lets;
            more.place = whole.place;
            more.frags = whole.frags;
            more.counters = whole.counters;
            result_.parts.push_back(part);
        }
    }
    unit_.maps[unit_.program_table].max_entries = static_cast<std::uint32_t>(result_.programs.size());
}

} // namespace xdpf
