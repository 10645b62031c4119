// The analyzer's state and its rooms; private to compiler/sema. analyze.hpp is the public face.
//
//   declare.cpp      names of all files into one table
//   headers.cpp      fields         relations.cpp   how headers hang together
//   place.cpp        how far in     inner.cpp       what tunnels carry     unions.cpp
//   references.cpp   headers, fields, bytes of the packet
//   expressions.cpp  values        predicates.cpp  conditions, sets, paths
//   maps.cpp         layouts       rules.cpp       programs            shadows.cpp  rules that never decide
//   tests.cpp        test blocks   packets.cpp     the packets they build
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/sema/analyze.hpp"
#include "compiler/sema/literals.hpp"
#include "compiler/sema/modules.hpp"
#include "compiler/sema/typed.hpp"
#include "grammar/ast.hpp"

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

namespace xdpf::sema {

struct Scope;

// While a `def` is expanded: what its parameters stand for, and in which scope that was written.
struct Bindings {
    const ast::Def *def;
    const std::vector<ast::Argument> *arguments;
    const Scope *caller;
};

// The values that `let` has named so far, innermost first.
struct LetScope {
    std::string name;
    std::size_t let = 0;
    ValueType type = ValueType::number;
    std::uint32_t bits = 64;
    const LetScope *outer = nullptr;
    bool broken = false; // an error was reported: those who use it say nothing more
};

// Where an expression stands: whose names it sees.
struct Scope {
    const ast::File *file = nullptr;
    HeaderId self;                  // inside a header: its fields need no prefix
    int any_index = -1;             // inside `any`: the link meant where no index is given
    HeaderId *any_header = nullptr; // and which link header that was
    bool declares = false;          // inside a header's clauses: items of lists are meant in general

    const Bindings *bindings = nullptr;
    const LetScope *lets = nullptr;

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

struct UnionSymbol {
    const ast::File *file;
    const ast::Union *decl;
};

// One name of a reference: `vlan[1]` of vlan[1].id.
struct NamePart {
    std::string text;
    Span span;
    const ast::Index *index = nullptr;
};

// What the first names of a reference stand for: a header, or a union (of the headers inside `space`).
struct Reference {
    HeaderId header;
    const UnionSymbol *either = nullptr;
    HeaderId space;       // a tunnel; none: the outermost packet
    std::size_t used = 0; // so many names
};

struct DefSymbol {
    const ast::File *file;
    const ast::Def *decl;
    Scope scope{.file = file}; // of a body without parameters
};

struct ParamSymbol {
    const ast::File *file;
    const ast::Param *decl;
    bool in_use = false; // while its value and its bounds are worked out: finds cycles
    bool broken = false;
    std::optional<std::size_t> field = std::nullopt; // of the params map's value, once it is laid out
};

struct Symbol {
    std::variant<HeaderId, MapId, ConstSymbol, UnionSymbol, DefSymbol, ParamSymbol> what;
    Span span;
};

// Sorted, merged where they overlap or touch.
[[nodiscard]] std::vector<Interval> normalised(std::vector<Interval> intervals);
// The values of 0 to `most` for which `value OP c` holds.
[[nodiscard]] std::vector<Interval> intervals_of(Comparison op, u128 c, u128 most);
// The names of a reference, vxlan.inner.vlan[1].id; false where the expression is something else.
bool names_of(ast::ExprId id, const Scope &scope, std::vector<NamePart> &out);
[[nodiscard]] std::string describe(ValueType type, std::uint32_t bits);
[[nodiscard]] u128 largest(std::uint32_t bits);

// How a value of the type stands in a map.
[[nodiscard]] FieldFormat format_of(ValueType type);

class Analyzer {
public:
    Analyzer(const Modules &modules, Sources &sources, Diagnostics &diagnostics, const AnalyzeOptions &options)
        : modules_(modules), options_(options), sources_(sources), diagnostics_(diagnostics)
    {
    }
    Unit run();

private:
    // declare.cpp
    void declare_all();
    bool declare(const ast::Name &name, Symbol symbol);
    bool may_be_local(const ast::Name &name);
    void check_parameters(const ast::Def &def);
    [[nodiscard]] bool is_stdlib(FileId file) const;
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
    void add_floating(HeaderId id, const Field &field, const ast::Field &decl);

