// What branches show of numbers. The kernel's verifier learns it from the same comparisons.
#pragma once

#include "compiler/ir/graph.hpp"

namespace xdpf::ir {

struct Range {
    std::uint64_t least = 0;
    std::uint64_t most = UINT64_MAX;
};

class Comparisons {
public:
    // The program must outlive it, and keep its shape; instructions may come and go.
    explicit Comparisons(const Program &program);

    // What the end of a block shows of a number along one of its edges.
    [[nodiscard]] static Range along(const Terminator &end, std::size_t which, ValueId number);

    // Whether a branch on every path to the block has shown it; `test` takes a Range.
    template <class Test> [[nodiscard]] bool shown(ValueId number, BlockId below, Test test) const
    {
        for (; below != BlockId(0); below = dominators_.parent(below)) {
            const Terminator &end = program_.blocks[dominators_.parent(below)].end;
            if (incoming_[below] == 1 && test(along(end, end.edges[0].target == below ? 0 : 1, number)))
                return true;
        }
        return false;
    }

    // The bound of a number in a block, by comparisons or `bounds` (upper_bounds()), of itself or of what it is
    // computed from.
    [[nodiscard]] std::uint64_t bound(ValueId number, BlockId in, const IdVector<ValueId, std::uint64_t> &bounds) const;

private:
    const Program &program_;
    Dominators dominators_;
    IdVector<BlockId, std::uint32_t> incoming_;
    struct Definition { // of arithmetic and constants
        Op op = Op::packet_start;
        ValueId a;
        ValueId b;
        std::uint64_t imm = 0;
    };
    IdVector<ValueId, Definition> definitions_;
};

} // namespace xdpf::ir
