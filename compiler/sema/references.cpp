// What names refer to: headers, their fields, and bytes of the packet.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

// The longest run of names from `begin` on that is declared as one: tcp.option.mss.
std::size_t longest_name(const std::vector<NamePart> &parts, std::size_t begin, auto is_declared)
{
    std::size_t best = begin;
    std::string name;
    for (std::size_t end = begin; end < parts.size(); ++end) {
        name += (end == begin ? "" : ".") + parts[end].text;
        if (is_declared(name))
            best = end + 1;
        if (parts[end].index != nullptr)
            break;
    }
    return best;
}

std::string joined(const std::vector<NamePart> &parts, std::size_t begin, std::size_t end)
{
    std::string out;
    for (std::size_t i = begin; i < end; ++i)
        out += (i == begin ? "" : ".") + parts[i].text;
    return out;
}

} // namespace

bool names_of(ast::ExprId id, const Scope &scope, std::vector<NamePart> &out)
{
    const ast::Expr &expr = scope[id];
    if (const auto *name = std::get_if<ast::Identifier>(&expr.node)) {
        out.push_back({name->text, expr.span});
        return true;
    }
    if (const auto *member = std::get_if<ast::Member>(&expr.node)) {
        if (!names_of(member->base, scope, out))
            return false;
        out.push_back({member->member.text, member->member.span});
        return true;
    }
    const auto *index = std::get_if<ast::Index>(&expr.node);
    if (index == nullptr || !names_of(index->base, scope, out) || out.back().index != nullptr)
        return false;
    out.back().index = index;
    out.back().span = join(out.back().span, expr.span);
    return true;
}

bool Analyzer::names_map(ast::ExprId id, const Scope &scope)
{
    const auto *name = std::get_if<ast::Identifier>(&scope[id].node);
    const Symbol *symbol = name != nullptr ? find(name->text) : nullptr;
    return symbol != nullptr && std::holds_alternative<MapId>(symbol->what);
}

// hits[ipv4.src], or a definition that stands for it
bool Analyzer::is_entry(ast::ExprId written, const Scope &outer)
{
    const auto [id, where] = unbound(written, outer);
    if (const auto *index = std::get_if<ast::Index>(&(*where)[id].node))
        return names_map(index->base, *where);
    const auto use = use_of_def(id, *where);
    const ast::Def *def = use ? def_named(use->name)->decl : nullptr;
    const Scope inside{.file = use ? def_named(use->name)->file : nullptr};
    const auto *body = use ? std::get_if<ast::ExprId>(&def->body) : nullptr;
    const auto *index = body != nullptr ? std::get_if<ast::Index>(&inside[*body].node) : nullptr;
    return index != nullptr && names_map(index->base, inside);
}

std::optional<std::size_t> Analyzer::find_field(HeaderId header, std::string_view name) const
{
    const auto &fields = unit_.headers[header].fields;
    const auto found = std::ranges::find(fields, name, &Field::name);
    return found == fields.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - fields.begin()));
}

void Analyzer::report_unknown_header(Span span, const std::string &name)
{
    if (damaged(name))
        return;
    auto &report = diagnostics_.report(Kind::unknown_header, span, name);
    if (const auto module = stdlib_module_of(name); !module.empty())
        report.suggest_import(module);
    else
        report.suggest_near(name, header_names());
}

