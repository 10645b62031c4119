// Runs a compiled program over packets in this process: its meaning, without a kernel, without root.
//
//   xdpf::Interpreter interpreter(compilation);
//   if (interpreter.run(packet).verdict == XDP_DROP) …
#pragma once

#include "compiler/compile.hpp"

#include <expected>
#include <span>
#include <utility>

namespace xdpf {

// What a program sees besides the packet's bytes.
struct PacketContext {
    std::uint32_t rx_queue = 0;
    std::uint32_t ingress_ifindex = 1;
    std::uint32_t egress_ifindex = 0; // of programs on a devmap
    std::uint32_t cpu = 0;
    std::uint64_t now = 0;  // ns of CLOCK_MONOTONIC
    std::uint64_t seed = 0; // the same random numbers for the same seed
    // What the device tells of the packet; nothing: it does not tell.
    std::optional<std::uint32_t> rx_hash = std::nullopt;
    std::optional<std::uint64_t> rx_timestamp = std::nullopt; // ns
    std::optional<std::uint16_t> rx_vlan = std::nullopt;      // the tag's TCI
};

// What was handed to user space. Records of `emit` and `sample` are laid out as Image::records says.
struct RingRecord {
    MapId map;
    std::vector<std::byte> bytes;
};

struct PacketResult {
    std::uint32_t verdict = 2;      // XDP_ABORTED 0, XDP_DROP 1, XDP_PASS 2, XDP_TX 3, XDP_REDIRECT 4 (<linux/bpf.h>)
    MapId redirect_map;             // of XDP_REDIRECT
    std::uint32_t redirect_key = 0; // no meaning in a broadcast
    bool broadcast = false;         // to every entry of the map
    bool exclude_ingress = false;   // but not to where the packet came from
    Span decided_by;                // the rule; no rule's where none matched
    std::size_t program = 0;        // which one decided: another one after a `goto`
    std::vector<Span> gone_on_by{}; // the rules whose `goto` was followed on the way there
    std::vector<std::byte> bytes{}; // the packet as the program leaves it
    std::vector<std::byte> metadata{}; // what stands in front of it
    std::vector<RingRecord> records{}; // in order
};

// A program and its maps, which begin with the contents and parameters that the source gives. The compilation must
// outlive it.
class Interpreter {
public:
    // Of a compilation that is ok(); `program` counts Image::programs.
    explicit Interpreter(const Compilation &compilation, std::size_t program = 0);
    Interpreter(Interpreter &&) noexcept;
    Interpreter &operator=(Interpreter &&) noexcept;
    ~Interpreter();

    // Follows `goto` as the kernel does: at most 33 times for one packet.
    [[nodiscard]] PacketResult run(std::span<const std::byte> packet, const PacketContext &context = {});
    // Another program of the compilation runs from now on, over the same maps.
    void select(std::size_t program);

    // The error says why not: there is no such parameter, or its bounds do not allow the value.
    std::expected<void, std::string> set_parameter(std::string_view name, std::uint64_t value);
    // Any parameter; `value` as its field of Image::params has it.
    std::expected<void, std::string> set_parameter(std::string_view name, std::span<const std::byte> value);

    // The bytes of a value, nothing where the map has no such key. Keys and values as MapSpec lays them out. Of Bloom
    // filters the key is the value that is looked for.
    [[nodiscard]] std::optional<std::vector<std::byte>> lookup(MapId map, std::span<const std::byte> key);
    // False where the kernel would refuse: the map is full, or the key is impossible. Queues, stacks and Bloom filters
    // take no key.
    bool update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value);
    // Whether there was one. Entries of arrays stay.
    bool erase(MapId map, std::span<const std::byte> key);
    // Nothing is in the map any more; arrays hold zeros.
    void clear(MapId map);
    // Redirect maps begin with every slot filled; after this only those are that `fill_slot` names.
    void clear_slots(MapId map);
    void fill_slot(MapId map, std::uint32_t slot);
    [[nodiscard]] bool is_filled(MapId map, std::uint32_t slot) const;
    // As a reader of the ring does: there is room again.
    void clear_records(MapId ring);

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
