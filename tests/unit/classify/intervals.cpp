#include "compiler/classify/intervals.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstring>
#include <random>

using namespace xdpf::classify;

namespace {

std::uint32_t largest_of(unsigned bits) { return static_cast<std::uint32_t>((std::uint64_t{1} << bits) - 1); }

std::uint64_t load(const IntervalTable &table, std::size_t at, std::size_t size)
{
    REQUIRE(at + size <= table.bytes.size());
    std::uint64_t out = 0;
    std::memcpy(&out, table.bytes.data() + at, size);
    return out;
}

// As the program that is made of it does.
std::uint32_t find(const IntervalTable &table, std::uint32_t number)
{
    std::uint64_t entry = 0;
    for (std::size_t i = 0; i < table.levels.size(); ++i) {
        const auto &level = table.levels[i];
        const std::uint64_t index = (std::uint64_t{number} >> level.shift) & ((std::uint64_t{1} << level.bits) - 1);
        const auto size = table.entry_bytes(level);
        entry = load(table, entry + (i == 0 ? 0 : to_level) + size * index, size);
        if (level.has_codes())
            return static_cast<std::uint32_t>(entry);
        if (level.has_levels && (entry & 1) != 0)
            continue;
        if (!level.has_leaves)
            return static_cast<std::uint32_t>(entry >> 1);
        break;
    }
    const std::uint64_t below = (std::uint64_t{1} << table.levels[0].shift) - 1;
    std::uint64_t within = 0;
    for (std::uint32_t w = 0; w < table.leaf_words; ++w)
        within += (load(table, entry + 8 * w, 8) - (number & below) * each_lane) & guard_bits;
    const std::uint64_t ends = ((within >> (lane_bits - 1)) * each_lane >> 2 * lane_bits) & 0xf;
    return static_cast<std::uint32_t>(
        load(table, entry + table.codes_at() + ends * table.code_bytes, table.code_bytes));
}

std::uint32_t first_match(const std::vector<Interval> &rules, std::uint32_t number, std::uint32_t otherwise)
{
    for (const Interval &rule : rules)
        if (rule.first <= number && number <= rule.last)
            return rule.code;
    return otherwise;
}

std::uint32_t code_in(const std::vector<Interval> &flat, std::uint32_t number)
{
    for (const Interval &one : flat)
        if (one.first <= number && number <= one.last)
            return one.code;
    FAIL("no interval holds ", number);
    return 0;
}

void check_shape(const std::vector<Interval> &flat, std::uint32_t largest)
{
    REQUIRE(flat.front().first == 0);
    REQUIRE(flat.back().last == largest);
    for (std::size_t i = 0; i + 1 < flat.size(); ++i) {
        REQUIRE(flat[i].last + 1 == flat[i + 1].first);
        REQUIRE(flat[i].code != flat[i + 1].code);
    }
}

// Every end and what is beside it, and any numbers.
void check(const std::vector<Interval> &rules, unsigned bits, std::uint32_t otherwise, std::mt19937_64 &draw)
{
    const auto largest = largest_of(bits);
    const auto flat = flatten(rules, largest, otherwise);
    check_shape(flat, largest);
    const auto table = build_intervals(flat, bits);
    REQUIRE(table);
    std::vector<std::uint64_t> numbers{0, largest};
    for (const Interval &rule : rules)
        for (const std::uint64_t end : {rule.first, rule.last})
            for (const std::uint64_t beside : {end - 1, end, end + 1})
                numbers.push_back(beside);
    for (int i = 0; i < 500; ++i)
        numbers.push_back(draw());
    for (const std::uint64_t any : numbers) {
        const auto number = static_cast<std::uint32_t>(any & largest);
        const auto wanted = first_match(rules, number, otherwise);
        CAPTURE(bits);
        CAPTURE(number);
        REQUIRE(code_in(flat, number) == wanted);
        REQUIRE(find(*table, number) == wanted);
    }
}

Interval any_interval(std::mt19937_64 &draw, unsigned bits, unsigned widest)
{
    const auto largest = largest_of(bits);
    const auto first = static_cast<std::uint32_t>(draw() & largest);
    const std::uint64_t size = std::uint64_t{1} << draw() % (widest + 1);
    const auto last = std::min<std::uint64_t>(first + draw() % size, largest);
    return {first, static_cast<std::uint32_t>(last), static_cast<std::uint32_t>(draw() % 5)};
}

} // namespace

TEST_CASE("intervals say what the first of the rules says")
{
    static_assert(std::endian::native == std::endian::little);
    std::mt19937_64 draw(1);
    for (const unsigned bits : {1U, 3U, 8U, 16U, 17U, 20U, 24U, 32U})
        for (const std::size_t count : {0U, 1U, 2U, 25U, 400U})
            for (const unsigned widest : {0U, bits / 2, bits}) {
                std::vector<Interval> rules;
                for (std::size_t i = 0; i < count; ++i)
                    rules.push_back(any_interval(draw, bits, widest));
                check(rules, bits, 9, draw);
            }
}

TEST_CASE("intervals that lie in each other, in both orders, and side by side")
{
    std::mt19937_64 draw(2);
    for (const bool narrow_first : {true, false}) {
        std::vector<Interval> rules;
        for (unsigned i = 0; i < 32; ++i) {
            const unsigned length = narrow_first ? 32 - i : i + 1;
            const std::uint32_t mask = ~std::uint32_t{0} << (32 - length);
            rules.push_back({0xc6336417 & mask, 0xc6336417 | ~mask, i});
        }
        check(rules, 32, 99, draw);
    }
    std::vector<Interval> beside;
    for (std::uint32_t i = 0; i < 2000; ++i)
        beside.push_back({0xfffff000 + 2 * i, 0xfffff000 + 2 * i + 1, i % 3});
    beside.resize(0x1000 / 2);
    check(beside, 32, 1, draw);
    check({{0, 0, 1}, {UINT32_MAX, UINT32_MAX, 2}}, 32, 0, draw);
    check({{0, UINT32_MAX, 1}, {5, 9, 2}}, 32, 0, draw);
}

TEST_CASE("codes of one, two and four bytes")
{
    std::mt19937_64 draw(3);
    for (const unsigned bits : {16U, 32U})
        for (const auto most : {UINT8_MAX, UINT16_MAX, (1 << 22) - 1}) {
            std::vector<Interval> rules{{1, 3, static_cast<std::uint32_t>(most)}};
            for (int i = 0; i < 300; ++i) {
                rules.push_back(any_interval(draw, bits, 10));
                rules.back().code = static_cast<std::uint32_t>(draw() % most);
            }
            check(rules, bits, 0, draw);
        }
}

TEST_CASE("crowds of intervals lead to further levels, and the table stays small")
{
    std::mt19937_64 draw(4);
    for (const std::uint32_t spread : {0xffffU, 0xffffffU, UINT32_MAX}) {
        std::vector<Interval> rules;
        for (int i = 0; i < 20000; ++i) {
            const auto first = 0x0a000000 + static_cast<std::uint32_t>(draw() & spread);
            rules.push_back({first, first, static_cast<std::uint32_t>(draw() % 3)});
        }
        const auto flat = flatten(rules, UINT32_MAX, 7);
        const auto table = build_intervals(flat, 32);
        REQUIRE(table);
        CHECK(table->bytes.size() < 1'500'000);
        for (const Interval &one : flat) {
            REQUIRE(find(*table, one.first) == one.code);
            REQUIRE(find(*table, one.last) == one.code);
        }
    }
}
