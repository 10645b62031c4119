// The typed program: what a source means once names are resolved and types are checked. Expressions and predicates
// refer to headers and fields of the protocol graph, to maps, and to each other by id; nothing here knows how a packet
// is walked or what instructions exist.
#pragma once

#include "compiler/base/source.hpp"
#include "compiler/image.hpp"
#include "compiler/maps.hpp"
#include "compiler/pcap/program.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace xdpf::sema {

__extension__ typedef unsigned __int128 u128;

enum class ValueType : std::uint8_t { number, mac, ipv4, ipv6, bytes };

struct Expr;
struct Pred;
struct Header;
using ExprId = Id<Expr>;
using PredId = Id<Pred>;
using HeaderId = Id<Header>;

// A header of the outermost packet. `index` counts the links of a chain that are this header: vlan[1].
struct HeaderRef {
    HeaderId header;
    std::uint8_t index = 0;
    auto operator<=>(const HeaderRef &) const = default;
};

// ---- The protocol graph ------------------------------------------------------------------------------------------

struct Field {
    std::string name; // of a part: "flags.syn"
    ValueType type = ValueType::number;
    std::uint32_t bit_offset = 0; // from the header's first bit, in network bit order
    std::uint32_t bits = 0;
    bool little_endian = false;
    Span span;
    // A floating field: its place is computed, in bytes from the header's start, and it is absent where `when` does not
    // hold. It has no bit_offset of its own.
    std::optional<ExprId> at;
    std::optional<PredId> when;
    [[nodiscard]] bool floating() const { return at.has_value(); }
};

// checksum : u16 = checksum(header, payload, ipv4.src, …, zero = 0xffff): what the field sums up (RFC 1071).
struct Checksum {
    std::size_t field = 0;
    bool header = false;                                   // all bytes of its header
    bool payload = false;                                  // all bytes behind its header
    std::vector<std::pair<HeaderRef, std::size_t>> fields; // of headers in front
    std::optional<std::uint16_t> zero;                     // 0 means that there is none, and a sum of 0 is written so
};

// Items that fill a header from behind its fields to its end, or to the packet's where the header's size is that of its
// fields: TCP options. No item is looked for beyond farthest_item bytes from such a header's start.
constexpr std::uint32_t farthest_item = 2047;
struct ListOf {
    HeaderId container;
    unsigned limit = 0;             // most items that are looked at; what stands behind them is not found
    std::optional<PredId> end_when; // of an item: nothing follows
    std::optional<PredId> pad_when; // of an item: it is a single byte
};

// `protocol : end of type at most 2`: links stand behind the header as long as the selector names one.
struct Chain {
    std::string name;
    std::size_t selector = 0;              // index of the field that names the first link
    std::optional<std::uint64_t> constant; // in place of a field: what the first link is called
    unsigned limit = 0;                    // most links; one more, or one cut short, leaves nothing behind
};

// One way to a header: behind `parent` where the condition holds for it. Through a chain: behind its last link, and the
// condition is about what that link names.
struct Way {
    HeaderId parent;
    bool through_chain = false;
    PredId condition;
    std::uint8_t link = 0;     // where the parent is a link: which one, as in vlan[1]
    bool through_list = false; // the parent is an item of a list, any of them
    bool carried = false;      // the parent is a tunnel, and what it carries begins here
    [[nodiscard]] HeaderRef in_front() const { return {parent, link}; }
};

struct Header {
    std::string name;
    Span span;
    std::vector<Field> fields;
    std::uint32_t fixed_size = 0; // bytes of the declared fields
    std::vector<Way> ways;        // none: the packet begins with it
    std::optional<PredId> where;
    std::optional<ExprId> size; // in bytes; all of them lie in the packet
    std::optional<PredId> payload_when;
    std::optional<Chain> chain;
    std::optional<ListOf> list; // an item of a list; its size is the item's. Only what stands `on` it is ever asked for
    std::optional<Checksum> checksum;
    std::optional<std::size_t> then; // a link of its only way's chain: the field that names what follows
    std::uint32_t max_size = 0;      // bytes; a longer one counts as absent
    bool clamp_size = false;         // the size could come out above max_size
    bool check_size = false;         // the size could come out below fixed_size
    std::uint32_t max_position = 0;  // how far from the packet's start it can begin, in bytes
    bool clamp_position = false;     // it could come out above that, and is then absent

    [[nodiscard]] bool is_link() const { return then.has_value(); }
};

// ---- Expressions: numbers of 64 bits, addresses, bytes -------------------------------------------------------------

