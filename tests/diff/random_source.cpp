#include "tests/diff/random_source.hpp"

#include "tests/diff/random_generator.hpp"

#include <fmt/format.h>

namespace xdpf::diff {

Subject Generator::program()
{
    chance_ = random_.one_in(4);
    declarations();
    Subject out;
    std::uint64_t count = 1 + random_.below(6);
    if (random_.one_in(4))
        count = 1 + random_.below(25);
    const std::string first = rules(count, count > 12 ? 1 : 2 + static_cast<unsigned>(random_.below(4) / 3));
    std::string others;
    for (const std::string &name : programs_)
        others += fmt::format("defprogram {} {{\n{}}}\n", name, rules(1 + random_.below(3), 2));
    out.source = head_ + first + others;
    out.rx_queue = random_.one_in(4) ? static_cast<std::uint32_t>(random_.below(4)) : 0;
    out.rule_counters = random_.one_in(8);
    out.chance = chance_;
    return out;
}

std::string Generator::rules(std::uint64_t count, unsigned size)
{
    std::string out;
    for (std::uint64_t i = 0; i < count; ++i)
        out += rule(size, 0);
    if (random_.one_in(3))
        out += fmt::format("default -> {}\n", verdict());
    return out;
}

std::string Generator::rule(unsigned size, unsigned depth)
{
    const std::string head = fmt::format("{}match {}", indent(depth), condition(size));
    if (depth >= 2 || !random_.one_in(6)) {
        const std::size_t known = names_.size();
        const std::string chosen = action(0);
        names_.resize(known);
        return fmt::format("{} -> {}\n", head, chosen);
    }
    std::string body;
    for (std::uint64_t i = 1 + random_.below(3); i > 0; --i)
        body += rule(size, depth + 1);
    if (random_.one_in(4))
        body += fmt::format("{}default -> {}\n", indent(depth + 1), verdict());
    return fmt::format("{} {{\n{}{}}}\n", head, body, indent(depth));
}

Subject random_program(std::uint64_t seed) { return Generator(seed).program(); }

} // namespace xdpf::diff
