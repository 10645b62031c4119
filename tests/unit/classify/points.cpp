#include "compiler/classify/points.hpp"

#include <doctest/doctest.h>

#include <bit>
#include <cstring>
#include <map>
#include <optional>
#include <random>

using namespace xdpf::classify;

namespace {

// As the program that is made of it does: both buckets, place by place.
std::optional<std::uint32_t> find(const PointTable &table, const std::vector<std::uint64_t> &key)
{
    const auto words = static_cast<std::uint32_t>(key.size());
    std::uint64_t joined = 0;
    for (std::uint32_t w = 0; w < words; ++w)
        joined ^= key[w] * word_factor(w);
    const auto first = joined * table.seed;
    for (const auto hash : {first, first * golden}) {
        const std::byte *bucket = table.bytes.data() + (hash >> (64 - table.bits)) * bucket_size(words);
        for (std::uint32_t place = 0; place < bucket_places; ++place) {
            if (std::memcmp(bucket + std::size_t{8} * place * words, key.data(), std::size_t{8} * words) != 0)
                continue;
            std::uint32_t code = 0;
            std::memcpy(&code, bucket + code_at(words, place), sizeof code);
            return code;
        }
    }
    return std::nullopt;
}

} // namespace

TEST_CASE("points are found by their keys, and nothing else is")
{
    static_assert(std::endian::native == std::endian::little);
    std::mt19937_64 draw(1);
    for (const std::size_t words : {1U, 2U, 5U})
        for (const std::size_t count : {1U, 2U, 9U, 500U, 20000U}) {
            std::vector<Point> points;
            std::map<std::vector<std::uint64_t>, std::uint32_t> said;
            for (std::size_t i = 0; i < count; ++i) {
                Point &point = points.emplace_back();
                for (std::size_t w = 0; w < words; ++w)
                    point.key.push_back(draw() % (w == 0 ? 40000 : 3)); // near each other, and some twice
                point.code = static_cast<std::uint32_t>(i);
                said.try_emplace(point.key, point.code);
            }
            const auto table = build_points(points);
            REQUIRE(table);
            CHECK(table->bytes.size() <= 4 * bucket_size(static_cast<std::uint32_t>(words)) * (count / 4 + 2));
            for (std::size_t i = 0; i < count + 1000; ++i) {
                std::vector<std::uint64_t> key(words);
                for (std::size_t w = 0; w < words; ++w)
                    key[w] = draw() % (w == 0 ? 40000 : 3);
                const auto wanted = i < count ? said.find(points[i].key) : said.find(key);
                const auto found = find(*table, i < count ? points[i].key : key);
                REQUIRE(found == (wanted == said.end() ? std::nullopt : std::optional(wanted->second)));
            }
        }
}

TEST_CASE("keys that all meet in the same buckets are refused")
{
    std::vector<Point> points;
    for (std::uint64_t i = 0; i < 5; ++i) // the words cancel each other out, so all of them belong into bucket 0
        points.push_back({{i * word_factor(1), i}, 0});
    CHECK(!build_points(points));
    points.pop_back();
    CHECK(build_points(points));
}
