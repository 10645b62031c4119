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
    std::optional<ExprId> target; // of a set: 10.0.0.1 -> 5, the value behind the arrow
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

// (ipv4.src, udp.dport): two or more values
struct Tuple {
    std::vector<ExprId> elements;
};

// pcap "udp port 53"
struct Pcap {
    std::string text;
    Span text_span; // with its quotes
};

// exceeds(1000/s per ipv4.src, burst 200)
struct Exceeds {
    ExprId rate;
    std::optional<ExprId> per; // a Tuple where several values make the key
    std::optional<ExprId> burst;
};

struct Expr {
    Span span;
    std::variant<Literal, String, Identifier, Member, Index, Slice, Call, Unary, Binary, Set, Range, Tuple, Pcap,
                 Exceeds>
        node;
};

// ---- Types -----------------------------------------------------------------------------------------------------

// u16, u32le, ipv4_address, counter; bytes[10]; the type of a field: ipv4.src; (ipv4.src, u16); {seen: u64, port: u16}
struct Type {
    Span span;
    Name name;                    // u16, or the header of a field, dots included: vxlan.inner.ipv4; empty: parts
    std::optional<Name> field;    // ipv4.src
    std::optional<ExprId> size;   // bytes[10]
    std::vector<Type> parts;      // of a tuple or a struct
    std::vector<Name> part_names; // of a struct: one for each part; none: a tuple
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

// redirect m[key] else verdict; m[*] to all of them, m[* except iface] not back where the packet came from
struct RedirectTo {
    Name map;
    std::optional<ExprId> key; // none: all
    bool except_ingress = false;
    std::optional<ActionId> otherwise;
};

// goto other_program
struct Goto {
    Name program;
};

// m[key] = 1, m[key].packets += 1, m[key] = {packets = 1}
struct Assign {
    enum class Op : std::uint8_t { set, add, subtract };
    Op op;
    ExprId target;
    ExprId value; // may be a Set of named elements
};

// delete m[key]
struct Delete {
    Name map;
    std::vector<ExprId> key;
};

// add ipv4.src to seen
struct AddTo {
    ExprId value;
    Name map;
};

// let x = udp.dport
struct Let {
    Name name;
    ExprId value;
};

// set ipv4.ttl = ipv4.ttl - 1
struct SetField {
    ExprId field;
    ExprId value;
};

// swap ethernet.src, ethernet.dst
struct Swap {
    ExprId left;
    ExprId right;
};

// One header of a packet that a test builds or a rule puts in front: ipv4(src = 10.0.0.1), payload("abc")
struct Layer {
    Name name;
    std::vector<Argument> arguments;
};

// push vlan(id = 7)
struct Push {
    Layer layer;
};

// pop vlan
struct Pop {
    Name header;
};

// encap ethernet / ipv4(dst = 192.0.2.1) / udp / vxlan(vni = 7)
struct Encap {
    std::vector<Layer> layers;
};

// decap vxlan
struct Decap {
    Name header; // dots included
};

// emit events {src = ipv4.src, port = udp.dport}
struct Emit {
    Name map;
    ExprId record; // a Set of named elements
};

// sample ring[128]
struct Sample {
    Name map;
    std::optional<ExprId> bytes;
};

// metadata {mark = 5}: written in front of the packet for the socket to read
struct Metadata {
    ExprId record; // a Set of named elements
};

struct If {
    ExprId predicate;
    ActionId then;
    std::optional<ActionId> otherwise;
};

// asm { … }: the text between the braces
struct Asm {
    std::string text;
    Span text_span;
};

// An action that a `def` names: punish(ipv4.src)
struct Use {
    Name callee;
    std::vector<Argument> arguments;
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
    std::variant<Verdict, Redirect, Count, Block, RedirectTo, Goto, Assign, Delete, AddTo, Let, SetField, Swap, Push,
                 Pop, Encap, Decap, Emit, Sample, Metadata, If, Asm, Use>
        node;
};

// match PREDICATE -> ACTION | match PREDICATE { RULES } | default -> ACTION | match from "acl.csv"
struct Rule {
    Span span;                       // of the whole rule
    Span head;                       // `match PREDICATE`, or `default`: what messages underline
    std::optional<ExprId> predicate; // none: default, or `from`
    std::variant<ActionId, std::vector<RuleId>> body;
    std::optional<String> from = {}; // the rules are in this file, and there is no body
    Span from_span = {};
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

// param dns_port : u16 = 53 in 1..65535
struct Param {
    Name name;
    Type type;
    ExprId value;
    std::optional<ExprId> bounds; // a Set, a Range, or what names one
};

// def from_lan = ipv4.src in 10.0.0.0/8; def punish(k) = { count hits[k]; drop }
struct Def {
    Name name;
    std::vector<Name> parameters;
    std::variant<ExprId, ActionId> body;
};

struct Field {
    Name name;
    std::optional<Type> type;            // none for `end of`
    std::optional<Name> end_of;          // protocol : end of type at most 2; a number's digits: end of 0 at most 4
    std::optional<ExprId> at_most;       //
    std::optional<ExprId> default_value; // what a packet of a test gets: ttl : u8 = 64
    std::vector<Field> parts;            // flags : u8 { cwr : u1  ece : u1 … }
    // A floating field: its place, in bytes from the header's start, is computed; absent where `when` does not hold.
    std::optional<ExprId> at;
    std::optional<ExprId> when;
};

// inner ipv4 when protocol == 0x0800
struct Inner {
    Name header;
    std::optional<ExprId> when;
};

// header x in tcp at most 10: items that fill tcp from behind its fields to its end
struct ListOf {
    Name container; // dots included
    ExprId at_most;
};

struct Header {
    Name name;                          // may hold dots: tcp.option.mss
    std::optional<ExprId> on;           // none: the packet begins with it
    std::optional<Name> then;           // a link of a chain: which of its fields says what follows
    std::optional<ExprId> where;        // if it fails the header is absent
    std::optional<ExprId> size;         // bytes; none: the sum of the fields
    std::optional<ExprId> payload_when; // if it fails nothing stands behind the header
    std::optional<ListOf> list;         // an item of a list
    std::optional<ExprId> end_when;     // the item that ends its list
    std::optional<ExprId> pad_when;     // an item of a single byte
    std::vector<Inner> inner;           // what it carries begins with one of these
    std::vector<Field> fields;
};

// union ip { src : ipv4.src or ipv6.src }: whichever of them the packet has
struct Union {
    struct Member {
        Name name;
        ExprId fields; // ipv4.src or ipv6.src
    };
    Name name;
    std::vector<Member> members;
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
    std::optional<ExprId> contents; // a Set
    std::optional<String> from;     // a file's name
    Span from_span;
};

struct Program {
    Name name;
    std::optional<Name> place;         // on devmap, on cpumap
    std::vector<Attribute> attributes; // license = "GPL"
    std::vector<RuleId> rules;
};

struct PacketStatement {
    Span span;
    std::vector<Layer> layers;       // ethernet / ipv4 / udp, or
    std::optional<std::string> hex;  // hex "0011…", digits and white space, or
    std::optional<std::string> pcap; // pcap "capture.pcap", beside the source
    std::optional<ExprId> times;     // how often
};

// with rx_queue = 2, with blocklist = {10.0.0.0/8}
struct WithStatement {
    Span span;
    Name name;
    ExprId value;
};

// expect xsk xsks[2], expect hits[10.0.0.1] == {packets = 1}
// expect rule 2
struct ExpectRule {
    ExprId number;
};

struct ExpectStatement {
    Span span;
    std::variant<ActionId, ExprId, PacketStatement, ExpectRule> what;
};

struct Test {
    Span span;
    std::string name;
    Span name_span;
    std::optional<Name> program; // test "…" for dns { … }
    std::vector<std::variant<PacketStatement, WithStatement, ExpectStatement>> statements;
};

using DeclNode = std::variant<Import, Const, Header, Map, Program, Test, RuleId, Param, Def, Union>;

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