    // relations.cpp
    void build_relations(HeaderId id, const ast::File &file, const ast::Header &decl);
    [[nodiscard]] bool not_imported(const ast::File &file, const std::string &header);
    std::vector<ast::ExprId> ways_of(const ast::File &file, ast::ExprId id);
    void build_ways(HeaderId id, const ast::File &file, const ast::Header &decl);
    void build_floating(HeaderId id, const ast::File &file, const ast::Header &decl);
    void build_list(HeaderId id, const ast::File &file, const ast::Header &decl);
    void build_inner(HeaderId id, const ast::File &file, const ast::Header &decl);
    void build_checksum(HeaderId id, const ast::File &file);
    void add_way(HeaderId id, PredId condition, Span span);
    void build_size(HeaderId id);

    // place.cpp
    void limit_rows();
    std::uint32_t row(HeaderId id, std::uint32_t behind, std::vector<std::uint32_t> &rows);
    void place_headers();
    std::uint32_t place(HeaderId id);

    // inner.cpp: the headers of what a tunnel carries, made when they are first spoken of.
    HeaderId inside(HeaderId tunnel, HeaderId origin);
    [[nodiscard]] HeaderId origin_of(HeaderId id) const;
    [[nodiscard]] HeaderId space_of(HeaderId id) const;
    [[nodiscard]] bool carries(HeaderId tunnel, HeaderId origin);
    [[nodiscard]] bool below(HeaderId tunnel, HeaderId origin);
    // Declared headers become those that the tunnel carries; or, in a condition on the tunnel's own fields, itself.
    struct Renaming {
        HeaderId tunnel;
        bool itself = false;
    };
    ExprId copied(ExprId id, Renaming to);
    PredId copied(PredId id, Renaming to);
    HeaderId renamed(HeaderId id, Renaming to);
    void copy_parts(Header &made, HeaderId tunnel);

    // unions.cpp
    [[nodiscard]] const UnionSymbol *find_union(std::string_view name);
    std::optional<ExprId> union_value(const Reference &ref, const std::string &name, Span name_span, Span span);
    std::optional<ExprId> checked_union_value(const Reference &ref, const ast::Union::Member &member, Span span);
    std::optional<ExprId> union_alone(const Reference &ref, Span span);
    std::optional<PredId> union_present(ast::ExprId id, const Scope &scope);
    [[nodiscard]] HeaderId header_of(ExprId field) const;
    [[nodiscard]] bool is_mixed(ExprId id) const;
    [[nodiscard]] bool is_ip_address(ExprId id) const;
    PredId any_alternative(ExprId either, const std::vector<std::vector<Interval>> &intervals, Span span);
    std::optional<PredId> either_in(ExprId either, ast::ExprId set, const Scope &scope, Span span);
    std::optional<PredId> compare_either(Comparison op, ExprId left, ExprId right, Span span);

    // nested.hpp
    friend class Nested;
    std::nullopt_t too_deep(Span span);

