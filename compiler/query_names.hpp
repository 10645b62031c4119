// What names mean in a compilation, as far as it could be read; private to the queries.
#pragma once

#include "compiler/query.hpp"
#include "compiler/query_text.hpp"
#include "compiler/state.hpp"
#include "grammar/ast.hpp"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace xdpf::query {

struct HeaderName {
    const sema::Header *header;
};
struct FieldName {
    const sema::Header *header;
    std::size_t field;
};
// What stands behind a chain: ethernet.protocol.
struct ChainName {
    const sema::Header *header;
};
struct MemberName {
    const ast::Union *either;
    const ast::Union::Member *member;
};
struct MapFieldName {
    const MapSpec *map;
    const LayoutField *field;
};
// A declaration of another sort: a map, a union, a constant, a definition, a parameter, a program.
struct DeclaredName {
    const ast::File *file;
    const ast::Decl *decl;
};
// A map without a declaration: xsks.
struct MapName {
    const MapSpec *map;
};
// A `let`, or the parameter of a definition.
struct LocalName {
    Span span;
    std::string_view keyword; // let, def
};
// packet.length, udp.payload, vxlan.inner
struct MemberWord {
    std::string_view base;
    std::string_view word;
};
using Meaning = std::variant<HeaderName, FieldName, ChainName, MemberName, MapFieldName, DeclaredName, MapName,
                             LocalName, MemberWord>;

class Names {
public:
    explicit Names(const Compilation &compilation);

    // The main source; nothing where it is no text.
    [[nodiscard]] const ast::File *main() const { return main_; }
    [[nodiscard]] const Sources &sources() const { return state_.sources; }
    [[nodiscard]] const sema::Unit &unit() const { return state_.unit; }
    [[nodiscard]] const sema::Modules &modules() const { return state_.modules; }

    [[nodiscard]] const DeclaredName *find(std::string_view name) const;
    [[nodiscard]] const DeclaredName *program(std::string_view name) const;
    [[nodiscard]] const std::map<std::string, DeclaredName, std::less<>> &all() const { return declared_; }
    [[nodiscard]] const std::map<std::string, DeclaredName, std::less<>> &programs() const { return programs_; }
    [[nodiscard]] const sema::Header *header(std::string_view name) const; // a declared one
    [[nodiscard]] const ast::Header *declaration_of(const sema::Header &header) const;
    [[nodiscard]] const MapSpec *map(std::string_view name) const;
    [[nodiscard]] const ast::Map *declaration_of(const MapSpec &map) const;
    // The declaration of a field or a part of one, `flags.syn`.
    [[nodiscard]] const ast::Field *field(const ast::Header &header, std::string_view name) const;
    // Whether something is declared as `prefix.…`: tcp.option of tcp.option.mss.
    [[nodiscard]] bool has_headers_below(std::string_view prefix) const;
    [[nodiscard]] std::optional<std::size_t> field_index(const sema::Header &header, std::string_view name) const;
    // What fills the field of a layer, `syn` of tcp(syn = 1), too.
    [[nodiscard]] std::optional<std::size_t> argument_index(const sema::Header &header, std::string_view name) const;

    // udp.dport, tcp.option.mss, vxlan.inner.ip.src, hits[k].packets; inside `self` its fields need no prefix.
    [[nodiscard]] std::optional<Meaning> resolve(std::span<const std::string_view> words,
                                                 const sema::Header *self) const;
    // What the word `token` of the text means there.
    [[nodiscard]] std::optional<Meaning> meaning(const Text &text, std::size_t token) const;
    // The header whose declaration is around a token.
    [[nodiscard]] const sema::Header *self(const Text &text, std::size_t token) const;
    // The header of a layer, `udp(`…, or the map of a set of fields, `hits[k] = {`…: what is named inside the bracket.
    [[nodiscard]] const sema::Header *layer_header(const Text &text, std::size_t opener) const;
    [[nodiscard]] const MapSpec *record_map(const Text &text, std::size_t opener) const;

private:
    [[nodiscard]] std::optional<Meaning> argument(const Text &text, std::size_t token) const;
    [[nodiscard]] std::optional<Meaning> local(const Text &text, std::size_t token) const;

    const Compilation::State &state_;
    const ast::File *main_ = nullptr;
    std::map<std::string, DeclaredName, std::less<>> declared_;
    std::map<std::string, DeclaredName, std::less<>> programs_;
};

[[nodiscard]] std::string joined(std::span<const std::string_view> words);
// The name that a declaration gives, or nothing: a rule, an import, a test.
[[nodiscard]] const ast::Name *name_of(const ast::Decl &decl);

} // namespace xdpf::query
