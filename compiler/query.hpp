// What editors ask about a source: what stands at a place, where that is declared, what may stand there, what the file
// declares. A source with mistakes is asked as well as any other: what is around the place is read word by word, and
// names mean whatever of them could be read.
//
//   auto compilation = xdpf::compile(text, path);
//   if (auto found = xdpf::query::describe(compilation, offset))
//       show(found->code, found->text);
#pragma once

#include "compiler/base/source.hpp"
#include "compiler/compile.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::query {

// The words that have a meaning of their own, as words.def sorts them.
enum class Sort : std::uint8_t {
    keyword,
    action,            // begins one; reserved or not
    function,          // of values and predicates
    value,             // what is not in the packet: now, rx_queue
    type,              // of fields and in maps
    map_type,          // in maps only
    header_type,       // of fields only
    map_kind,          //
    map_attribute,     //
    program_attribute, //
    clause_function,   // in the clauses and defaults of headers
    clause_value
};
struct Word {
    Sort sort;
    std::string_view word;
    std::string_view form; // how it is written: "xsk [map[key]] [else verdict]"
    std::string_view text; // sentences
};
[[nodiscard]] std::span<const Word> words();

// A field of a header, or of a map's key or value.
struct FieldRow {
    std::string name; // of a part: "flags.syn"
    std::string type; // as it is written: "u16"
    std::uint32_t bits = 0;
    std::optional<std::uint32_t> bit_offset; // from the beginning, in network bit order; none: its place is computed
    std::string text;                        // the comment behind it
};

struct Description {
    Span span{};                     // of the name that was asked about
    std::string code{};              // as a source says it: "udp.dport : u16 = 5678"
    std::vector<std::string> text{}; // paragraphs
    std::vector<FieldRow> fields{};  // of a header
    Span declared{};                 // its name where it is declared, maybe in another file; invalid: nowhere
};

// All offsets are bytes of the main source. Nothing: there is nothing to say, e.g. about a number.
[[nodiscard]] std::optional<Description> describe(const Compilation &compilation, std::uint32_t offset);

enum class Role : std::uint8_t {
    keyword,
    action,
    function,
    value,
    type,
    header,
    field,
    map,
    constant,
    definition,
    parameter,
    program,
    module,
    rule,
    test
};

struct Candidate {
    std::string word; // what stands there then
    Role role{};
    std::string detail; // "u16", "hash<ipv4.src -> counter>[1024]"; may be empty
};
struct Candidates {
    std::uint32_t begin = 0; // of what the word replaces, up to the place that was asked about
    std::vector<Candidate> words{};
};
// What may stand at a place: whole words that begin with what is written there already, sorted.
[[nodiscard]] Candidates complete(const Compilation &compilation, std::uint32_t offset);

struct Declared {
    std::string name;
    Role role{};
    std::string detail;
    Span span;                   // the whole declaration
    Span name_span;              // within it
    std::vector<Declared> inner; // fields of a header, rules of a program
};
// The declarations and rules of the main source, in its order.
[[nodiscard]] std::vector<Declared> outline(const Compilation &compilation);

// The modules that the main source imports itself and that were found.
struct Import {
    Span span; // of the string
    FileId file;
};
[[nodiscard]] std::vector<Import> imports(const Compilation &compilation);
// The string in the main source that brings another file in: an import, maybe by way of others, or the rules or
// contents of a map that stand in a file. Invalid: the main source itself, or nothing in it.
[[nodiscard]] Span brought_in_by(const Compilation &compilation, FileId file);
// Whether a file is part of the compiler: there is no such file on a disk.
[[nodiscard]] bool is_built_in(const Compilation &compilation, FileId file);

} // namespace xdpf::query
