// The analyzer's state and its rooms; private to compiler/sema. analyze.hpp is the public face.
//
//   declare.cpp      names of all files into one table
//   headers.cpp      the protocol graph
//   references.cpp   headers, fields, bytes of the packet
//   expressions.cpp  values        predicates.cpp  conditions, sets, paths
//   maps.cpp         layouts       rules.cpp       programs
//   tests.cpp        test blocks   packets.cpp     the packets they build
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/sema/literals.hpp"
#include "compiler/sema/modules.hpp"
#include "compiler/sema/typed.hpp"
#include "grammar/ast.hpp"

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace xdpf::sema {

// Where an expression stands: whose names it sees.
struct Scope {
    const ast::File *file = nullptr;
    HeaderId self;                  // inside a header: its fields need no prefix
    int any_index = -1;             // inside `any`: the link meant where no index is given
    HeaderId *any_header = nullptr; // and which link header that was

    [[nodiscard]] const ast::Expr &operator[](ast::ExprId id) const { return file->exprs[id]; }
};

// The values of a literal set before their type is checked against anything.
struct SetValue {
    ValueType type = ValueType::number;
    std::vector<Interval> intervals;
};

struct ConstSymbol {
    const ast::File *file;
    const ast::Const *decl;
    bool in_use = false; // while it is evaluated: finds cycles
    bool broken = false; // an error was reported: those who use it say nothing more
    // Found once: a constant made from two others, each made from two others, has 2^n uses of the first.
    std::optional<ExprId> value = std::nullopt;
    std::optional<SetValue> set = std::nullopt;
};

struct Symbol {
    std::variant<HeaderId, MapId, ConstSymbol> what;
    Span span;
};

// Sorted, merged where they overlap or touch.
[[nodiscard]] std::vector<Interval> normalised(std::vector<Interval> intervals);
[[nodiscard]] std::string describe(ValueType type, std::uint32_t bits);
[[nodiscard]] u128 largest(std::uint32_t bits);

class Analyzer {
public:
    Analyzer(const Modules &modules, Sources &sources, Diagnostics &diagnostics)
        : modules_(modules), sources_(sources), diagnostics_(diagnostics)
    {
    }
    Unit run();

private:
    // declare.cpp
    void declare_all();
    bool declare(const ast::Name &name, Symbol symbol);
    [[nodiscard]] Symbol *find(std::string_view name);
    // Its declaration has syntax errors, which have been reported: what is missing of it is no news.
    [[nodiscard]] bool damaged(std::string_view name) const { return damaged_.contains(name); }
    [[nodiscard]] std::vector<std::string> names() const;
    [[nodiscard]] std::vector<std::string> header_names() const;
    [[nodiscard]] std::vector<std::string> field_names(HeaderId header) const;

    // headers.cpp
    void build_headers();
    void build_fields(HeaderId id, const ast::File &file, const ast::Header &decl);
    void add_field(HeaderId id, const ast::File &file, const ast::Field &decl, const std::string &prefix,
                   std::uint32_t &bit);
    void add_chain(HeaderId id, const ast::File &file, const ast::Field &decl);
    bool field_type(const ast::File &file, const ast::Type &type, Field &field);
    void build_relations(HeaderId id, const ast::File &file, const ast::Header &decl);
    void add_way(HeaderId id, PredId condition, Span span);
    void build_size(HeaderId id);
    void place_headers();
    std::uint32_t place(HeaderId id, std::vector<int> &state);

    // expressions.cpp
    std::optional<ExprId> value(ast::ExprId id, const Scope &scope);
    std::optional<ExprId> identifier_value(const ast::Identifier &node, Span span, const Scope &scope);
    std::optional<ExprId> constant_value(const std::string &name, ConstSymbol &constant, Span span);
    std::optional<ExprId> member_value(ast::ExprId id, const Scope &scope);
    std::optional<ExprId> slice_value(const ast::Expr &expr, const Scope &scope);
    std::optional<ExprId> binary_value(const ast::Binary &node, Span span, const Scope &scope);
    std::optional<ExprId> unary_value(const ast::Unary &node, Span span, const Scope &scope);
    std::optional<ExprId> number_value(ast::ExprId id, const Scope &scope);
    std::optional<HeaderRef> header_ref(ast::ExprId id, const Scope &scope, bool quiet = false);
    std::optional<ExprId> field_value(HeaderRef ref, const std::string &name, Span name_span, Span span);
    std::optional<std::size_t> find_field(HeaderId header, std::string_view name) const;
    std::optional<std::uint64_t> constant(ast::ExprId id, const Scope &scope);
    ExprId add(Expr expr) { return unit_.exprs.add(std::move(expr)); }
    ExprId add_constant(std::uint64_t value, Span span);
    [[nodiscard]] std::optional<u128> constant_of(ExprId id) const;
    [[nodiscard]] std::string describe(ExprId id) const;

    // predicates.cpp
    std::optional<PredId> predicate(ast::ExprId id, const Scope &scope);
    std::optional<PredId> compare(const ast::Binary &node, Span span, const Scope &scope);
    std::optional<PredId> compare_with_constant(Comparison op, ExprId left, u128 constant, Span constant_span,
                                                Span span);
    std::optional<PredId> compare_bytes(Comparison op, ExprId left, ExprId right, Span span);
    std::optional<PredId> membership(const ast::Binary &node, Span span, const Scope &scope);
    std::optional<PredId> in_map(ExprId key, MapId map, Span span);
    std::optional<PredId> any_of(ast::ExprId body, const Scope &scope);
    std::optional<PredId> path(ast::ExprId id, const Scope &scope);
    std::optional<PredId> path_from(const std::vector<HeaderRef> &path, const std::vector<Span> &spans, int start_link,
                                    Span span);
    [[nodiscard]] std::string stands_behind(HeaderId id) const;
    [[nodiscard]] bool is_path(ast::ExprId id, const Scope &scope);
    [[nodiscard]] bool may_be_set(const ast::Expr &expr);
    std::optional<SetValue> set_value(ast::ExprId id, const Scope &scope);
    bool add_element(ast::ExprId id, const Scope &scope, SetValue &set, bool first);
    std::optional<std::pair<ValueType, Interval>> element(ast::ExprId id, const Scope &scope);
    PredId add(Pred pred) { return unit_.preds.add(std::move(pred)); }
    std::optional<PredId> conjunction(std::vector<PredId> preds, Span span);

    // maps.cpp
    void build_map(MapId id, const ast::File &file, const ast::Map &decl);
    bool key_and_value(MapSpec &spec, const ast::File &file, const ast::Map &decl);
    std::optional<Layout> layout(const ast::Type &type, const ast::File &file, const std::string &struct_name);
    std::optional<MapId> map_named(const ast::Name &name);
    MapId default_xskmap(Span span);
    bool check_key(ExprId key, MapId map);

    // analyze.cpp
    void check_constants();

    // rules.cpp
    void build_programs();
    void set_attributes(const ast::Program &decl, const ast::File &file);
    std::vector<Rule> rules(const std::vector<ast::RuleId> &ids, const Scope &scope);
    std::optional<Rule> rule(ast::RuleId id, const Scope &scope);
    bool action(ast::ActionId id, const Scope &scope, Action &out);
    bool redirect(const ast::Redirect &node, Span span, const Scope &scope, Action &out);
    bool count(const ast::Count &node, Span span, const Scope &scope, Action &out);

    // tests.cpp
    void build_test(const ast::File &file, const ast::Test &test);
    bool with(const ast::WithStatement &statement, const Scope &scope, TestImage &out);
    bool with_map(MapId map, const ast::WithStatement &statement, const Scope &scope, TestImage &out);
    bool expect_verdict(const ast::ExpectStatement &statement, ast::ActionId id, const Scope &scope, TestImage &out);
    bool expect_entry(const ast::ExpectStatement &statement, ast::ExprId id, const Scope &scope, TestImage &out);
    void report_unknown_member(const MapSpec &spec, const ast::Argument &element, const Scope &scope);
    std::optional<std::vector<std::byte>> key_bytes(MapId map, ast::ExprId id, const Scope &scope);

    // packets.cpp
    std::optional<std::vector<std::byte>> packet(const ast::PacketStatement &statement, const Scope &scope);
    friend class PacketBuilder;

    const Modules &modules_;
    Sources &sources_;
    Diagnostics &diagnostics_;
    Unit unit_;
    std::unordered_map<std::string, Symbol> symbols_;
    std::set<std::string, std::less<>> damaged_;
    struct HeaderSource {
        const ast::File *file;
        const ast::Header *decl;
    };
    IdVector<HeaderId, HeaderSource> header_sources_;
    struct MapSource {
        const ast::File *file;
        const ast::Map *decl;
    };
    IdVector<MapId, MapSource> map_sources_;
    // Default values of fields, for the packets of tests; by header and field index.
    std::map<std::pair<std::uint32_t, std::size_t>, ast::ExprId> defaults_;
};

} // namespace xdpf::sema