inline constexpr u128 mapped_ipv4 = u128(0xffff) << 32; // ::ffff:0:0/96 (RFC 4291, 2.5.5.2)

struct Constant {
    u128 value = 0;
};
struct BytesConstant {
    std::string value;
};
struct FieldValue {
    HeaderRef header;
    std::size_t field = 0;
};
// What stands behind a chain: ethernet.protocol.
struct ChainEnd {
    HeaderId base;
};
enum class Metadata : std::uint8_t {
    packet_length,
    rx_queue,
    iface,
    egress_iface, // only on a devmap
    now,          // nanoseconds, CLOCK_MONOTONIC
    random,       // 32 bits
    cpu,
    rx_hash,      // by kfunc; absent where the driver has none
    rx_timestamp, // nanoseconds
    rx_vlan,      // the tag's TCI
};
// The value of a parameter: a field of the params map's only value.
struct ParamValue {
    MapId map;
    std::size_t field = 0; // of MapSpec::value
};
// A field of what a map holds under a key; absent where it holds nothing.
struct MapValue {
    MapId map;
    std::vector<ExprId> key; // none: index 0
    std::size_t field = 0;   // of MapSpec::value
};
// What a `let` in front holds; absent where its value was.
struct LetValue {
    std::size_t let = 0; // counts the lets of the program
};
// The first of them that the packet has; all of one type, or ipv4 and ipv6 (then it is ipv6, IPv4-mapped).
struct Either {
    std::vector<ExprId> alternatives;
};
// 32 bits that depend on all of the values and spread well; the same in every program.
struct Hash {
    std::vector<ExprId> values;
};
// An index below weights.size(), by `value` modulo their sum: the first weights[0] numbers give 0, and so on.
struct Weighted {
    ExprId value;
    std::vector<std::uint32_t> weights;
};
// Raw bytes, big-endian: of the packet, or of what stands behind a header. Absent where the packet ends before.
struct Slice {
    std::optional<HeaderRef> behind; // none: from the packet's start
    std::uint32_t offset = 0;
    std::uint32_t length = 0;
};
enum class Arithmetic : std::uint8_t {
    add,
    subtract,
    multiply,
    divide,
    modulo,
    bit_and,
    bit_or,
    bit_xor,
    shift_left,
    shift_right
};
struct Binary {
    Arithmetic op;
    ExprId left;
    ExprId right;
};
enum class UnaryArithmetic : std::uint8_t { negate, complement };
struct Unary {
    UnaryArithmetic op;
    ExprId operand;
};

struct Expr {
    ValueType type = ValueType::number;
    std::uint32_t bits = 64; // no value needs more; of bytes: their number times 8
    std::variant<Constant, BytesConstant, FieldValue, ChainEnd, Metadata, Slice, Binary, Unary, ParamValue, MapValue,
                 LetValue, Either, Hash, Weighted>
        node;
    Span span;
};

// ---- Predicates ----------------------------------------------------------------------------------------------------

struct Truth {
    bool value;
};
struct Not {
    PredId operand;
};
struct And {
    PredId left;
    PredId right;
};
struct Or {
    PredId left;
    PredId right;
};
// The packet has this header.
struct Present {
    HeaderRef header;
};
// The header was reached by this way (an index of Header::ways).
struct ReachedBy {
    HeaderId header;
    std::size_t way = 0;
};
// Exactly `count` links stand behind `base`.
struct LinkCount {
    HeaderId base;
    unsigned count = 0;
};
// Link number `position` (from 0) behind `base` is `link`.
struct LinkIs {
    HeaderId base;
    unsigned position = 0;
    HeaderId link;
};
enum class Comparison : std::uint8_t { equal, not_equal, less, less_equal, greater, greater_equal };
// False where an operand is absent.
struct Compare {
    Comparison op;
    ExprId left;
    ExprId right;
};
struct Interval {
    u128 first;
    u128 last; // included
    bool operator==(const Interval &) const = default;
};
// The value lies in one of the intervals, which are sorted and do not touch.
struct InSet {
    ExprId value;
    std::vector<Interval> intervals;
};
struct InMap {
    std::vector<ExprId> key; // one for each field of the key, the prefix length left out
    MapId map;
};
// A token bucket (GCRA): the map's only field is the time, in ns, when the bucket is full again. True, and nothing is
// taken, where the packet comes too early; a key that is new is below the rate.
struct Exceeds {
    MapId map;
    std::vector<ExprId> key;     // none: one bucket for all, index 0 of an array
    std::uint64_t interval = 0;  // ns between packets at the full rate, at least 1
    std::uint64_t tolerance = 0; // ns: (burst - 1) * interval
};
// One in `n` packets at random.
struct OneIn {
    std::uint64_t n = 1;
};
// A tcpdump expression: the packet is what libpcap's program returns something else than 0 for.
struct Pcap {
    pcap::Program program; // as pcap::compile() gives it
    std::string text;
};