// Nothing (with a message unless `quiet`) where the names begin with no header.
std::optional<Reference> Analyzer::resolve(const std::vector<NamePart> &parts, bool quiet)
{
    Reference ref;
    const auto is_header = [&](const std::string &name) {
        const Symbol *symbol = find(name);
        return symbol != nullptr && std::holds_alternative<HeaderId>(symbol->what);
    };
    for (;;) {
        const std::size_t end = longest_name(parts, ref.used, is_header);
        if (end == ref.used) {
            ref.either = find_union(parts[ref.used].text);
            if (ref.either == nullptr && !quiet)
                report_unknown_header(parts[ref.used].span, parts[ref.used].text);
            ++ref.used;
            return ref.either != nullptr ? std::optional(ref) : std::nullopt;
        }
        const HeaderId origin = std::get<HeaderId>(find(joined(parts, ref.used, end))->what);
        const Span span = join(parts[ref.used].span, parts[end - 1].span);
        ref.used = end;
        ref.header = origin;
        if (ref.space.valid()) {
            ref.header = inside(ref.space, origin);
            if (!ref.header.valid()) {
                if (!quiet)
                    diagnostics_.report(Kind::path_impossible, span, unit_.headers[origin].name,
                                        unit_.headers[ref.space].name);
                return std::nullopt;
            }
        }
        if (end + 1 >= parts.size() || parts[end].text != "inner" || !roots_.contains(origin))
            return ref;
        ref.space = ref.header;
        ref.used = end + 1;
    }
}

// The link that an index means; without one the first, or the one that `any` is at.
std::optional<HeaderRef> Analyzer::indexed(HeaderId header, const NamePart &part, const Scope &scope)
{
    HeaderRef ref{header};
    const Header &what = unit_.headers[header];
    if (part.index == nullptr) {
        if (scope.any_index >= 0 && what.is_link() && (!scope.any_header->valid() || *scope.any_header == header)) {
            *scope.any_header = header;
            ref.index = static_cast<std::uint8_t>(scope.any_index);
        }
        return ref;
    }
    if (part.index->indices.size() != 1) {
        diagnostics_.report(Kind::not_a_value, part.span, "a list")
            .suggest(fmt::format("one index at most: {}[0]", what.name));
        return std::nullopt;
    }
    const auto number = constant(part.index->indices[0], scope);
    if (!number)
        return std::nullopt;
    if (!what.is_link()) {
        diagnostics_.report(Kind::not_in_chain, part.span, what.name).suggest(fmt::format("write {} alone", what.name));
        return std::nullopt;
    }
    const unsigned limit = what.ways.empty() ? 0 : unit_.headers[what.ways[0].parent].chain->limit;
    if (*number >= limit) {
        diagnostics_.report(Kind::link_index, part.span, limit, what.name, limit - 1);
        return std::nullopt;
    }
    ref.index = static_cast<std::uint8_t>(*number);
    return ref;
}

// vlan, vlan[1], tcp.option.mss, vxlan.inner.ipv4: nothing (with a message unless `quiet`) where it names no header.
std::optional<HeaderRef> Analyzer::header_ref(ast::ExprId id, const Scope &scope, bool quiet)
{
    std::vector<NamePart> parts;
    const Span span = scope[id].span;
    if (!names_of(id, scope, parts)) {
        if (!quiet)
            diagnostics_.report(Kind::unknown_header, span, sources_.text(span));
        return std::nullopt;
    }
    const auto found = resolve(parts, quiet);
    if (!found)
        return std::nullopt;
    if (found->used != parts.size() || found->either != nullptr) {
        if (!quiet)
            diagnostics_.report(Kind::unknown_header, span, sources_.text(span));
        return std::nullopt;
    }
    if (!may_be_named(found->header, span, scope))
        return std::nullopt;
    return indexed(found->header, parts.back(), scope);
}

// An item of a list, whichever, is no header that a packet has or has not.
bool Analyzer::may_be_named(HeaderId id, Span span, const Scope &scope)
{
    if (!unit_.headers[id].list || scope.declares)
        return true;
    auto &report = diagnostics_.report(Kind::item_of_list, span, unit_.headers[id].name);
    for (const auto &header : unit_.headers)
        if (!header.ways.empty() && header.ways[0].through_list && header.ways[0].parent == id) {
            report.suggest(fmt::format("name one of them: {}", header.name));
            break;
        }
    return false;
}

