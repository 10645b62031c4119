// Conditions of random programs.
#include "tests/diff/random_generator.hpp"

#include <fmt/format.h>

#include <array>

namespace xdpf::diff {

std::string Generator::condition(unsigned size)
{
    if (size <= 1)
        return test();
    switch (random_.below(6)) {
    case 0: return fmt::format("({} or {})", condition(size - 1), condition(size - 1));
    case 1: return fmt::format("not {}", random_.one_in(2) ? test() : grouped(size - 1));
    case 2:
    case 3: return fmt::format("{} and {}", grouped(size - 1), grouped(size - 1));
    default: return test();
    }
}

std::string Generator::test()
{
    if (!chain_tested_ && random_.one_in(12)) {
        chain_tested_ = true;
        return random_.pick(chain_tests());
    }
    switch (random_.below(13)) {
    case 0:
    case 1: return group_ != nullptr && random_.one_in(3) ? random_.pick(group_->presences) : random_.pick(presences());
    case 2:
        return random_.one_in(3) ? fmt::format("{} == {}", random_.pick(bit_fields()), random_.below(2))
                                 : random_.pick(bit_fields());
    case 3: return arithmetic_test();
    case 4: return two_fields();
    case 5:
    case 6: return map_test();
    case 7: return rare_test();
    default: return field_test();
    }
}

std::string Generator::field_test()
{
    const FieldName one = field();
    switch (random_.below(4)) {
    case 0: return fmt::format("{} in {}", one.name, values_.set(one.type, one.bits));
    case 1: return fmt::format("{} {} {}", one.name, comparison(), values_.one(one.type, one.bits));
    case 2:
        if (one.type == Type::number && one.bits == 16 && !constant_sets_.empty())
            return fmt::format("{} in {}", one.name, constant_sets_[random_.below(constant_sets_.size())]);
        [[fallthrough]];
    default: {
        const std::string element = values_.element(one.type, one.bits);
        const bool single = element.find("..") == std::string::npos && element.find('/') == std::string::npos;
        return fmt::format("{} {} {}", one.name, single ? "==" : "in", element);
    }
    }
}

std::string Generator::rare_test()
{
    if (chance_ && random_.one_in(2))
        return chance_test();
    if (!predicates_.empty() && random_.one_in(2))
        return predicates_[random_.below(predicates_.size())];
    if (random_.one_in(4))
        return fmt::format("pcap \"{}\"", random_.pick(pcap_texts()));
    if (!blooms_.empty() && random_.one_in(2))
        return blooms_[random_.below(blooms_.size())];
    return fmt::format("weighted({}, {}, 2, {}) == {}", number(1), random_.below(4), 1 + random_.below(5),
                       random_.below(3));
}

std::string Generator::chance_test()
{
    switch (random_.below(6)) {
    case 0: return fmt::format("one_in({})", 1 + random_.below(9));
    case 1: return fmt::format("exceeds({}/s)", 1 + random_.below(100'000));
    case 2:
        return fmt::format("exceeds({}/s per {}, burst {})", 10 + random_.below(1000), field().name,
                           1 + random_.below(50));
    case 3: return fmt::format("exceeds(5/s per ({}, {}, {}))", field().name, field().name, number(1));
    case 4: return fmt::format("random % 7 < {}", random_.below(9));
    default: return fmt::format("now {} {}", comparison(), number(1));
    }
}

std::string Generator::map_test()
{
    if (!maps_.empty() && random_.one_in(2)) {
        const RandomMap &map = maps_[random_.below(maps_.size())];
        const std::string key = key_of(map, 1, true);
        if (map.value.empty() || random_.one_in(3))
            return fmt::format("{} in {}", key, map.name);
        const Typed &part = map.value[random_.below(map.value.size())];
        const std::string read = fmt::format("{}[{}]{}{}", map.name, key, part.name.empty() ? "" : ".", part.name);
        if (part.type == Type::number && random_.one_in(3))
            return fmt::format("{} {} {}", read, comparison(), number_leaf(1));
        return fmt::format("{} {} {}", read, comparison(), values_.one(part.type, part.bits));
    }
    if (sets_.empty())
        return two_fields();
    const auto &[map, key] = sets_[random_.below(sets_.size())];
    return fmt::format("{} in {}", key, map);
}

std::string Generator::comparison() { return random_.pick(std::array{"==", "!=", "<", "<=", ">", ">="}); }

std::string Generator::two_fields()
{
    const FieldName left = field();
    if (left.type != Type::number && random_.one_in(3))
        for (const Typed &name : names_)
            if (name.type == left.type)
                return fmt::format("{} {} {}", left.name, comparison(), name.name);
    return fmt::format("{} {} {}", left.name, comparison(), field_of(left.type).name);
}

// A field first, so that nothing is constant as a whole; a difference is 64 bits wide, so that constants fit.
std::string Generator::arithmetic_test()
{
    const std::string left =
        fmt::format("({} {} {})", field_of(Type::number).name, random_.pick(std::array{"+", "-", "*", "^"}), number(2));
    if (random_.one_in(2))
        return fmt::format("{} {} {}", left, comparison(), number_leaf(1));
    const auto mask = 1 + random_.below(0xffff);
    return fmt::format("({} - {}) & {} {} {}", left, field_of(Type::number).name, mask, comparison(),
                       random_.below(mask + 1));
}

} // namespace xdpf::diff