    // expressions.cpp
    std::optional<ExprId> value(ast::ExprId id, const Scope &scope);
    std::optional<ExprId> identifier_value(const ast::Identifier &node, Span span, const Scope &scope);
    void report_unknown_name(const std::string &name, Span span, const Scope &scope);
    std::optional<std::optional<ExprId>> surroundings(std::string_view name, Span span);
    std::optional<ExprId> constant_value(const std::string &name, ConstSymbol &constant, Span span);
    std::optional<ExprId> member_value(ast::ExprId id, const Scope &scope);
    std::optional<ExprId> slice_value(ast::ExprId id, const Scope &scope);
    std::optional<ExprId> binary_value(const ast::Binary &node, Span span, const Scope &scope);
    std::optional<ExprId> unary_value(const ast::Unary &node, Span span, const Scope &scope);
    std::optional<ExprId> number_value(ast::ExprId id, const Scope &scope);
    // references.cpp
    std::optional<HeaderRef> header_ref(ast::ExprId id, const Scope &scope, bool quiet = false);
    std::optional<Reference> resolve(const std::vector<NamePart> &parts, bool quiet);
    std::optional<HeaderRef> indexed(HeaderId header, const NamePart &part, const Scope &scope);
    std::optional<ExprId> bare_value(HeaderId header, Span span, const Scope &scope);
    // The header of a type or a layer, dots included: vxlan.inner.ipv4.
    std::optional<HeaderId> header_named(const ast::Name &name);
    void report_unknown_header(Span span, const std::string &name);
    bool may_be_named(HeaderId id, Span span, const Scope &scope);
    std::optional<ExprId> field_value(HeaderRef ref, const std::string &name, Span name_span, Span span);
    std::optional<std::size_t> find_field(HeaderId header, std::string_view name) const;
    std::optional<std::uint64_t> constant(ast::ExprId id, const Scope &scope);
    ExprId add(Expr expr) { return unit_.exprs.add(std::move(expr)); }
    ExprId add_constant(std::uint64_t value, Span span);
    [[nodiscard]] std::optional<u128> constant_of(ExprId id) const;
    [[nodiscard]] bool is_constant(ExprId id) const; // a number or bytes
    [[nodiscard]] std::string describe(ExprId id) const;

    [[nodiscard]] bool names_map(ast::ExprId id, const Scope &scope);
    [[nodiscard]] bool is_entry(ast::ExprId id, const Scope &scope);

    // defs.cpp
    std::pair<ast::ExprId, const Scope *> unbound(ast::ExprId id, const Scope &scope) const;
    struct DefUse {
        std::string_view name;
        Span span;
        const std::vector<ast::Argument> *arguments;
    };
    // Calls body(scope inside the definition); nothing where the use is wrong.
    template <class F> bool expand(const DefSymbol &def, const DefUse &use, const Scope &scope, F body);
    bool may_expand(const DefSymbol &def, const DefUse &use, const Scope &scope);
    [[nodiscard]] const DefSymbol *def_named(std::string_view name);
    using Parts = std::vector<std::pair<ast::ExprId, const Scope *>>;
    void with_parts(ast::ExprId id, const Scope &scope, const std::function<void(const Parts &)> &body);
    std::optional<DefUse> use_of_def(ast::ExprId id, const Scope &scope);
    std::optional<ExprId> def_value(const DefUse &use, const Scope &scope);
    std::optional<PredId> def_predicate(const DefUse &use, const Scope &scope);
    std::optional<SetValue> def_set(const DefUse &use, const Scope &scope);
    bool def_action(const DefUse &use, const Scope &scope, Action &out);
    bool use_action(const ast::Use &node, Span span, const Scope &scope, Action &out);
    void check_defs();

    // functions.cpp
    std::optional<ExprId> call_value(const ast::Call &call, Span span, const Scope &scope);
    std::optional<ExprId> hash_value(const ast::Call &call, Span span, const Scope &scope);
    std::optional<ExprId> hashed(ast::ExprId id, const Scope &scope);
    std::optional<ExprId> weighted_value(const ast::Call &call, Span span, const Scope &scope);
    std::optional<PredId> one_in(const ast::Call &call, Span span, const Scope &scope);
    std::optional<PredId> exceeds(const ast::Exceeds &node, Span span, const Scope &scope);
    std::optional<PredId> pcap(const ast::Pcap &node, Span span);
    std::optional<std::uint64_t> quantity(ast::ExprId id, const Scope &scope, std::string_view unit);

    // params.cpp
    std::optional<ExprId> param_value(const std::string &name, Span span);
    bool build_param(ParamSymbol &param);
    bool param_bounds(const ParamSymbol &param, const LayoutField &field, Parameter &out);
    bool param_width(const ParamSymbol &param, const LayoutField &field, Parameter &out);
    void build_params();