std::optional<HeaderId> Analyzer::header_named(const ast::Name &name)
{
    std::vector<NamePart> parts;
    for (std::size_t begin = 0; begin <= name.text.size();) {
        const auto dot = std::min(name.text.find('.', begin), name.text.size());
        parts.push_back({name.text.substr(begin, dot - begin), name.span});
        begin = dot + 1;
    }
    const auto found = resolve(parts, false);
    if (!found)
        return std::nullopt;
    if (found->used == parts.size() && found->either == nullptr)
        return found->header;
    report_unknown_header(name.span, name.text);
    return std::nullopt;
}

// The field that a type names: ipv4.src, vxlan.inner.ipv4.src, ip.src
std::optional<ExprId> Analyzer::field_named(const ast::Type &type)
{
    std::vector<NamePart> parts;
    const auto whole = fmt::format("{}.{}", type.name.text, type.field->text);
    for (std::size_t begin = 0; begin <= whole.size();) {
        const auto dot = std::min(whole.find('.', begin), whole.size());
        parts.push_back({whole.substr(begin, dot - begin), type.name.span});
        begin = dot + 1;
    }
    const auto found = resolve(parts, false);
    if (!found)
        return std::nullopt;
    const auto name = joined(parts, found->used, parts.size());
    if (found->either != nullptr)
        return union_value(*found, name, type.field->span, type.span);
    return field_value({found->header}, name, type.field->span, type.span);
}

std::optional<ExprId> Analyzer::field_value(HeaderRef ref, const std::string &name, Span name_span, Span span)
{
    const Header &header = unit_.headers[ref.header];
    if (header.chain && header.chain->name == name)
        return add(Expr{ValueType::number, header.chain->constant ? 64 : header.fields[header.chain->selector].bits,
                        ChainEnd{ref.header}, span});
    if (const auto field = find_field(ref.header, name))
        return add(Expr{header.fields[*field].type, header.fields[*field].bits, FieldValue{ref, *field}, span});
    if (!damaged(header.name))
        diagnostics_.report(Kind::unknown_field, name_span, header.name, name)
            .suggest_near(name, field_names(ref.header));
    return std::nullopt;
}

// packet.length, udp.dport, vlan[1].id, tcp.flags.syn, vxlan.inner.ip.src
std::optional<ExprId> Analyzer::member_value(ast::ExprId id, const Scope &scope)
{
    const Span span = scope[id].span;
    std::vector<NamePart> parts;
    if (is_entry(std::get<ast::Member>(scope[id].node).base, scope))
        return map_value(id, scope);
    if (!names_of(id, scope, parts)) {
        ast::ExprId base = id;
        while (const auto *member = std::get_if<ast::Member>(&scope[base].node))
            base = member->base;
        diagnostics_.report(Kind::unknown_header, scope[base].span, sources_.text(scope[base].span));
        return std::nullopt;
    }
    const auto &first = parts.front().text;
    const auto behind = [&](std::size_t used) { return join(parts[used].span, parts.back().span); };
    if (first == "packet") {
        const auto name = joined(parts, 1, parts.size());
        if (name == "length")
            return add(Expr{ValueType::number, 16, Metadata::packet_length, span});
        diagnostics_.report(Kind::unknown_member, behind(1), "packet", name)
            .suggest("packet.length, or bytes: packet[12:2]");
        return std::nullopt;
    }
    if (const auto own = joined(parts, 0, parts.size()); scope.self.valid() && find_field(scope.self, own))
        return field_value({scope.self}, own, span, span);
    if (const Symbol *symbol = find(first); symbol != nullptr && !std::holds_alternative<HeaderId>(symbol->what) &&
                                            !std::holds_alternative<UnionSymbol>(symbol->what)) {
        diagnostics_.report(Kind::unknown_member, behind(1), first, joined(parts, 1, parts.size()));
        return std::nullopt;
    }
    const auto found = resolve(parts, false);
    if (!found)
        return std::nullopt;
    if (found->used == parts.size())
        return found->either != nullptr ? union_alone(*found, span) : bare_value(found->header, span, scope);
    const auto name = joined(parts, found->used, parts.size());
    if (found->either != nullptr)
        return union_value(*found, name, behind(found->used), span);
    if (!may_be_named(found->header, span, scope))
        return std::nullopt;
    const auto ref = indexed(found->header, parts[found->used - 1], scope);
    if (!ref)
        return std::nullopt;
    if (name == "payload") {
        diagnostics_.report(Kind::not_a_value, span, "a payload")
            .suggest(fmt::format("say which bytes of it: {}[0:4]", sources_.text(span)));
        return std::nullopt;
    }
    return field_value(*ref, name, behind(found->used), span);
}

