// A set of ids below a size that is known beforehand.
#pragma once

#include "compiler/base/id.hpp"

namespace xdpf::ir {

template <class Key> class IdSet {
public:
    IdSet() = default;
    explicit IdSet(std::size_t size) : members_(size, false) {}

    [[nodiscard]] bool contains(Key key) const { return members_[key.value]; }
    // Whether it was not in before.
    bool insert(Key key)
    {
        const bool added = !members_[key.value];
        members_[key.value] = true;
        return added;
    }
    void erase(Key key) { members_[key.value] = false; }

private:
    std::vector<bool> members_;
};

} // namespace xdpf::ir