    // predicates.cpp
    std::optional<PredId> predicate(ast::ExprId id, const Scope &scope);
    std::optional<PredId> compare(const ast::Binary &node, Span span, const Scope &scope);
    void as_mapped(ExprId address);
    std::optional<PredId> compare_with_constant(Comparison op, ExprId left, u128 constant, Span constant_span,
                                                Span span);
    std::optional<PredId> compare_bytes(Comparison op, ExprId left, ExprId right, Span span);
    std::optional<PredId> membership(const ast::Binary &node, Span span, const Scope &scope);
    std::optional<PredId> in_map(ast::ExprId written, MapId map, Span span, const Scope &scope);
    std::optional<PredId> any_of(ast::ExprId body, const Scope &scope);
    std::optional<PredId> path(ast::ExprId id, const Scope &scope);
    [[nodiscard]] bool right_behind(HeaderId front, HeaderId behind) const;
    bool extend(std::vector<HeaderRef> &path, HeaderId next);
    bool add_reached(std::vector<PredId> &all, HeaderId base, unsigned links, bool behind_link, HeaderId id, Span span);
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
    std::optional<Layout> struct_layout(const ast::Type &type, const ast::File &file, const std::string &struct_name);
    [[nodiscard]] Layout layout_of(const std::vector<ExprId> &values, const std::string &struct_name) const;
    void append(Layout &layout, const std::string &name, ExprId value, std::uint32_t &align) const;
    [[nodiscard]] static ValueType type_of(const LayoutField &field);
    [[nodiscard]] static std::uint32_t width_of(const LayoutField &field) { return field.size * 8; }
    std::optional<ExprId> field_named(const ast::Type &type);
    std::optional<std::size_t> value_field(MapId map, const ast::Name *name, Span span);
    std::optional<MapId> map_named(const ast::Name &name);
    MapId default_xskmap(Span span);
    bool check_key(ExprId key, MapId map);
    void map_to_ipv6(ExprId value);
    bool check_field(ExprId value, const LayoutField &field, const std::string &what, Span declared);
    // The values of a key as written: m[a, b], m[(a, b)]; checked against the map.
    std::optional<std::vector<ExprId>> key_of(MapId map, const std::vector<ast::ExprId> &written, Span span,
                                              const Scope &scope);
    std::optional<std::vector<ExprId>> stored(const Parts &parts, std::span<const LayoutField> fields,
                                              const std::string &what, Span declared, Span span);
    bool exists(ExprId index, MapId map);
    struct Entry {
        MapId map;
        std::vector<ExprId> key;
    };
    std::optional<Entry> entry(ast::ExprId id, const Scope &scope);
    std::optional<ExprId> map_value(ast::ExprId id, const Scope &scope);
    [[nodiscard]] bool broken(MapId map) const { return unit_.maps[map].max_entries == 0; } // its declaration
    bool set_map_attributes(MapSpec &spec, const ast::File &file, const ast::Map &decl);
    bool takes_flags(MapKind kind, std::uint64_t flags, Span span);
    enum class EntryUse : std::uint8_t { read, write, both };
    bool allowed(MapId map, EntryUse use, Span span);

    // contents.cpp
    void build_contents(MapId id, const ast::File &file, const ast::Map &decl);
    bool add_content(MapId map, const ast::Argument &element, std::uint32_t position, const Scope &scope);
    void read_contents(MapId map, const ast::File &file, const ast::Map &decl);
    struct FileLine {
        FileId file;
        std::uint32_t at; // byte of the file
        std::string_view text;
        std::size_t number; // from 0, of those with an entry
    };
    bool read_line(MapId map, const FileLine &line, const std::vector<LayoutField> &fields, std::size_t keys);
    bool read_part(MapId map, std::string_view word, Span span, const LayoutField &field, bool of_key,
                   MapContent &content);
    bool is_entry_of(const MapSpec &spec, const MapContent &content, Span span);
    std::optional<std::vector<std::byte>> value_bytes(MapId map, ast::ExprId id, const Scope &scope);
    std::optional<std::vector<std::byte>> key_bytes(MapId map, const std::vector<ast::ExprId> &written, Span span,
                                                    const Scope &scope);
    bool put_constant(const LayoutField &field, ast::ExprId id, const std::string &what, Span declared,
                      const Scope &scope, std::vector<std::byte> &out);