struct Pred {
    std::variant<Truth, Not, And, Or, Present, ReachedBy, LinkCount, LinkIs, Compare, InSet, InMap, Exceeds, OneIn,
                 Pcap>
        node;
    Span span;
};

// ---- Rules ---------------------------------------------------------------------------------------------------------

struct Action;

// A step with an absent operand does nothing.
struct Count {
    MapId map;
    std::vector<ExprId> key; // one for each field of the key; none: the only entry of an array
};
// m[key].field = value; other fields of a new entry are 0
struct Assign {
    enum class Op : std::uint8_t { set, add, subtract };
    struct To {
        std::size_t field = 0; // of MapSpec::value
        ExprId value;
    };
    MapId map;
    std::vector<ExprId> key;
    Op op = Op::set;
    std::vector<To> fields;
    bool whole = false; // the fields that are not named become 0; otherwise they keep their value
};
struct Delete {
    MapId map;
    std::vector<ExprId> key;
};
// To a bloom filter, a queue, a stack; what is full stays as it is.
struct AddTo {
    MapId map;
    std::vector<ExprId> value; // one for each field
};
struct Let {
    std::size_t let = 0; // counts the lets of the program
    ExprId value;
};
// A field gets a value, and the checksums that cover it change with it (RFC 1624, equation 3).
struct SetField {
    HeaderRef header;
    std::size_t field = 0;
    ExprId value;
    // Headers in front, or this one, whose checksum covers the field, from the inside out; those the packet has are
    // kept right.
    struct Covering {
        HeaderRef header;
        std::vector<std::size_t> covers; // which of the checksums before it in the list it covers, too
        bool odd = false;                // what it covers can lie an odd number of bytes behind its header's start
    };
    std::vector<Covering> checksums;
};
struct Swap {
    SetField left; // with the other's field as its value
    SetField right;
};
// Puts a link of a chain right behind the chain's base, which the packet begins with.
struct Push {
    HeaderId base;
    HeaderId link;
    std::vector<std::pair<std::size_t, ExprId>> fields; // index of Header::fields; others are 0
    std::uint64_t selector = 0;                         // what the base calls the link
};
// Takes away the first link behind the base, where it is this one.
struct Pop {
    HeaderId base;
    HeaderId link;
};
// What an encapsulation carries, and what that is called by the field in front of it.
struct Carried {
    HeaderId header;
    std::uint64_t selector = 0;
    std::optional<std::size_t> way; // it is carried only where it was reached by this one of its ways
    HeaderId origin;                // what it becomes where it comes out of the tunnel
};
// New headers, in front of the packet or behind its link layer.
struct Encap {
    std::vector<std::byte> bytes; // what is constant of them
    struct Field {
        std::uint32_t start = 0; // of its header, in bytes of the new headers
        HeaderId header;
        std::size_t field = 0;
        ExprId value;         // none: a length, which grows by the bytes that are carried
        std::uint32_t at = 0; // of a field with a computed place: where it is here, in bytes from its header's start
    };
    std::vector<Field> fields;
    struct Sum {
        std::uint32_t offset = 0; // of the checksum's 16 bits; it sums up the new headers' bytes [begin, end)
        std::uint32_t begin = 0;
        std::uint32_t end = 0;
    };
    std::vector<Sum> sums;
    // Invalid: in front of everything. Otherwise behind this header, which the packet begins with, and the links of its
    // chain; the last selector there becomes `selector`.
    HeaderId link_layer;
    std::uint64_t selector = 0;
    // One of these is carried, or the step does nothing; `inner` (of the header that begins at `inner_start`) says
    // which. None: whatever there is.
    std::vector<Carried> carried;
    HeaderId first; // of the new headers
    std::uint32_t inner_start = 0;
    HeaderId inner;
    std::optional<std::size_t> inner_field;
};
// Takes away everything in front of what a header carries, but the link layer where that is none itself.
struct Decap {
    HeaderId header;
    std::vector<Carried> carried; // the roots inside; the first that the packet has
    HeaderId link_layer;          // stays in front of what does not begin with one itself; invalid: all of it does
};
// A record to a ring buffer.
struct Emit {
    std::size_t record = 0;     // of Unit::records
    std::vector<ExprId> fields; // one for each of its fields behind time and type
};
// The packet's first bytes to a ring buffer.
struct Sample {
    std::size_t record = 0; // of Unit::records
};
// Numbers in front of the packet: of 4 or 8 bytes, host byte order, the last one ends where the packet begins.
struct MetadataArea {
    std::uint32_t size = 0; // bytes, a multiple of 4
    struct Field {
        std::uint32_t offset = 0;
        std::uint32_t size = 0;
        ExprId value;
    };
    std::vector<Field> fields;
};
struct If {
    PredId predicate;
    std::vector<Action> then;      // one
    std::vector<Action> otherwise; // one or none
};

