// The maps of a program as its evaluation reaches them: bytes in, bytes out, wherever they are kept.
#pragma once

#include "compiler/maps.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace xdpf::explain {

using Bytes = std::vector<std::byte>;

// Keys and values as MapSpec lays them out.
class Maps {
public:
    Maps() = default;
    Maps(const Maps &) = delete;
    Maps &operator=(const Maps &) = delete;
    virtual ~Maps() = default;

    [[nodiscard]] virtual std::optional<Bytes> lookup(MapId map, std::span<const std::byte> key) = 0;
    virtual void update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value) = 0;
    virtual void erase(MapId map, std::span<const std::byte> key) = 0;
    // Whether something is in a slot of a redirect map.
    [[nodiscard]] virtual bool is_filled(MapId map, std::uint32_t slot) = 0;
};

// Reads through to other maps and keeps what is written to itself: what a packet would do, without doing it.
class Overlay : public Maps {
public:
    using Lookup = std::function<std::optional<Bytes>(MapId, std::span<const std::byte>)>;
    using IsFilled = std::function<bool(MapId, std::uint32_t)>;

    Overlay(Lookup lookup, IsFilled is_filled) : below_(std::move(lookup)), is_filled_(std::move(is_filled)) {}

    void forget() { written_.clear(); }

    std::optional<Bytes> lookup(MapId map, std::span<const std::byte> key) override;
    void update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value) override;
    void erase(MapId map, std::span<const std::byte> key) override;
    bool is_filled(MapId map, std::uint32_t slot) override { return is_filled_(map, slot); }

private:
    Lookup below_;
    IsFilled is_filled_;
    std::map<std::pair<MapId, Bytes>, std::optional<Bytes>> written_; // no value: erased
};

} // namespace xdpf::explain