    // analyze.cpp
    void check_constants();

    // rules.cpp
    void build_programs();
    void warn_of_shadows(const Program &program); // shadows.cpp
    void number_programs();
    void finish_program(Program &program);
    void set_place(const ast::Program &decl, Program &out);
    void set_license(const std::string &license, Span span);
    void check_license();
    void set_attributes(const ast::Program &decl, const ast::File &file, Program &out);
    void set_chain(const ast::Attribute &attribute, const ast::File &file, Program &out);
    std::vector<Rule> rules(const std::vector<ast::RuleId> &ids, const Scope &scope);
    std::optional<Rule> rule(ast::RuleId id, const Scope &scope);
    // rules_file.cpp
    friend class RulesFile;
    std::optional<Rule> rules_from(const ast::Rule &ast, const ast::File &file);
    bool action(ast::ActionId id, const Scope &scope, Action &out);
    bool redirect(const ast::Redirect &node, Span span, const Scope &scope, Action &out);
    bool redirect_to(const ast::RedirectTo &node, Span span, const Scope &scope, Action &out);
    bool redirect_key(ExprId key, MapId map);
    std::optional<std::uint32_t> fallback(const std::optional<ast::ActionId> &otherwise, const Scope &scope);
    bool may_give(std::uint32_t verdict, Span span);
    bool go_to(const ast::Goto &node, Span span, Action &out);
    bool assembly(const ast::Asm &node, Span span, Action &out);
    bool block(const ast::Block &block, const Scope &scope, Action &out);
    void number_rules(std::vector<Rule> &rules, std::size_t &next) const;

    // steps.cpp
    bool step(const ast::Action &ast, const Scope &scope, Action &out);
    bool count(const ast::Count &node, Span span, const Scope &scope, Action &out);
    bool assign(const ast::Assign &node, Span span, const Scope &scope, Action &out);
    void report_not_assignable(ast::ExprId target, ast::ExprId base, const Scope &scope);
    bool assign_fields(const ast::Set &set, MapId map, Span span, const Scope &scope, Assign &out);
    bool assign_parts(ast::ExprId written, Span target, const Scope &scope, Assign &out);
    std::optional<std::vector<ExprId>> named_parts(const ast::Set &set, MapId map, Span span, const Scope &scope);
    bool erase(const ast::Delete &node, Span span, const Scope &scope, Action &out);
    bool add_to(const ast::AddTo &node, Span span, const Scope &scope, Action &out);
    bool let(const ast::Let &node, Span span, const Scope &scope, Action &out);
    bool emit(const ast::Emit &node, Span span, const Scope &scope, Action &out);
    bool sample(const ast::Sample &node, Span span, const Scope &scope, Action &out);
    bool metadata(const ast::Metadata &node, Span span, const Scope &scope, Action &out);
    bool is_named_once(const ast::Set &set, std::vector<ast::Argument>::const_iterator element, const Scope &scope);
    bool is_ring(MapId map, Span span);
    bool has_room(const RecordType &type, Span span);
    bool fork(const ast::If &node, Span span, const Scope &scope, Action &out);

