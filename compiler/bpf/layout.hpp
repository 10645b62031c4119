// In which order the blocks of a program are emitted. Private to this folder.
#pragma once

#include "compiler/bpf/facts.hpp"

#include <vector>

namespace xdpf::bpf {

// The order of emission: after a block comes the edge that is likely, as far as every edge may go forward only. A block
// of its own stands on an edge that sets parameters and is not the only way out and in.
class Layout {
public:
    struct Node {
        ir::BlockId block; // of the IR, or none: it stands on edge `edge` out of `from`
        ir::BlockId from;
        unsigned edge = 0;
    };

    // Both must outlive it.
    Layout(const ir::Program &program, const Facts &facts);

    [[nodiscard]] const std::vector<Node> &order() const { return order_; }
    // Places in that order: of a block, of what an edge leads to first.
    [[nodiscard]] std::uint32_t place(ir::BlockId block) const { return place_[block.value]; }
    [[nodiscard]] std::uint32_t target(ir::BlockId from, unsigned edge) const { return place_[step(from, edge)]; }
    // Whether the edge has a block of its own.
    [[nodiscard]] bool split(ir::BlockId from, unsigned edge) const;

private:
    // Keys: a block's index, or behind those of all blocks that of an edge.
    [[nodiscard]] std::uint32_t step(ir::BlockId from, unsigned edge) const;
    [[nodiscard]] Node node(std::uint32_t key) const;
    [[nodiscard]] std::vector<std::uint32_t> steps(std::uint32_t key) const;
    void walk();

    const ir::Program &program_;
    const Facts &facts_;
    std::vector<Node> order_;
    std::vector<std::uint32_t> place_; // by key
};

} // namespace xdpf::bpf
