// Packet pointers that stand a constant number of bytes from others. The kernel's verifier walks each way to such a
// pointer with that way's own constant, and a check of one pointer is to it a check of all that differ by constants:
// so what a guard shows of the packet's start holds for a pointer behind no, one or two VLAN tags, less their bytes.
#pragma once

#include "compiler/ir/ir.hpp"

namespace xdpf::ir {

class Distances {
public:
    explicit Distances(const Program &program);

    // The value of packet_start, or pointer a number of bytes behind another, from which the pointer stands a constant
    // number of bytes whichever way it was made; none: there is no such.
    [[nodiscard]] ValueId anchor(ValueId pointer) const { return at(anchors_, pointer).start; }

    // How many bytes there are from the pointer on, where `guarded` tells how many a guard of a pointer has shown.
    template <class Guarded> [[nodiscard]] std::uint64_t present(ValueId pointer, Guarded guarded) const
    {
        const auto less = [](std::uint64_t present, std::uint64_t by) { return present > by ? present - by : 0; };
        std::uint64_t most = guarded(pointer);
        std::uint64_t bytes = 0;
        for (Base base = at(bases_, pointer); base.pointer.valid(); base = at(bases_, base.pointer)) {
            bytes += base.bytes;
            most = std::max(most, less(guarded(base.pointer), bytes));
        }
        if (const ValueId start = anchor(pointer); start.valid())
            most = std::max(most, less(guarded(start), reaches_[pointer] - reaches_[start]));
        return most;
    }

private:
    struct Anchor {
        ValueId start;
        bool several = false;
    };
    struct Base {
        ValueId pointer; // none: it is made in another way
        std::uint64_t bytes = 0;
    };

    // Values that came after this was made have nothing.
    template <class T> static T at(const IdVector<ValueId, T> &all, ValueId value)
    {
        return value.value < all.size() ? all[value] : T{};
    }
    void follow(const Program &program);
    void arrive(ValueId param, ValueId arg);

    IdVector<ValueId, Anchor> anchors_;
    IdVector<ValueId, Base> bases_;
    IdVector<ValueId, std::uint64_t> reaches_;
    bool changed_ = false;
};

} // namespace xdpf::ir