    // rewrite.cpp: fields and tags         tunnels.cpp: encap, decap
    bool rewrite(const ast::Action &ast, const Scope &scope, Action &out);
    bool set_field(const ast::SetField &node, Span span, const Scope &scope, Action &out);
    bool swap(const ast::Swap &node, Span span, const Scope &scope, Action &out);
    bool push(const ast::Push &node, Span span, const Scope &scope, Action &out);
    bool pop(const ast::Pop &node, Span span, Action &out);
    std::optional<SetField> writing(ExprId field, ExprId value, Span span);
    bool fits_field(ExprId value, const Header &header, const Field &field, Span span);
    void find_checksums(SetField &step);
    bool even_between(HeaderId outer, HeaderId inner) const;
    [[nodiscard]] bool stands_behind(HeaderId inner, HeaderId outer) const;
    [[nodiscard]] bool lies_in(HeaderId item, HeaderId container) const;
    [[nodiscard]] std::string headers_of(ExprId field) const;
    [[nodiscard]] std::string likely_field(HeaderId header, ast::ExprId written, const Scope &scope) const;
    bool check_arguments(const ast::Layer &layer, HeaderId header, const Scope &scope);
    bool written_arguments(const ast::Layer &layer, HeaderId header, const Scope &scope,
                           std::vector<std::pair<std::size_t, ExprId>> &out);
    [[nodiscard]] std::optional<std::uint64_t> selector_of(PredId condition) const;
    std::optional<HeaderId> base_of_link(const ast::Name &name, HeaderId &link);
    bool encap(const ast::Encap &node, Span span, const Scope &scope, Action &out);
    bool decap(const ast::Decap &node, Span span, Action &out);
    bool encap_fields(const ast::Encap &node, const Scope &scope, Encap &out);
    bool encap_place(const ast::Encap &node, HeaderId first, Encap &out);
    [[nodiscard]] std::optional<std::size_t> way_behind(HeaderId link_layer, HeaderId header) const;
    bool encap_carried(const ast::Encap &node, HeaderId last, Encap &out);
    bool changes_packet(Span span);

    // tests.cpp
    void build_test(const ast::File &file, const ast::Test &test);
    friend class TestBuilder; // test_builder.hpp

    // packets.cpp
    // Fields with a computed place whose value is not a constant: room is left for them, by layer and field, so many
    // bytes behind their header's start. Without `holes`, their values have to be constants.
    using Holes = std::map<std::pair<std::size_t, std::size_t>, std::size_t>;
    std::optional<std::vector<std::byte>> packet(const ast::PacketStatement &statement, const Scope &scope,
                                                 Holes *holes = nullptr);
    friend class PacketBuilder;

    const Modules &modules_;
    const AnalyzeOptions options_;
    std::size_t lets_ = 0;       // of the program in hand
    std::size_t expansions_ = 0; // of defs
    std::size_t nested_ = 0;     // values and conditions that are being worked out
    bool deep_told_ = false;
    std::set<const ast::Union::Member *> members_in_use_;
    std::deque<LetScope> let_scopes_;
    std::map<std::string, std::size_t, std::less<>> program_numbers_;
    ProgramImage::Place place_ = ProgramImage::Place::interface; // of the program in hand
    std::optional<Span> license_span_;                           // where the license was given
    std::optional<Span> asks_driver_;                            // what first reads rx_hash, rx_timestamp or rx_vlan
    Sources &sources_;
    Diagnostics &diagnostics_;
    Unit unit_;
    std::unordered_map<std::string, Symbol> symbols_;
    std::set<std::string, std::less<>> damaged_;
    struct HeaderSource {
        const ast::File *file;
        const ast::Header *decl;
    };
    IdVector<HeaderId, HeaderSource> header_sources_; // of declared ones, which come first
    struct Root {
        HeaderId header;
        std::optional<PredId> when;
    };
    std::map<HeaderId, std::vector<Root>> roots_; // of what a declared header carries
    struct Copy {
        HeaderId origin;
        HeaderId tunnel;
    };
    std::map<HeaderId, Copy> copies_;
    std::map<std::pair<HeaderId, HeaderId>, HeaderId> copy_of_; // by tunnel and origin; invalid: is never there
    std::map<std::pair<HeaderId, HeaderId>, bool> carried_;     // by tunnel and header, both declared
    std::vector<int> place_state_;
    bool long_row_ = false;
    bool placing_ = false; // the declared headers have their places
    struct MapSource {
        const ast::File *file;
        const ast::Map *decl;
    };
    IdVector<MapId, MapSource> map_sources_;
    // Default values of fields, for the packets of tests; by header and field index.
    std::map<std::pair<std::uint32_t, std::size_t>, ast::ExprId> defaults_;
};

} // namespace xdpf::sema
