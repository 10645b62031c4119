#include "compiler/query_offer.hpp"

#include "compiler/query_comments.hpp"
#include "grammar/lexis.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::query {
namespace {

constexpr std::size_t longest_detail = 80; // bytes

} // namespace

std::vector<Candidate> Offer::take()
{
    std::ranges::sort(out_, {}, &Candidate::word);
    const auto again = std::ranges::unique(out_, {}, &Candidate::word);
    out_.erase(again.begin(), again.end());
    return std::move(out_);
}

void Offer::add(std::string_view word, Role role, std::string_view detail)
{
    if (word.starts_with(typed_))
        out_.push_back({std::string(word), role, excerpt(detail, 1, longest_detail)});
}

void Offer::sort(Sort sort, Role role)
{
    for (const auto &word : words())
        if (word.sort == sort)
            add(word.word, role, word.form);
}

void Offer::keywords(std::initializer_list<std::string_view> all)
{
    for (const auto word : all)
        for (const auto &known : words())
            if (known.word == word && (known.sort == Sort::keyword || known.sort == Sort::action)) {
                add(word, Role::keyword, known.form);
                break;
            }
}

void Offer::maps(MapTest test)
{
    for (const auto &map : names_.unit().maps)
        if (!map.internal && !map.data && test(map.kind))
            add(map.name, Role::map, xdpf::name_of(map.kind));
}

void Offer::programs()
{
    for (const auto &[name, declared] : names_.programs())
        add(name, Role::program);
}

void Offer::headers()
{
    for (const auto &[name, declared] : names_.all())
        if (std::holds_alternative<ast::Header>(declared.decl->node) && name.find('.') == std::string::npos)
            add(name, Role::header);
}

void Offer::unions()
{
    for (const auto &[name, declared] : names_.all())
        if (std::holds_alternative<ast::Union>(declared.decl->node))
            add(name, Role::header, "union");
}

// Definitions of steps, or of everything else.
void Offer::definitions(bool actions)
{
    for (const auto &[name, declared] : names_.all())
        if (const auto *def = std::get_if<ast::Def>(&declared.decl->node))
            if (std::holds_alternative<ast::ActionId>(def->body) == actions)
                add(name, Role::definition, head(*def));
}

std::string Offer::head(const ast::Def &def)
{
    std::string out = def.name.text;
    for (const auto &parameter : def.parameters)
        out += (&parameter == &def.parameters.front() ? "(" : ", ") + parameter.text;
    return out + (def.parameters.empty() ? "" : ")");
}

void Offer::constants()
{
    for (const auto &[name, declared] : names_.all()) {
        if (std::holds_alternative<ast::Const>(declared.decl->node))
            add(name, Role::constant, names_.sources().text(declared.decl->span));
        if (const auto *param = std::get_if<ast::Param>(&declared.decl->node))
            add(name, Role::parameter, names_.sources().text(param->type.span));
    }
}

void Offer::fields(const sema::Header &header, bool parts_by_name)
{
    const auto *decl = names_.declaration_of(header);
    for (const auto &field : header.fields) {
        const auto *written = decl != nullptr ? names_.field(*decl, field.name) : nullptr;
        const auto dot = field.name.rfind('.');
        const auto type = written != nullptr && written->type ? names_.sources().text(written->type->span) : "";
        if (dot == std::string::npos || parts_by_name)
            add(std::string_view(field.name).substr(dot == std::string::npos ? 0 : dot + 1), Role::field, type);
    }
}

// What goes on behind a complete operand.
void Offer::operators() { keywords({"and", "or", "in"}); }

void Offer::actions()
{
    for (const auto word : lexis::action_words())
        keywords({word});
    for (const auto &map : names_.unit().maps)
        if (map.kind == MapKind::xskmap && !map.internal)
            add("xsk " + map.name, Role::action, "redirect into this map");
    definitions(true);
    maps([](MapKind kind) {
        return !has(kind, map_trait::redirect | map_trait::ring | map_trait::programs | map_trait::keyless);
    });
}

void Offer::verdicts() { keywords({"pass", "drop", "abort", "tx"}); }

void Offer::types(bool in_map)
{
    sort(Sort::type, Role::type);
    sort(in_map ? Sort::map_type : Sort::header_type, Role::type);
    if (in_map) {
        headers();
        unions();
    }
}

void Offer::members_of(const Meaning &meaning)
{
    if (const auto *header = std::get_if<HeaderName>(&meaning)) {
        fields(*header->header, false);
        if (header->header->chain)
            add(header->header->chain->name, Role::field, "what stands behind the chain");
        add("payload", Role::field, "the bytes behind it");
        if (const auto *decl = names_.declaration_of(*header->header); decl != nullptr && !decl->inner.empty())
            add("inner", Role::header, "the packet that it carries");
    } else if (const auto *word = std::get_if<MemberWord>(&meaning); word != nullptr && word->word == "inner") {
        headers();
        unions();
    } else if (const auto *declared = std::get_if<DeclaredName>(&meaning)) {
        if (const auto *either = std::get_if<ast::Union>(&declared->decl->node))
            for (const auto &member : either->members)
                add(member.name.text, Role::field, names_.sources().text(declared->file->exprs[member.fields].span));
        if (const auto *map = std::get_if<ast::Map>(&declared->decl->node))
            if (const auto *spec = names_.map(map->name.text))
                for (const auto &field : spec->value.fields)
                    add(field.name, Role::field, fmt::format("{} bytes", field.size));
    }
}

void Offer::declarations()
{
    keywords({"import", "const", "param", "def", "header", "union", "defmap", "defprogram", "match", "default", "test",
              "asm"});
}

} // namespace xdpf::query