struct Step {
    std::variant<Count, Assign, Delete, AddTo, Let, SetField, Swap, Push, Pop, Encap, Decap, Emit, Sample, MetadataArea,
                 If>
        node;
    Span span;
    bool may_be_absent = false; // by intention: no warning where it never does anything
};

// The verdict of <linux/bpf.h>, a redirect, a jump into another program, or instructions that end in a verdict.
struct Decision {
    std::uint32_t verdict = 2; // of a redirect: the fallback
    MapId redirect;            // none: no redirect
    std::optional<ExprId> key; // none: the receive queue
    bool broadcast = false;
    bool except_ingress = false;
    std::optional<std::size_t> go_to;    // a program of Unit::programs
    std::optional<std::size_t> assembly; // of Unit::assembly
    Span span;
};

// What a rule does: steps, then a decision. Without one the next rule is tried; a branch of an `if` goes on with the
// step behind it, unless it says `continue`: then the rule's other steps are left out.
struct Action {
    std::vector<Step> steps;
    std::optional<Decision> decision;
    std::optional<Span> goes_on; // the `continue`
};

// Whether no packet goes on with the next rule.
[[nodiscard]] inline bool always_decides(const Action &action)
{
    const auto may_go_on = [](const auto &self, const Action &one) -> bool {
        return one.goes_on || std::ranges::any_of(one.steps, [&](const Step &step) {
                   const auto *fork = std::get_if<If>(&step.node);
                   const auto any = [&](const std::vector<Action> &branch) {
                       return std::ranges::any_of(branch, [&](const Action &inner) { return self(self, inner); });
                   };
                   return fork != nullptr && (any(fork->then) || any(fork->otherwise));
               });
    };
    return action.decision && !may_go_on(may_go_on, action);
}

// Rules that came out of a file, and what they could be about: their fields and headers, whatever is in the file.
struct RuleTable {
    std::string file;
    std::vector<std::pair<HeaderRef, std::size_t>> fields;
    std::vector<HeaderRef> headers;
    MapId xskmap;
};

struct Rule {
    std::optional<PredId> predicate; // none: default
    std::variant<Action, std::vector<Rule>> body;
    Span head;
    std::size_t number = 0; // of a rule with an action: from 1, in source order within its program
    std::optional<RuleTable> table = std::nullopt; // of rules: they are from a file
};

struct Program {
    std::string name;
    Span span;
    std::vector<Rule> rules;
    std::size_t lets = 0; // how many there are
    ProgramImage::Place place = ProgramImage::Place::interface;
    bool frags = false;
    std::optional<std::uint32_t> priority; // in libxdp's dispatcher
    std::optional<std::uint32_t> chain;    // bit 1 << XDP_…: verdicts after which the dispatcher goes on
    MapId counters;                        // one entry for each rule, where rules are counted
};

// A block of instructions in the kernel's notation; read and checked once all maps are known.
struct Assembly {
    std::string text;
    Span text_span;
    ProgramImage::Place place = ProgramImage::Place::interface;
    std::vector<Insn> insns;
    std::vector<MapReference> maps;
    std::vector<Span> spans; // by instruction
    Span span;
};

// Everything a compilation knows about its source.
struct Unit {
    std::string name;
    std::string license = "GPL";
    IdVector<HeaderId, Header> headers;
    IdVector<ExprId, Expr> exprs;
    IdVector<PredId, Pred> preds;
    IdVector<MapId, MapSpec> maps;
    std::vector<Assembly> assembly;
    std::vector<RecordType> records;
    std::vector<Parameter> parameters;
    MapId params;        // the map that holds them, where there are any
    MapId program_table; // the prog_array for goto: slot i is programs[i]
    std::vector<Program> programs;
    std::vector<TestImage> tests;
};

} // namespace xdpf::sema
