// The compiled program as data: everything the runtime needs, and nothing of how it came about.
#pragma once

#include "compiler/maps.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

struct bpf_insn; // <linux/bpf.h>

namespace xdpf {

// One BPF instruction, the kernel's struct bpf_insn as a plain value. A 64-bit immediate takes two of them.
struct Insn {
    std::uint8_t code = 0;
    std::uint8_t dst : 4 = 0;
    std::uint8_t src : 4 = 0;
    std::int16_t off = 0;
    std::int32_t imm = 0;
};
static_assert(sizeof(Insn) == 8);

// The source line that instructions from `insn` on stand for.
struct LineEntry {
    std::uint32_t insn = 0; // index into Code::insns
    std::string file;
    std::uint32_t line = 1;   // from 1
    std::uint32_t column = 1; // from 1
    std::string text;         // the line itself
};

// insns[insn] and the one behind it load the address of maps[map]; with `value_offset` the address of that byte of the
// map's only value (MapSpec::data).
struct MapReference {
    std::uint32_t insn = 0;
    MapId map;
    std::optional<std::uint32_t> value_offset;
};

// Functions of the kernel that are no helpers: they are found by their name in its BTF (net/core/xdp.c).
enum class Kfunc : std::uint8_t { rx_hash, rx_timestamp, rx_vlan_tag };
inline constexpr std::array<std::string_view, 3> kfunc_names{
    "bpf_xdp_metadata_rx_hash", "bpf_xdp_metadata_rx_timestamp", "bpf_xdp_metadata_rx_vlan_tag"};
[[nodiscard]] constexpr std::string_view name_of(Kfunc kfunc) { return kfunc_names[static_cast<std::size_t>(kfunc)]; }

// insns[insn] calls it.
struct KfuncReference {
    std::uint32_t insn = 0;
    Kfunc kfunc{};
};

struct ProgramImage {
    // Where it can be attached; the kernel keeps these apart (expected_attach_type of <linux/bpf.h>).
    enum class Place : std::uint8_t { interface, devmap, cpumap };

