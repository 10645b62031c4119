// Numbers the times between changes of something that instructions change, such as the packet's ends: equal numbers
// mean that no change lies in between on any path. For sweeps in block order:
//
//   epochs.enter(block);
//   for each instruction: if it changes the thing, epochs.change();
//   epochs.leave(block's terminator);
//
// Where two ways with different numbers meet, a new number begins. That loses nothing: what was made before the ways
// parted and is used behind their meeting has a change in between on one of them.
#pragma once

#include "compiler/ir/graph.hpp"

namespace xdpf::ir {

class Epochs {
public:
    explicit Epochs(std::size_t blocks) { arriving_.resize(blocks, none); }

    void enter(BlockId block)
    {
        const std::uint32_t there = arriving_[block];
        if (there == none || there == several)
            change();
        else
            now_ = there;
    }
    void change() { now_ = ++last_; }
    void leave(const Terminator &end)
    {
        for_each_edge(end, [&](const Edge &edge) {
            std::uint32_t &there = arriving_[edge.target];
            there = there == none || there == now_ ? now_ : several;
        });
    }
    [[nodiscard]] std::uint32_t now() const { return now_; }

private:
    static constexpr std::uint32_t none = 0;
    static constexpr std::uint32_t several = UINT32_MAX;

    IdVector<BlockId, std::uint32_t> arriving_;
    std::uint32_t now_ = none;
    std::uint32_t last_ = none;
};

} // namespace xdpf::ir
