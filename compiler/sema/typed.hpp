// The typed program: what a source means once names are resolved and types are checked. Expressions and predicates
// refer to headers and fields of the protocol graph, to maps, and to each other by id; nothing here knows how a packet
// is walked or what instructions exist.
#pragma once

#include "compiler/base/source.hpp"
#include "compiler/image.hpp"
#include "compiler/maps.hpp"

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
};

// `protocol : end of type at most 2`: links stand behind the header as long as the selector names one.
struct Chain {
    std::string name;
    std::size_t selector = 0; // index of the field that names the first link
    unsigned limit = 0;       // most links; one more, or one cut short, leaves nothing behind
};

// One way to a header: behind `parent` where the condition holds for it. Through a chain: behind its last link, and the
// condition is about what that link names.
struct Way {
    HeaderId parent;
    bool through_chain = false;
    PredId condition;
    std::uint8_t link = 0; // where the parent is a link: which one, as in vlan[1]
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
    std::optional<std::size_t> then; // a link of its only way's chain: the field that names what follows
    std::uint32_t max_size = 0;      // bytes; a longer one counts as absent
    bool clamp_size = false;         // the size could come out above max_size
    bool check_size = false;         // the size could come out below fixed_size
    std::uint32_t max_position = 0;  // how far from the packet's start it can begin, in bytes

    [[nodiscard]] bool is_link() const { return then.has_value(); }
};

// ---- Expressions: numbers of 64 bits, addresses, bytes -------------------------------------------------------------

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
enum class Metadata : std::uint8_t { packet_length, rx_queue, iface };
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
    std::variant<Constant, BytesConstant, FieldValue, ChainEnd, Metadata, Slice, Binary, Unary> node;
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
    ExprId key;
    MapId map;
};

struct Pred {
    std::variant<Truth, Not, And, Or, Present, ReachedBy, LinkCount, LinkIs, Compare, InSet, InMap> node;
    Span span;
};

// ---- Rules ---------------------------------------------------------------------------------------------------------

struct Count {
    MapId map;
    std::optional<ExprId> key; // none: the only entry of an array
    Span span;
};

// The verdict of <linux/bpf.h>, or a redirect to a socket.
struct Decision {
    std::uint32_t verdict = 2; // of a redirect: the fallback
    MapId xskmap;              // none: no redirect
    std::optional<ExprId> key; // none: the receive queue
    Span span;
};

// What a rule does: steps, then a decision. Without one the next rule is tried.
struct Action {
    std::vector<Count> steps;
    std::optional<Decision> decision;
};

struct Rule {
    std::optional<PredId> predicate; // none: default
    std::variant<Action, std::vector<Rule>> body;
    Span head;
};

struct Program {
    std::string name;
    Span span;
    std::vector<Rule> rules;
};

// Everything a compilation knows about its source.
struct Unit {
    std::string name;
    std::string license = "GPL";
    IdVector<HeaderId, Header> headers;
    IdVector<ExprId, Expr> exprs;
    IdVector<PredId, Pred> preds;
    IdVector<MapId, MapSpec> maps;
    std::vector<Program> programs;
    std::vector<TestImage> tests;
};

} // namespace xdpf::sema
