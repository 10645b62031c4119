// Where packet pointers are read. Private to this folder.
#pragma once

#include "compiler/bpf/layout.hpp"

#include <span>
#include <vector>

namespace xdpf::bpf {

class PointerUses {
public:
    struct Use {
        ir::BlockId block;
        std::uint32_t place; // in the layout, of the block or of the one on its edge
        bool operator==(const Use &) const = default;
    };

    PointerUses(const ir::Program &program, const Layout &layout);

    // Those at `place` and behind it, the next one last. What is behind is forgotten: places are asked for in order.
    [[nodiscard]] std::span<const Use> from(std::uint32_t place, ir::ValueId pointer);

private:
    IdVector<ir::ValueId, std::vector<Use>> uses_;
};

} // namespace xdpf::bpf
