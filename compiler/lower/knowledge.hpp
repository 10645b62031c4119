// What is known about the packet at one point of the program, and where its headers lie there.
#pragma once

#include "compiler/ir/ir.hpp"
#include "compiler/lower/facts.hpp"

#include <cassert>
#include <optional>
#include <string>
#include <vector>

namespace xdpf::lowering {

// A byte of the packet: a pointer and a constant distance from it.
struct Place {
    ir::ValueId base;
    std::uint32_t delta = 0;
    [[nodiscard]] Place plus(std::uint32_t bytes) const { return {base, delta + bytes}; }
};

enum class Truth : std::uint8_t { unknown, no, yes };

struct Entry {
    Truth truth = Truth::unknown;
    Place start;          // present: of the header; chain_end: of what stands behind the chain
    Place end;            // present: behind the header
    ir::ValueId selector; // chain_end: what the last link (or the base) names
};

class Knowledge {
public:
    Knowledge(std::size_t facts, ir::ValueId first, ir::ValueId last) : start(first), end(last), entries_(facts) {}

    // The packet's ends. They change where a step moves them; then nothing else is known any more.
    ir::ValueId start;
    ir::ValueId end;
    bool moved = false; // they are not those that the program began with

    [[nodiscard]] Truth operator[](FactId id) const
    {
        assert(id.value < entries_.size()); // every fact is there before the first is known
        return entries_[id.value].truth;
    }
    [[nodiscard]] const Entry &entry(FactId id) const { return entries_[id.value]; }
    [[nodiscard]] Entry &entry(FactId id) { return entries_[id.value]; }
    void deny(FactId id)
    {
        if (id.valid())
            entries_[id.value] = {Truth::no, {}, {}, {}};
    }
    void affirm(FactId id)
    {
        if (id.valid())
            entries_[id.value].truth = Truth::yes;
    }
    [[nodiscard]] std::vector<Entry> &entries() { return entries_; }
    [[nodiscard]] const std::vector<Entry> &entries() const { return entries_; }

private:
    std::vector<Entry> entries_;
};

} // namespace xdpf::lowering
