// A branch as what it asks of single bytes of the packet. For passes.
#pragma once

#include "compiler/ir/ir.hpp"

#include <array>
#include <bitset>
#include <map>
#include <optional>

namespace xdpf::passes {

using Bytes = std::bitset<256>; // values that a byte may have

struct ByteTest {
    ir::ValueId pointer;
    std::map<std::uint64_t, Bytes> bytes; // by distance from the pointer: all must be so
    unsigned cost = 0;                    // instructions that it takes, the branch included
};

// The bits that are the same in all of the values, and what they are; nothing where those do not tell them from others.
struct Masked {
    std::uint8_t mask = 0;
    std::uint8_t value = 0;
};
[[nodiscard]] std::optional<Masked> masked(const Bytes &bytes);

// The values from `least` to `most` and no others.
struct Interval {
    unsigned least = 0;
    unsigned most = 0;
};
[[nodiscard]] std::optional<Interval> interval(const Bytes &bytes);

// Reads tests off the ends of blocks.
class ByteTests {
public:
    // The program's instructions must stay where they are as long as it is in use.
    explicit ByteTests(const ir::Program &program);

    // What must be so for edges[pass] to be taken, and no other way; nothing where that cannot be said in this form.
    [[nodiscard]] std::optional<ByteTest> read(const ir::Terminator &end, std::size_t pass) const;
    // The load that a branch's value comes from; null where it comes from elsewhere.
    [[nodiscard]] const ir::Inst *load(const ir::Terminator &end) const;
    // As in ByteTest, of a branch with a load.
    [[nodiscard]] unsigned cost(const ir::Terminator &end) const;

private:
    struct Source { // a load, and what is computed of it
        const ir::Inst *load = nullptr;
        std::uint64_t mask = UINT64_MAX;
        bool masked_only = true;
        unsigned cost = 1;
    };
    [[nodiscard]] Source source(ir::ValueId value) const;
    [[nodiscard]] Bytes passing(ir::ValueId value, const ir::Inst *load, ir::Cond cond, std::uint64_t imm) const;
    [[nodiscard]] const ir::Inst *definition(ir::ValueId value) const;

    IdVector<ir::ValueId, const ir::Inst *> definitions_;
};

} // namespace xdpf::passes
