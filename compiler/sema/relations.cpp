// How headers hang together: ways, chains, lists, tunnels, sizes, checksums.
#include "compiler/sema/analyzer.hpp"
#include "compiler/sema/range.hpp"

#include <algorithm>
#include <set>

namespace xdpf::sema {
namespace {

constexpr std::uint32_t largest_header =
    4096;                                // bytes; so that positions stay within what the kernel's verifier follows
constexpr std::uint64_t most_items = 32; // of a list

// Which headers a condition speaks of, and whether through a chain.
struct References {
    std::set<HeaderRef> headers;
    bool chain = false;
};

void collect(const Unit &unit, ExprId id, References &out)
{
    const auto &node = unit.exprs[id].node;
    if (const auto *field = std::get_if<FieldValue>(&node)) {
        out.headers.insert(field->header);
    } else if (const auto *end = std::get_if<ChainEnd>(&node)) {
        out.headers.insert({end->base});
        out.chain = true;
    } else if (const auto *binary = std::get_if<Binary>(&node)) {
        collect(unit, binary->left, out);
        collect(unit, binary->right, out);
    } else if (const auto *unary = std::get_if<Unary>(&node)) {
        collect(unit, unary->operand, out);
    } else if (const auto *slice = std::get_if<Slice>(&node); slice && slice->behind) {
        out.headers.insert(*slice->behind);
    }
}

void collect(const Unit &unit, PredId id, References &out)
{
    const auto &node = unit.preds[id].node;
    if (const auto *both = std::get_if<And>(&node)) {
        collect(unit, both->left, out);
        collect(unit, both->right, out);
    } else if (const auto *either = std::get_if<Or>(&node)) {
        collect(unit, either->left, out);
        collect(unit, either->right, out);
    } else if (const auto *negated = std::get_if<Not>(&node)) {
        collect(unit, negated->operand, out);
    } else if (const auto *compare = std::get_if<Compare>(&node)) {
        collect(unit, compare->left, out);
        collect(unit, compare->right, out);
    } else if (const auto *set = std::get_if<InSet>(&node)) {
        collect(unit, set->value, out);
    } else if (const auto *present = std::get_if<Present>(&node)) {
        out.headers.insert(present->header);
    }
}

// Whether an expression speaks of fields of one header only.
template <class Id> bool speaks_only_of(const Unit &unit, Id what, HeaderId header)
{
    References found;
    collect(unit, what, found);
    return !found.chain && std::ranges::all_of(found.headers, [&](HeaderRef ref) { return ref == HeaderRef{header}; });
}

} // namespace

void Analyzer::build_relations(HeaderId id, const ast::File &file, const ast::Header &decl)
{
    const Scope inside{.file = &file, .self = id, .declares = true};
    const auto own = [&](const std::optional<ast::ExprId> &what) -> std::optional<PredId> {
        return what ? predicate(*what, inside) : std::nullopt;
    };
    const auto where = own(decl.where);
    const auto payload_when = own(decl.payload_when);
    std::optional<ExprId> size;
    if (decl.size)
        size = number_value(*decl.size, inside);
    unit_.headers[id].where = where;
    unit_.headers[id].payload_when = payload_when;
    unit_.headers[id].size = size;
    if (decl.then) {
        unit_.headers[id].then = find_field(id, decl.then->text);
        if (!unit_.headers[id].then)
            diagnostics_.report(Kind::unknown_field, decl.then->span, decl.name.text, decl.then->text)
                .suggest_near(decl.then->text, field_names(id));
    }
    build_ways(id, file, decl);
    build_size(id);
    build_floating(id, file, decl);
    if (decl.list)
        build_list(id, file, decl);
    build_inner(id, file, decl);
}

// The ways that `a or b or c` names. The standard library's headers name ways behind others that a program imports if
// it wants them: without `import "mpls"` nothing is looked for behind MPLS labels, and nothing is spent on it.
std::vector<ast::ExprId> Analyzer::ways_of(const ast::File &file, ast::ExprId id)
{
    std::vector<ast::ExprId> all{id};
    for (std::size_t i = 0; i < all.size();)
        if (const auto *two = std::get_if<ast::Binary>(&file.exprs[all[i]].node);
            two != nullptr && two->op == ast::BinaryOp::logical_or) {
            all[i] = two->right;
            all.insert(all.begin() + static_cast<std::ptrdiff_t>(i), two->left);
        } else {
            ++i;
        }
    std::erase_if(all, [&](ast::ExprId way) {
        const auto *compared = std::get_if<ast::Binary>(&file.exprs[way].node);
        std::vector<NamePart> parts;
        return compared != nullptr && names_of(compared->left, {.file = &file}, parts) &&
               not_imported(file, parts.front().text);
    });
    return all;
}

bool Analyzer::not_imported(const ast::File &file, const std::string &header)
{
    return sources_.name(file.file).starts_with(stdlib_prefix) && find(header) == nullptr &&
           !stdlib_module_of(header).empty();
}

void Analyzer::build_ways(HeaderId id, const ast::File &file, const ast::Header &decl)
{
    const auto errors = diagnostics_.errors();
    if (decl.on)
        for (const auto way : ways_of(file, *decl.on))
            if (const auto condition = predicate(way, {.file = &file, .declares = true}))
                add_way(id, *condition, file.exprs[way].span);
    Header &header = unit_.headers[id];
    const bool link = header.ways.size() == 1 && header.ways[0].through_chain &&
                      std::holds_alternative<InSet>(unit_.preds[header.ways[0].condition].node);
    if (header.is_link() && !link && diagnostics_.errors() == errors)
        diagnostics_.report(Kind::bad_header, decl.name.span, header.name,
                            "'then' is for links of a chain: 'on' compares the end of one with constants");
    if (!link)
        header.then.reset();
    if (header.is_link() && header.fields[*header.then].floating())
        diagnostics_.report(Kind::bad_field, decl.then->span, decl.then->text, "its place is computed");
}

void Analyzer::build_floating(HeaderId id, const ast::File &file, const ast::Header &decl)
{
    const Scope inside{.file = &file, .self = id, .declares = true};
    for (const auto &field : decl.fields) {
        const auto index = field.at ? find_field(id, field.name.text) : std::nullopt;
        if (!index)
            continue;
        const auto bad = [&](Span span, const char *why) {
            diagnostics_.report(Kind::bad_field, span, field.name.text, why);
        };
        if (!decl.size)
            bad(field.name.span, "its header needs a 'size', in which it lies");
        const auto at = number_value(*field.at, inside);
        const auto when = field.when ? predicate(*field.when, inside) : std::nullopt;
        if (!at || (field.when && !when))
            continue;
        if (!speaks_only_of(unit_, *at, id) || (when && !speaks_only_of(unit_, *when, id)))
            bad(file.exprs[*field.at].span, "its place depends on fields of its own header only");
        unit_.headers[id].fields[*index].at = *at;
        unit_.headers[id].fields[*index].when = when;
    }
}

// header tcp.option in tcp at most 10 end when kind == 0
void Analyzer::build_list(HeaderId id, const ast::File &file, const ast::Header &decl)
{
    const auto bad = [&](Span span, std::string_view why) {
        diagnostics_.report(Kind::bad_header, span, decl.name.text, why);
    };
    const auto container = header_named(decl.list->container);
    const auto limit = constant(decl.list->at_most, {&file});
    const Scope inside{.file = &file, .self = id, .declares = true};
    ListOf list;
    if (decl.end_when)
        list.end_when = predicate(*decl.end_when, inside);
    if (decl.pad_when)
        list.pad_when = predicate(*decl.pad_when, inside);
    if (!container || !limit)
        return;
    if (decl.on || decl.then)
        bad(decl.name.span, "an item of a list stands in its list, not 'on' something");
    if (*limit == 0 || *limit > most_items)
        bad(file.exprs[decl.list->at_most].span, fmt::format("'at most' takes 1 to {}", most_items));
    if (unit_.headers[id].fields.empty())
        bad(decl.name.span, "an item needs fields");
    for (const auto condition : {list.end_when, list.pad_when})
        if (condition && !speaks_only_of(unit_, *condition, id))
            bad(decl.name.span, "'end' and 'pad' speak of the item's fields only");
    list.container = *container;
    list.limit = static_cast<unsigned>(*limit);
    unit_.headers[id].list = list;
}

// inner ipv4 when protocol == 0x0800, ethernet when protocol == 0x6558
void Analyzer::build_inner(HeaderId id, const ast::File &file, const ast::Header &decl)
{
    for (const auto &inner : decl.inner) {
        if (not_imported(file, inner.header.text))
            continue;
        const auto root = header_named(inner.header);
        const auto when =
            inner.when ? predicate(*inner.when, {.file = &file, .self = id, .declares = true}) : std::nullopt;
        if (!root || (inner.when && !when))
            continue;
        if (when && !speaks_only_of(unit_, *when, id)) {
            diagnostics_.report(Kind::bad_header, file.exprs[*inner.when].span, decl.name.text,
                                "what it carries depends on its own fields only");
            continue;
        }
        roots_[id].push_back({*root, when});
    }
}

// `a or b` are two ways; each speaks of one header in front.
void Analyzer::add_way(HeaderId id, PredId condition, Span span)
{
    if (const auto *either = std::get_if<Or>(&unit_.preds[condition].node)) {
        const auto [left, right] = *either;
        add_way(id, left, unit_.preds[left].span);
        add_way(id, right, unit_.preds[right].span);
        return;
    }
    References found;
    collect(unit_, condition, found);
    if (found.headers.size() != 1) {
        diagnostics_
            .report(Kind::bad_header, span, unit_.headers[id].name,
                    fmt::format("each way to it speaks of exactly one header in front, and this of {}",
                                found.headers.size()))
            .suggest("write several ways with 'or': on a.x == 1 or b.y == 1");
        return;
    }
    const HeaderRef front = *found.headers.begin();
    const bool of_list = front.header.value < header_sources_.size() && header_sources_[front.header].decl->list;
    unit_.headers[id].ways.push_back({front.header, found.chain, condition, front.index, of_list});
}

void Analyzer::build_size(HeaderId id)
{
    Header &header = unit_.headers[id];
    header.max_size = header.fixed_size;
    if (header.fixed_size > largest_header)
        diagnostics_.report(Kind::bad_header, header.span, header.name,
                            fmt::format("it has more than {} bytes", largest_header));
    if (!header.size)
        return;
    const auto range = range_of(unit_, id, *header.size);
    header.check_size = range.low < header.fixed_size;
    header.max_size = static_cast<std::uint32_t>(std::min<std::uint64_t>(range.high, largest_header));
    header.max_size = std::max(header.max_size, header.fixed_size);
    // What `where` says of a field does not bound what is computed from it, to those who follow the program.
    header.clamp_size = range_of(unit_, {}, *header.size).high > header.max_size;
}

// checksum : u16 = checksum(header, payload, ipv4.src, …): for whoever changes what it sums up.
void Analyzer::build_checksum(HeaderId id, const ast::File &file)
{
    const Scope scope{.file = &file, .declares = true};
    for (std::size_t field = 0; field < unit_.headers[id].fields.size(); ++field) {
        const auto given = defaults_.find({id.value, field});
        const auto *call = given == defaults_.end() ? nullptr : std::get_if<ast::Call>(&scope[given->second].node);
        if (call == nullptr || call->callee.text != "checksum" || unit_.headers[id].fields[field].floating())
            continue;
        Checksum sum{.field = field};
        for (const auto &argument : call->arguments) {
            const auto *name = std::get_if<ast::Identifier>(&scope[argument.value].node);
            const auto *member = std::get_if<ast::Member>(&scope[argument.value].node);
            if (argument.name && argument.name->text == "zero") {
                if (const auto zero = constant(argument.value, scope))
                    sum.zero = static_cast<std::uint16_t>(*zero);
            } else if (name != nullptr && name->text == "header") {
                sum.header = true;
            } else if (name != nullptr && name->text == "payload") {
                sum.payload = true;
            } else if (member != nullptr) {
                const auto value = this->value(argument.value, scope);
                if (const auto *of = value ? std::get_if<FieldValue>(&unit_.exprs[*value].node) : nullptr)
                    sum.fields.emplace_back(of->header, of->field);
            }
        }
        unit_.headers[id].checksum = std::move(sum);
        return;
    }
}

} // namespace xdpf::sema
