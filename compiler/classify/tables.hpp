// A tree as bytes, for a program that walks it in the only value of a map (compiler/rule_tables.hpp).
//
// A set begins with the root of each of its trees (u32); roots and children are byte offsets from the set's
// beginning, and bit 0 says that a leaf lies there. All numbers are little-endian.
//
//   node   a mask for each word of the key (u64); shift, last, child[2] (u32). What is left of the key under the masks,
//          shifted right, is a number: up to `last` it leads to child[0], beyond to child[1].
//   leaf   entries (u32) until one with bit 0 set, whose other bits are the action. Others are offsets of rules.
//   rule   first, last (u32) for each dimension; the action (u32)
//
// A key holds the numbers of all dimensions, side by side in words of 64 bits.
#pragma once

#include "compiler/classify/tree.hpp"

#include <span>
#include <vector>

namespace xdpf::classify {

struct Lane {
    std::uint32_t word = 0;
    std::uint32_t shift = 0; // where the number's lowest bit is
};

struct KeyShape {
    std::vector<Lane> lanes; // by dimension
    std::uint32_t words = 0;
};

[[nodiscard]] KeyShape shape_of(std::span<const std::uint32_t> largest);

[[nodiscard]] constexpr std::uint32_t node_numbers(std::uint32_t words) { return 8 * words; } // where `shift` lies
[[nodiscard]] constexpr std::uint32_t node_size(std::uint32_t words) { return 8 * words + 16; }
[[nodiscard]] constexpr std::uint32_t rule_action(std::size_t dimensions)
{
    return static_cast<std::uint32_t>(8 * dimensions);
}

class TableWriter {
public:
    // Room for the roots of so many trees.
    explicit TableWriter(std::size_t trees) : bytes_(4 * (trees + trees % 2)) {}

    // `actions`: what stands in the tables for each action of the set.
    void add(std::size_t tree, const Tree &from, const RuleSet &set, std::span<const std::uint32_t> actions);

    // Anything else whose beginning stands where the root of a tree would. Gives that, an offset from the set's own.
    std::uint32_t add(std::size_t tree, std::span<const std::byte> bytes);

    [[nodiscard]] std::vector<std::byte> take() && { return std::move(bytes_); }
    [[nodiscard]] std::size_t size() const { return bytes_.size(); }

private:
    void put(std::uint64_t number, std::size_t bytes);
    void set(std::size_t at, std::uint32_t number);
    std::uint32_t here() const { return static_cast<std::uint32_t>(bytes_.size()); }
    void put_node(const Node &node, const RuleSet &set, const KeyShape &shape, std::uint32_t below, std::uint32_t from);

    std::vector<std::byte> bytes_;
};

} // namespace xdpf::classify
