// Expressions of random programs.
#include "tests/diff/random_generator.hpp"

#include <fmt/format.h>

#include <array>

namespace xdpf::diff {

FieldName Generator::field()
{
    if (group_ != nullptr && random_.one_in(group_->neighbours.empty() ? 8 : 2))
        return random_.pick(group_->fields);
    return random_.one_in(2) ? random_.pick(all_fields()) : random_.pick(frequent_fields());
}

FieldName Generator::field_of(Type type)
{
    for (;;)
        if (const FieldName found = field(); found.type == type)
            return found;
}

std::string Generator::number_leaf(unsigned depth)
{
    if (!names_.empty() && random_.one_in(3))
        if (const Typed &name = names_[random_.below(names_.size())]; name.type == Type::number)
            return name.name;
    if (!numbers_.empty() && random_.one_in(6))
        return numbers_[random_.below(numbers_.size())];
    if (depth > 0 && random_.one_in(5))
        if (auto read = read_map(Type::number, depth - 1); !read.empty())
            return read;
    if (depth > 0 && random_.one_in(10))
        return random_.one_in(2) ? fmt::format("hash({}, {})", field().name, number(depth - 1))
                                 : fmt::format("weighted({}, 3, 1, {})", number(depth - 1), random_.below(9));
    if (chance_ && random_.one_in(5))
        return random_.pick(std::array{"now", "random", "cpu", "now / 1_000_000"});
    return field_of(Type::number).name;
}

std::string Generator::number(unsigned depth)
{
    if (depth == 0 || random_.one_in(4))
        return random_.one_in(4) ? fmt::format("{}", values_.number(random_.one_in(3) ? 64 : 16)) : number_leaf(depth);
    if (random_.one_in(8))
        return fmt::format("{}{}", random_.one_in(2) ? "-" : "~", field_of(Type::number).name);
    switch (random_.below(4)) {
    case 0: return fmt::format("({} {} {})", number(depth - 1), random_.one_in(2) ? "<<" : ">>", random_.below(64));
    case 1: return fmt::format("({} {} {})", number(depth - 1), random_.one_in(2) ? "/" : "%", divisor());
    default:
        return fmt::format("({} {} {})", number(depth - 1), random_.pick(std::array{"+", "-", "*", "&", "|", "^"}),
                           number(depth - 1));
    }
}

std::string Generator::divisor()
{
    return random_.one_in(2) ? fmt::format("{}", 1 + random_.below(300)) : std::string(field_of(Type::number).name);
}

std::string Generator::number_of_bits(unsigned bits, unsigned depth)
{
    if (random_.one_in(4))
        return fmt::format("{}", values_.number(bits));
    if (random_.one_in(2))
        for (unsigned tries = 0; tries < 8; ++tries)
            if (const FieldName found = field_of(Type::number); found.bits <= bits)
                return found.name;
    const std::uint64_t mask = bits >= 64 ? UINT64_MAX : (std::uint64_t(1) << bits) - 1;
    return fmt::format("({} & {:#x})", number(depth), mask);
}

std::string Generator::address(Type type, unsigned depth)
{
    if (random_.one_in(6))
        return values_.one(type, 0);
    if (!names_.empty() && random_.one_in(3))
        if (const Typed &name = names_[random_.below(names_.size())]; name.type == type)
            return name.name;
    if (depth > 0 && random_.one_in(4))
        if (auto read = read_map(type, depth - 1); !read.empty())
            return read;
    if (type == Type::ipv6 && random_.one_in(2))
        return random_.one_in(2) ? "ip.src" : "ip.dst";
    return field_of(type).name;
}

std::string Generator::value_of(const Typed &type, unsigned depth)
{
    return type.type == Type::number ? number_of_bits(type.bits, depth) : address(type.type, depth);
}

std::string Generator::key_of(const RandomMap &map, unsigned depth, bool tuple)
{
    if (map.array) // a constant index has to be there; others need not
        return random_.one_in(4)
                   ? fmt::format("{}", random_.below(smallest_map))
                   : fmt::format("({} ^ rx_queue)", number_of_bits(random_.one_in(3) ? 5 : map.key[0].bits, depth));
    std::string out;
    for (const Typed &part : map.key)
        out += (out.empty() ? "" : ", ") + value_of(part, depth);
    return map.key.size() > 1 && (tuple || random_.one_in(3)) ? "(" + out + ")" : out;
}

std::string Generator::read_map(Type type, unsigned depth)
{
    for (unsigned tries = 0; tries < 4 && !maps_.empty(); ++tries) {
        const RandomMap &map = maps_[random_.below(maps_.size())];
        if (map.value.empty())
            continue;
        const Typed &part = map.value[random_.below(map.value.size())];
        if (part.type == type)
            return fmt::format("{}[{}]{}{}", map.name, key_of(map, depth), part.name.empty() ? "" : ".", part.name);
    }
    return {};
}

} // namespace xdpf::diff