    std::string name; // also the name of its function
    std::vector<Insn> insns;
    std::vector<MapReference> map_references;
    std::vector<LineEntry> lines;          // in order of insn; the first is for instruction 0
    std::optional<std::uint32_t> priority; // in libxdp's dispatcher: lower runs earlier
    std::optional<std::uint32_t> chain;    // bit 1 << XDP_…: verdicts after which the dispatcher goes on
    MapId rule_counters;                   // where rules are counted: entry i is about the rule number i + 1
    std::vector<Span> rules;               // by number - 1: the heads of the rules that have an action
    std::vector<KfuncReference> kfunc_references{};
    // Programs that this one may go on with, by `goto` or as parts of the same: indices into Image::programs.
    std::vector<std::size_t> goes_on_with{};
    std::optional<std::size_t> part_of{}; // what the source has as one: the index of the first; that one has none
    Place place = Place::interface;
    bool frags = false; // takes packets of several pieces
};

// ---- Tests written in the source ---------------------------------------------------------------------------------

// What a map holds from here on, and nothing else; of redirect maps: which slots are filled.
struct TestContents {
    MapId map;
    std::vector<MapContent> entries;
};

// One of Image::parameters, and its value as its field has it.
struct TestParameter {
    std::size_t parameter = 0;
    std::vector<std::byte> value;
};

// What the packets meet; what is not said here stays as it was.
struct TestSurroundings {
    std::optional<std::uint32_t> rx_queue{};
    std::optional<std::uint32_t> ingress_ifindex{};
    std::optional<std::uint32_t> egress_ifindex{};
    std::optional<std::uint32_t> cpu{};
    std::optional<std::uint64_t> now{}; // ns
    std::optional<std::uint32_t> rx_hash{};
    std::optional<std::uint64_t> rx_timestamp{}; // ns
    std::optional<std::uint16_t> rx_vlan{};      // TCI
};

struct TestPacket {
    std::vector<std::byte> bytes;
    std::uint32_t times = 1;
};

// The verdicts of <linux/bpf.h>: XDP_ABORTED 0, XDP_DROP 1, XDP_PASS 2, XDP_TX 3, XDP_REDIRECT 4. Of every packet.
struct ExpectedVerdict {
    std::uint32_t verdict = 2;
    MapId map;                        // of a redirect; none: any
    std::optional<std::uint32_t> key; // of a redirect; none: any
    bool broadcast = false;           // of a redirect: to all entries
    bool exclude_ingress = false;     // of a broadcast
};

// Which rule of the test's program decided, or went on with another program; of every packet.
struct ExpectedRule {
    std::size_t number = 1; // ProgramImage::rules
};

// The bytes of the last packet afterwards.
struct ExpectedPacket {
    std::vector<std::byte> bytes;
};

// Something about the last packet afterwards, and the maps; a condition of the compilation.
struct ExpectedCondition {
    std::uint32_t predicate = 0;
};

// Fields of an entry; none: no such entry. Of Bloom filters `key` is the value that they have or do not have.
struct ExpectedEntry {
    MapId map;
    std::vector<std::byte> key;
    bool present = true;
    std::vector<LayoutField> fields; // those that are compared
    std::vector<std::byte> value;    // as the map's values, with these fields
};

// The last record of a ring buffer: one of these.
struct ExpectedRecord {
    MapId map;
    struct Alternative {
        std::size_t record = 0; // index into Image::records
        std::vector<LayoutField> fields;
        std::vector<std::byte> value; // as the record, with these fields
    };
    std::vector<Alternative> alternatives;
};

struct Expectation {
    std::variant<ExpectedVerdict, ExpectedRule, ExpectedPacket, ExpectedCondition, ExpectedEntry, ExpectedRecord> what;
    Span span;
    std::string text; // as it stands in the source, without `expect`
};

// Packets, what they meet, and what is expected of them.
struct TestGroup {
    TestSurroundings surroundings;
    std::vector<TestContents> contents;
    std::vector<TestParameter> parameters;
    std::vector<TestPacket> packets; // run in order
    std::vector<Expectation> expectations;
};

// Groups run one after the other over the same maps.
struct TestImage {
    std::string name;
    std::size_t program = 0; // index into Image::programs
    Span span;
    std::vector<TestGroup> groups;
    std::string not_in_kernel; // why not; empty: it can run there
};

// A `param`: a field of the value of Image::params.
struct Parameter {
    std::string name;
    std::size_t field = 0; // of MapSpec::value
    // Of numbers: what may be set, both ends included; empty: all that fits.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> bounds;
    Span span;
};

// What a program writes into a ring buffer: one for each `emit` and `sample`. Every record begins with `time` (u64, ns
// of CLOCK_MONOTONIC) and `type` (u32, an index into Image::records). A sample goes on with `captured`, `length`,
// `rx_queue` and `iface` (u32 each), then as many bytes of the packet as `captured` says.
struct RecordType {
    std::string name; // of the BTF type: events_0
    MapId map;
    Layout layout;
    bool sample = false;
    std::uint32_t bytes = 0; // sample: most of the packet
};

struct Image {
    std::string name;          // of the source file, without folder and ending
    std::string license;       // "GPL" unless a program says otherwise
    std::vector<MapSpec> maps; // indexed by MapId
    std::vector<ProgramImage> programs;
    std::vector<RecordType> records;
    std::vector<Parameter> parameters;
    MapId params;           // the map that holds them (MapSpec::data); none: there are none
    MapId program_table;    // the prog_array for `goto`: slot i is for programs[i]; none: no goto
    MapId verdict_counters; // entry i counts the verdict i, on each processor; none: they are not counted
    std::vector<TestImage> tests;
    std::vector<std::byte> elf; // the object file

    // Those that the source has; the others are parts of them and stand behind.
    [[nodiscard]] std::span<const ProgramImage> own_programs() const
    {
        const auto last =
            std::ranges::find_if(programs, [](const ProgramImage &one) { return one.part_of.has_value(); });
        return {programs.begin(), last};
    }
};

} // namespace xdpf
