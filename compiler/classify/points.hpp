// Rules that each ask for one number in every dimension, as a hash table for a program that looks into the value of a
// map: two buckets of four keys may hold a key (cuckoo hashing: Pagh and Rodler, 2004), so that it is found, or known
// to be absent, after two loads of memory.
//
//   bucket   four keys, each some words (u64); four codes (u32); the size is a power of two. Free places hold a key
//            that is never looked for there.
//
// All numbers are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace xdpf::classify {

inline constexpr std::uint32_t bucket_places = 4;
inline constexpr std::uint64_t golden = 0x9e3779b97f4a7c15; // 2^64 by the golden ratio (Knuth, 6.4)

struct Point {
    std::vector<std::uint64_t> key;
    std::uint32_t code = 0;
};

struct PointTable {
    std::uint64_t seed = 0; // odd
    unsigned bits = 0;      // of a bucket's number
    std::vector<std::byte> bytes;
};

[[nodiscard]] std::uint32_t bucket_size(std::uint32_t words);
[[nodiscard]] constexpr std::uint32_t code_at(std::uint32_t words, std::uint32_t place)
{
    return bucket_places * 8 * words + 4 * place;
}

// What a word of the key is multiplied with before all are joined by exclusive or.
[[nodiscard]] constexpr std::uint64_t word_factor(std::uint32_t word)
{
    return word == 0 ? 1 : golden * (2 * word + 1);
}

// Of points with the same key the first one counts. At least one is given. Nothing where too many of them meet in the
// same buckets, whatever is tried.
[[nodiscard]] std::optional<PointTable> build_points(std::span<const Point> points);

} // namespace xdpf::classify
