// What a source file says, before anyone asks what it means. Nodes live in one arena per file and refer to each other
// by id; every node keeps its span. Names are not resolved here: `a / b` is a division until sema sees that `a` is a
// protocol and makes it a path.
#pragma once

#include "compiler/base/source.hpp"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace xdpf::ast {

struct Expr;
struct Action;
struct Rule;
using ExprId = Id<Expr>;
using ActionId = Id<Action>;
using RuleId = Id<Rule>;

struct Name {
    std::string text;
    Span span;
};

// ---- Expressions: predicates and values share one syntax -------------------------------------------------------

// The text as written; sema converts it, so that 10.0.0.256 or a number of 70 bits is a message and not a parse error.
struct Literal {
    enum class Kind : std::uint8_t { integer, quantity, ipv4, ipv6, mac }; // with or without a prefix length
    Kind kind;
    std::string text; // "0xff", "10_000", "1000/s", "10ms", "10.0.0.0/8", "2001:db8::1", "02:00:00:00:00:01"
};

struct String {
    std::string value; // escapes resolved; may hold any byte
};

struct Identifier {
    std::string text;
};

// udp.dport
struct Member {
    ExprId base;
    Name member;
};

// vlan[0], xsks[2], flows[ipv4.src, udp.dport]
struct Index {
    ExprId base;
    std::vector<ExprId> indices;
};

// packet[12:2]: `length` bytes from `offset`
struct Slice {
    ExprId base;
    ExprId offset;
    ExprId length;
};

struct Argument {
    std::optional<Name> name; // dport = 53
    ExprId value;
};

// checksum(header, payload), counter(packets = 1)
struct Call {
    Name callee;
    std::vector<Argument> arguments;
};

enum class UnaryOp : std::uint8_t { logical_not, negate, complement, any };

struct Unary {
    UnaryOp op;
    ExprId operand;
};

// `path` does not occur here: see the head of this file.
enum class BinaryOp : std::uint8_t {
    logical_or,
    logical_and,
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    in,
    add,
    subtract,
    multiply,
    divide,
    modulo,
    bit_and,
    bit_or,
    bit_xor,
    shift_left,
    shift_right,
};

struct Binary {
    BinaryOp op;
    ExprId left;
    ExprId right;
};

// {22, 80, 8000..8999}, {10.0.0.0/8}, {packets = 1, bytes = 60}
struct Set {
    std::vector<Argument> elements;
};

// 8000..8999, both ends included
struct Range {
    ExprId first;
    ExprId last;
};

struct Expr {
    Span span;
    std::variant<Literal, String, Identifier, Member, Index, Slice, Call, Unary, Binary, Set, Range> node;
};

// ---- Types -----------------------------------------------------------------------------------------------------

// u16, u32le, ipv4_address, counter; bytes[10]; the type of a field: ipv4.src
struct Type {
    Span span;
    Name name;                  // u16, or the header of a field
    std::optional<Name> field;  // ipv4.src
    std::optional<ExprId> size; // bytes[10]
};

// ---- Actions and rules -----------------------------------------------------------------------------------------

struct Verdict {
    enum class Kind : std::uint8_t { pass, drop, abort, tx, next }; // `next` is written `continue`
    Kind kind;
};

// xsk, xsk m, xsk m[key], each with `else verdict`
struct Redirect {
    std::optional<Name> map;
    std::optional<ExprId> key;
    std::optional<ActionId> otherwise;
};

// count m[key]; without a key for maps of one entry
struct Count {
    Name map;
    std::vector<ExprId> key;
};

struct Block {
    std::vector<ActionId> actions;
};

struct Action {
    Span span;
    std::variant<Verdict, Redirect, Count, Block> node;
};

// match PREDICATE -> ACTION | match PREDICATE { RULES } | default -> ACTION
struct Rule {
    Span span;                       // of the whole rule
    Span head;                       // `match PREDICATE`, or `default`: what messages underline
    std::optional<ExprId> predicate; // none: default
    std::variant<ActionId, std::vector<RuleId>> body;
};

// ---- Declarations ----------------------------------------------------------------------------------------------

struct Import {
    Span span;
    std::string path;
    Span path_span;
};

struct Const {
    Name name;
    ExprId value;
};

struct Field {
    Name name;
    std::optional<Type> type;            // none for `end of`
    std::optional<Name> end_of;          // protocol : end of type at most 2
    std::optional<ExprId> at_most;       //
    std::optional<ExprId> default_value; // what a packet of a test gets: ttl : u8 = 64
    std::vector<Field> parts;            // flags : u8 { cwr : u1  ece : u1 … }
};

struct Header {
    Name name;
    std::optional<ExprId> on;           // none: the packet begins with it
    std::optional<Name> then;           // a link of a chain: which of its fields says what follows
    std::optional<ExprId> where;        // if it fails the header is absent
    std::optional<ExprId> size;         // bytes; none: the sum of the fields
    std::optional<ExprId> payload_when; // if it fails nothing stands behind the header
    std::vector<Field> fields;
};

struct Attribute {
    Name name;
    std::optional<ExprId> value;
};

struct Map {
    Name name;
    Name kind;
    std::vector<Type> types; // none, <K>, <V> or <K -> V>, as the kind has it
    bool arrow = false;      // <K -> V> was written
    std::optional<ExprId> entries;
    std::vector<Attribute> attributes;
};

struct Program {
    Name name;
    std::vector<Attribute> attributes; // license = "GPL"
    std::vector<RuleId> rules;
};

// One header of a packet that a test builds: ipv4(src = 10.0.0.1), payload("abc")
struct Layer {
    Name name;
    std::vector<Argument> arguments;
};

struct PacketStatement {
    Span span;
    std::vector<Layer> layers;      // ethernet / ipv4 / udp, or
    std::optional<std::string> hex; // hex "0011…", digits and white space
};

// with rx_queue = 2, with blocklist = {10.0.0.0/8}
struct WithStatement {
    Span span;
    Name name;
    ExprId value;
};

// expect xsk xsks[2], expect hits[10.0.0.1] == {packets = 1}
struct ExpectStatement {
    Span span;
    std::variant<ActionId, ExprId> what;
};

struct Test {
    Span span;
    std::string name;
    Span name_span;
    std::optional<Name> program; // test "…" for dns { … }
    std::vector<std::variant<PacketStatement, WithStatement, ExpectStatement>> statements;
};

using DeclNode = std::variant<Import, Const, Header, Map, Program, Test, RuleId>;

struct Decl {
    Span span;
    DeclNode node; // a RuleId: a rule of the implicit program
};

struct File {
    FileId file;
    std::vector<Decl> decls; // in source order
    IdVector<ExprId, Expr> exprs;
    IdVector<ActionId, Action> actions;
    IdVector<RuleId, Rule> rules;
    std::vector<Name> damaged; // declarations with syntax errors: parts of them, or all, may be missing above
};

} // namespace xdpf::ast
