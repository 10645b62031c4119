// Typed indices: an id of one kind cannot be used where another is meant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace xdpf {

template <class Tag> struct Id {
    static constexpr std::uint32_t none = UINT32_MAX;
    std::uint32_t value = none;

    constexpr Id() = default;
    constexpr explicit Id(std::size_t index) : value(static_cast<std::uint32_t>(index)) {}
    [[nodiscard]] constexpr bool valid() const { return value != none; }
    constexpr auto operator<=>(const Id &) const = default;
};

// A vector that only its own kind of id indexes.
template <class Key, class T> class IdVector {
public:
    Key add(T item)
    {
        items_.push_back(std::move(item));
        return Key(items_.size() - 1);
    }
    T &operator[](Key key) { return items_[key.value]; }
    const T &operator[](Key key) const { return items_[key.value]; }
    [[nodiscard]] std::size_t size() const { return items_.size(); }
    [[nodiscard]] bool empty() const { return items_.empty(); }
    void resize(std::size_t size, const T &item = T()) { items_.resize(size, item); }
    auto begin() { return items_.begin(); }
    auto end() { return items_.end(); }
    auto begin() const { return items_.begin(); }
    auto end() const { return items_.end(); }
    [[nodiscard]] Key next() const { return Key(items_.size()); }

private:
    std::vector<T> items_;
};

} // namespace xdpf

template <class Tag> struct std::hash<xdpf::Id<Tag>> {
    std::size_t operator()(xdpf::Id<Tag> id) const noexcept { return id.value; }
};
