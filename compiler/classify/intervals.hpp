// Rules that each ask whether one and the same number lies in an interval, as a table for a program that looks into the
// value of a map. The first match decides.
//
// The intervals are flattened to ones that do not overlap. A level of entries, one for each value of the number's
// highest bits, leads to where few of them are left; where there are too many, to another level, of the bits below.
// What is left is a leaf, in which the number is compared with all ends at once: three of them stand in a word, a bit
// above each, and one subtraction tells for each whether the number is beyond it (Fredman and Willard, 1993).
//
//   level   entries (u32). Bit 0 set: three bytes in front of the entries of the next level. Otherwise a leaf,
//           where the level has any; or the code, shifted by one bit. Levels without leaves and a level behind them
//           have entries that are codes. Offsets are from the table's beginning, where the first level stands.
//   leaf    words of three ends each (u64); the codes, by how many ends the number is not beyond
//
// All numbers are little-endian; codes take as many bytes as the largest needs (1, 2 or 4).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace xdpf::classify {

struct Interval {
    std::uint32_t first = 0;
    std::uint32_t last = UINT32_MAX; // included
    std::uint32_t code = 0;
    bool operator==(const Interval &) const = default;
};

// What the rules say of all numbers up to `largest`, in ascending order: neighbours differ. `otherwise` is for numbers
// in none of them. Takes n log n.
[[nodiscard]] std::vector<Interval> flatten(std::span<const Interval> rules, std::uint32_t largest,
                                            std::uint32_t otherwise);

inline constexpr unsigned lanes = 3;      // of a word of a leaf; leaves have up to as many words
inline constexpr unsigned lane_bits = 21; // an end, and a bit above it
// A product with it has the sum of all lanes in the lowest bits of the third one.
inline constexpr std::uint64_t each_lane = 1 | std::uint64_t{1} << lane_bits | std::uint64_t{1} << 2 * lane_bits;
inline constexpr std::uint64_t guard_bits = each_lane << (lane_bits - 1);
inline constexpr std::uint32_t to_level = 3; // from what an entry says to the next level

struct IntervalTable {
    struct Level {
        unsigned shift = 0; // of the number, to the right
        unsigned bits = 0;
        bool has_leaves = false;
        bool has_levels = false;

        [[nodiscard]] bool has_codes() const { return !has_leaves && !has_levels; } // and nothing else
    };
    std::vector<Level> levels;
    std::uint32_t code_bytes = 4;
    std::uint32_t leaf_words = 1;
    std::vector<std::byte> bytes;

    [[nodiscard]] bool has_leaves() const { return std::ranges::any_of(levels, &Level::has_leaves); }
    [[nodiscard]] std::uint32_t entry_bytes(const Level &level) const { return level.has_codes() ? code_bytes : 4; }
    [[nodiscard]] std::uint32_t codes_at() const { return 8 * leaf_words; } // in a leaf
    [[nodiscard]] std::uint32_t most_ends() const { return lanes * leaf_words; }
};

// Of flattened intervals of numbers of so many bits, up to 32: the one of several divisions into levels and leaves that
// takes least time to look into, as far as can be told. Nothing where it would be too large.
[[nodiscard]] std::optional<IntervalTable> build_intervals(std::span<const Interval> flat, unsigned bits);

} // namespace xdpf::classify