// A header where a value is wanted: its field `value`, as in tcp.option.mss == 1460.
std::optional<ExprId> Analyzer::bare_value(HeaderId header, Span span, const Scope &scope)
{
    if (!may_be_named(header, span, scope))
        return std::nullopt;
    if (find_field(header, "value"))
        return field_value({header}, "value", span, span);
    auto &report = diagnostics_.report(Kind::not_a_value, span, "a header");
    if (const auto &fields = unit_.headers[header].fields; !fields.empty())
        report.suggest(fmt::format("name one of its fields, e.g. {}.{}", sources_.text(span), fields.front().name));
    return std::nullopt;
}

// packet[12:2], packet[12], udp.payload[0:4]
std::optional<ExprId> Analyzer::slice_value(ast::ExprId id, const Scope &scope)
{
    const ast::Expr &expr = scope[id];
    const auto *slice = std::get_if<ast::Slice>(&expr.node);
    const auto *index = std::get_if<ast::Index>(&expr.node);
    if (index != nullptr && names_map(index->base, scope))
        return map_value(id, scope);
    const ast::ExprId base_id = slice != nullptr ? slice->base : std::get<ast::Index>(expr.node).base;
    const ast::Expr &base = scope[base_id];
    Slice out;
    if (const auto *member = std::get_if<ast::Member>(&base.node);
        member != nullptr && member->member.text == "payload") {
        out.behind = header_ref(member->base, scope);
        if (!out.behind)
            return std::nullopt;
    } else if (const auto *name = std::get_if<ast::Identifier>(&base.node); name == nullptr || name->text != "packet") {
        if (name != nullptr && damaged(name->text))
            return std::nullopt;
        const bool header = name != nullptr && header_ref(base_id, scope, true).has_value();
        diagnostics_.report(Kind::not_a_value, expr.span, header ? "a header" : "no packet or payload")
            .suggest("bytes are taken from the packet or a payload: packet[12:2], udp.payload[0:4]");
        return std::nullopt;
    }
    if (index != nullptr && index->indices.size() != 1) {
        diagnostics_.report(Kind::not_a_value, expr.span, "a list")
            .suggest("a slice is written packet[12:2]: two bytes, from byte 12");
        return std::nullopt;
    }
    const auto offset = constant(slice != nullptr ? slice->offset : index->indices[0], scope);
    const auto length = slice != nullptr ? constant(slice->length, scope) : std::optional<std::uint64_t>(1);
    if (!offset || !length)
        return std::nullopt;
    constexpr std::uint64_t longest = 64;
    constexpr std::uint64_t farthest = 4096;
    if (*length == 0 || *length > longest || *offset > farthest) {
        diagnostics_.report(Kind::bad_slice, expr.span, counted(*length, "byte"), *offset,
                            fmt::format("it takes 1 to {} bytes, from byte {} at most", longest, farthest));
        return std::nullopt;
    }
    out.offset = static_cast<std::uint32_t>(*offset);
    out.length = static_cast<std::uint32_t>(*length);
    const auto type = *length <= 8 ? ValueType::number : ValueType::bytes;
    return add(Expr{type, out.length * 8, out, expr.span});
}

} // namespace xdpf::sema
