#include "compiler/query_names.hpp"

#include <algorithm>
#include <array>
#include <concepts>

namespace xdpf::query {
namespace {

const ast::Field *find_field(const std::vector<ast::Field> &fields, std::string_view name)
{
    const auto dot = name.find('.');
    const auto found = std::ranges::find(fields, name.substr(0, dot), [](const ast::Field &f) { return f.name.text; });
    if (found == fields.end())
        return nullptr;
    return dot == std::string_view::npos ? &*found : find_field(found->parts, name.substr(dot + 1));
}

const Span *parameter(const ast::Def &def, std::string_view name)
{
    const auto found = std::ranges::find(def.parameters, name, [](const ast::Name &n) { return n.text; });
    return found == def.parameters.end() ? nullptr : &found->span;
}

} // namespace

std::string joined(std::span<const std::string_view> words)
{
    std::string out;
    for (const auto word : words)
        out.append(out.empty() ? "" : ".").append(word);
    return out;
}

const ast::Name *name_of(const ast::Decl &decl)
{
    return std::visit(
        [](const auto &node) -> const ast::Name * {
            if constexpr (requires {
                              {
                                  node.name
                                  } -> std::same_as<const ast::Name &>;
                          })
                return &node.name;
            else
                return nullptr;
        },
        decl.node);
}

Names::Names(const Compilation &compilation) : state_(compilation.state())
{
    for (const auto &module : state_.modules.files) {
        if (module->is_main)
            main_ = &module->ast;
        for (const auto &decl : module->ast.decls) {
            const auto *name = query::name_of(decl);
            if (name == nullptr)
                continue;
            auto &all = std::holds_alternative<ast::Program>(decl.node) ? programs_ : declared_;
            // The main source comes last: what it declares is meant.
            all.insert_or_assign(name->text, DeclaredName{&module->ast, &decl});
        }
    }
}

const DeclaredName *Names::find(std::string_view name) const
{
    const auto found = declared_.find(name);
    return found == declared_.end() ? nullptr : &found->second;
}

const DeclaredName *Names::program(std::string_view name) const
{
    const auto found = programs_.find(name);
    return found == programs_.end() ? nullptr : &found->second;
}

const sema::Header *Names::header(std::string_view name) const
{
    const auto found = std::ranges::find(state_.unit.headers, name, &sema::Header::name);
    return found == state_.unit.headers.end() ? nullptr : &*found;
}

const ast::Header *Names::declaration_of(const sema::Header &header) const
{
    const auto *found = find(header.name);
    return found != nullptr ? std::get_if<ast::Header>(&found->decl->node) : nullptr;
}

const MapSpec *Names::map(std::string_view name) const
{
    const auto found = std::ranges::find_if(
        state_.unit.maps, [&](const MapSpec &map) { return map.name == name && !map.internal && !map.data; });
    return found == state_.unit.maps.end() ? nullptr : &*found;
}

const ast::Map *Names::declaration_of(const MapSpec &map) const
{
    const auto *found = find(map.name);
    return found != nullptr ? std::get_if<ast::Map>(&found->decl->node) : nullptr;
}

const ast::Field *Names::field(const ast::Header &header, std::string_view name) const
{
    return find_field(header.fields, name);
}

bool Names::has_headers_below(std::string_view prefix) const
{
    const auto begin = std::string(prefix) + '.';
    const auto found = declared_.lower_bound(begin);
    return found != declared_.end() && found->first.starts_with(begin);
}

std::optional<std::size_t> Names::field_index(const sema::Header &header, std::string_view name) const
{
    const auto found = std::ranges::find(header.fields, name, &sema::Field::name);
    return found == header.fields.end() ? std::nullopt
                                        : std::optional(static_cast<std::size_t>(found - header.fields.begin()));
}

std::optional<std::size_t> Names::argument_index(const sema::Header &header, std::string_view name) const
{
    if (const auto whole = field_index(header, name))
        return whole;
    const auto part = '.' + std::string(name);
    const auto found = std::ranges::find_if(header.fields, [&](const auto &f) { return f.name.ends_with(part); });
    return found == header.fields.end() ? std::nullopt
                                        : std::optional(static_cast<std::size_t>(found - header.fields.begin()));
}

std::optional<Meaning> Names::resolve(std::span<const std::string_view> words, const sema::Header *self) const
{
    constexpr std::size_t most_words = 64;
    if (words.empty() || words.size() > most_words)
        return std::nullopt;
    const auto in_header = [&](const sema::Header &header, const std::string &rest) -> std::optional<Meaning> {
        if (rest.empty())
            return HeaderName{&header};
        if (const auto index = field_index(header, rest))
            return FieldName{&header, *index};
        if (header.chain && header.chain->name == rest)
            return ChainName{&header};
        if (rest == "payload" || rest == "inner")
            return MemberWord{header.name, rest == "payload" ? "payload" : "inner"};
        return std::nullopt;
    };
    if (self != nullptr)
        if (auto own = in_header(*self, joined(words)); own && !std::holds_alternative<MemberWord>(*own))
            return own;
    // What a tunnel carries has the same headers.
    for (std::size_t i = words.size() - 1; i-- > 1;)
        if (words[i] == "inner")
            return resolve(words.subspan(i + 1), nullptr);
    for (std::size_t used = words.size(); used > 0; --used)
        if (const auto *found = header(joined(words.first(used))))
            return in_header(*found, joined(words.subspan(used)));
    if (words.size() == 2 && words[0] == "packet" && words[1] == "length")
        return MemberWord{"packet", "length"};
    const auto *declared = find(words[0]);
    if (words.size() == 1 && declared != nullptr)
        return *declared;
    if (declared != nullptr && words.size() == 2)
        if (const auto *either = std::get_if<ast::Union>(&declared->decl->node))
            for (const auto &member : either->members)
                if (member.name.text == words[1])
                    return MemberName{either, &member};
    if (const auto *of = map(words[0])) {
        if (words.size() == 1)
            return MapName{of};
        for (const auto &field : of->value.fields)
            if (field.name == joined(words.subspan(1)))
                return MapFieldName{of, &field};
    }
    return std::nullopt;
}

const sema::Header *Names::self(const Text &text, std::size_t token) const
{
    const auto declaration = text.declaration(token);
    if (text[declaration] != "header")
        return nullptr;
    std::size_t last = declaration + 1;
    while (text[last + 1] == "." && text.is_word(last + 2))
        last += 2;
    return header(joined(text.chain(declaration + 1, last)));
}

const sema::Header *Names::layer_header(const Text &text, std::size_t opener) const
{
    if (opener == Text::none || opener == 0 || !text.is_word(opener - 1))
        return nullptr;
    const auto words = text.chain(text.chain_begin(opener - 1), opener - 1);
    const auto found = resolve(words, nullptr);
    const auto *name = found ? std::get_if<HeaderName>(&*found) : nullptr;
    return name != nullptr ? name->header : nullptr;
}

const MapSpec *Names::record_map(const Text &text, std::size_t opener) const
{
    const auto declaration = text.declaration(opener);
    if (text[declaration] == "defmap")
        return map(text[declaration + 1]);
    if (opener < 2 || opener == Text::none)
        return nullptr;
    std::size_t at = opener - 1;
    if (text[at] != "=" && text[at] != "==")
        return nullptr;
    --at;
    if (text[at] == "]")
        at = text.opener_of(at) - 1;
    return text.is_word(at) ? map(text[at]) : nullptr;
}

// dport of udp(dport = 53), packets of {packets = 1}
std::optional<Meaning> Names::argument(const Text &text, std::size_t token) const
{
    const auto frame = text.frames(token).back();
    if (text[token + 1] != "=" || token == 0 || (token - 1 != frame.opener && text[token - 1] != ","))
        return std::nullopt;
    if (frame.inside == Inside::arguments)
        if (const auto *header = layer_header(text, frame.opener))
            if (const auto index = argument_index(*header, text[token]))
                return FieldName{header, *index};
    if (frame.inside == Inside::set)
        if (const auto *of = record_map(text, frame.opener))
            for (const auto &field : of->value.fields)
                if (field.name == text[token])
                    return MapFieldName{of, &field};
    return std::nullopt;
}

// `let x` in front, in the same declaration, or a parameter of the definition.
std::optional<Meaning> Names::local(const Text &text, std::size_t token) const
{
    const auto declaration = text.declaration(token);
    if (declaration == Text::none || main_ == nullptr)
        return std::nullopt;
    for (std::size_t i = token + 1; i-- > declaration;)
        if (text[i] == text[token] && i > 0 && text[i - 1] == "let")
            return LocalName{{main_->file, text.begin(i), text.end(i)}, "let"};
    const auto *around = find(text[declaration + 1]);
    const auto *def = around != nullptr ? std::get_if<ast::Def>(&around->decl->node) : nullptr;
    if (text[declaration] == "def" && def != nullptr)
        if (const auto *span = parameter(*def, text[token]))
            return LocalName{*span, "def"};
    return std::nullopt;
}

std::optional<Meaning> Names::meaning(const Text &text, std::size_t token) const
{
    if (auto found = argument(text, token))
        return found;
    const auto first = text.chain_begin(token);
    const auto words = text.chain(first, token);
    const auto previous = token > 0 ? text[token - 1] : std::string_view();
    if (previous == "goto" || previous == "for" || previous == "defprogram")
        return program(text[token]) != nullptr ? std::optional<Meaning>(*program(text[token])) : std::nullopt;
    if (first == token)
        if (auto found = local(text, token))
            return found;
    const auto *around = self(text, token);
    // A part of a field, where it is declared: flags : u8 { syn : u1 }
    const auto frames = text.frames(token);
    if (around != nullptr && frames.size() > 2 && text[token + 1] == ":" && frames.back().opener != Text::none)
        for (std::size_t i = frames.back().opener; i-- > 1;)
            if (text[i] == ":" && text.is_word(i - 1))
                return resolve(std::array{text[i - 1], text[token]}, around);
    return resolve(words, around);
}

} // namespace xdpf::query
