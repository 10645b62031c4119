// Runs a compiled program over packets in this process: its meaning, without a kernel, without root.
//
//   xdpf::Interpreter interpreter(compilation);
//   if (interpreter.run(packet).verdict == XDP_DROP) …
#pragma once

#include "compiler/compile.hpp"

#include <span>
#include <utility>

namespace xdpf {

// What a program sees besides the packet's bytes.
struct PacketContext {
    std::uint32_t rx_queue = 0;
    std::uint32_t ingress_ifindex = 1;
};

struct PacketResult {
    std::uint32_t verdict = 2; // XDP_ABORTED 0, XDP_DROP 1, XDP_PASS 2, XDP_TX 3, XDP_REDIRECT 4 (<linux/bpf.h>)
    MapId redirect_map;        // of XDP_REDIRECT
    std::uint32_t redirect_key = 0;
    Span decided_by; // the rule; the program where no rule matched
};

// A program and its maps. The compilation must outlive it.
class Interpreter {
public:
    // Of a compilation that is ok(); `program` counts Image::programs.
    explicit Interpreter(const Compilation &compilation, std::size_t program = 0);
    Interpreter(Interpreter &&) noexcept;
    Interpreter &operator=(Interpreter &&) noexcept;
    ~Interpreter();

    [[nodiscard]] PacketResult run(std::span<const std::byte> packet, PacketContext context = {});
    // Another program of the compilation runs from now on, over the same maps.
    void select(std::size_t program);

    // The bytes of a value, nothing where the map has no such key. Keys and values as MapSpec lays them out.
    [[nodiscard]] std::optional<std::vector<std::byte>> lookup(MapId map, std::span<const std::byte> key);
    // False where the kernel would refuse: the map is full, or the key is impossible.
    bool update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value);
    // Whether there was one. Entries of arrays stay.
    bool erase(MapId map, std::span<const std::byte> key);
    // Redirect maps begin with every slot filled; after this only those are that `fill_slot` names.
    void clear_slots(MapId map);
    void fill_slot(MapId map, std::uint32_t slot);

    // Keys and values, in order of the keys' bytes; of arrays all in order of index, of redirect maps none.
    [[nodiscard]] std::vector<std::pair<std::vector<std::byte>, std::vector<std::byte>>> entries(MapId map) const;
    [[nodiscard]] std::vector<std::uint32_t> filled_slots(MapId map) const; // of redirect maps
    // Takes over what the maps of another compilation's interpreter hold, of those with the same name, kind and layout.
    void take_maps(Interpreter &&other);

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace xdpf
