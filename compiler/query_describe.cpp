// What stands at a place, in words.
#include "compiler/query_comments.hpp"
#include "compiler/query_names.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

namespace xdpf::query {
namespace {

constexpr std::size_t most_code_lines = 30; // of a declaration
constexpr std::size_t most_code_bytes = 2000;

std::string shown(std::string_view declaration) { return excerpt(declaration, most_code_lines, most_code_bytes); }

std::string plural(std::uint64_t count, std::string_view one)
{
    return fmt::format("{} {}{}", count, one, count == 1 ? "" : "s");
}

std::string place_of(std::uint32_t bits, std::uint32_t offset)
{
    if (bits % 8 == 0 && offset % 8 == 0)
        return fmt::format("{} ({}), from bit {} of the header on: byte {}", plural(bits, "bit"),
                           plural(bits / 8, "byte"), offset, offset / 8);
    return fmt::format("{}, from bit {} of the header on: byte {}, bit {} (0 is a byte's most significant)",
                       plural(bits, "bit"), offset, offset / 8, offset % 8);
}

class Describer {
public:
    explicit Describer(const Names &names) : names_(names), sources_(names.sources()) {}

    Description operator()(const HeaderName &name) const
    {
        const sema::Header &header = *name.header;
        const auto *decl = names_.declaration_of(header);
        Description out{.code =
                            decl != nullptr ? shown(head(*decl, header.span)) : fmt::format("header {}", header.name),
                        .declared = header.span};
        add(out, decl != nullptr ? comment_of(header) : std::string());
        add(out, size_text(header, decl));
        add(out, way_text(header, decl));
        if (header.chain)
            add(out, fmt::format("Behind it up to {} more stand in a chain; `{}.{}` is what stands behind those.",
                                 plural(header.chain->limit, "header"), header.name, header.chain->name));
        if (decl != nullptr && !decl->inner.empty())
            add(out, fmt::format("It carries a packet: `{}.inner.…`", header.name));
        for (const auto &field : header.fields)
            out.fields.push_back(row(header, field, decl));
        return out;
    }

    Description operator()(const FieldName &name) const
    {
        const sema::Header &header = *name.header;
        const sema::Field &field = header.fields[name.field];
        const auto *decl = names_.declaration_of(header);
        const auto *written = decl != nullptr ? names_.field(*decl, field.name) : nullptr;
        Description out{.code = fmt::format("{}.{}", header.name, field.name), .declared = field.span};
        if (written != nullptr && written->type)
            out.code += " : " + std::string(sources_.text(written->type->span));
        if (written != nullptr && written->default_value)
            out.code += " = " + source(*decl, *written->default_value);
        add(out, place_text(header, field, decl, written));
        if (field.type == sema::ValueType::number && field.bits > 8)
            add(out, field.little_endian ? "Least significant byte first." : "Most significant byte first.");
        add(out, written != nullptr ? comment_of(*written) : std::string());
        if (written != nullptr && !written->parts.empty())
            for (const auto &part : header.fields)
                if (part.name.starts_with(field.name + "."))
                    out.fields.push_back(row(header, part, decl));
        return out;
    }

    Description operator()(const ChainName &name) const
    {
        const sema::Header &header = *name.header;
        const auto *decl = names_.declaration_of(header);
        Description out{.code = fmt::format("{}.{}", header.name, header.chain->name)};
        add(out, fmt::format("What the last header of the chain behind `{}` names, {} looked at at most.", header.name,
                             plural(header.chain->limit, "header")));
        if (const auto *written = decl != nullptr ? names_.field(*decl, header.chain->name) : nullptr) {
            out.declared = written->name.span;
            add(out, comment_behind(sources_, written->name.span));
        }
        return out;
    }

    Description operator()(const MemberName &name) const
    {
        const auto *declared = names_.find(name.either->name.text);
        Description out{.code = fmt::format("{}.{} : {}", name.either->name.text, name.member->name.text,
                                            sources_.text(declared->file->exprs[name.member->fields].span)),
                        .declared = name.member->name.span};
        add(out, "Whichever of them the packet has, the first one.");
        add(out, comment_behind(sources_, declared->file->exprs[name.member->fields].span));
        return out;
    }

    Description operator()(const MapFieldName &name) const
    {
        Description out{.code = fmt::format("{}[…].{}", name.map->name, name.field->name), .declared = name.map->span};
        add(out, fmt::format("{} at byte {} of the value of `{}`. Absent where the map holds nothing.",
                             plural(name.field->size, "byte"), name.field->offset, name.map->name));
        return out;
    }

    Description operator()(const MapName &name) const
    {
        Description out{
            .code = fmt::format("defmap {} : {}[{}]", name.map->name, name_of(name.map->kind), name.map->max_entries)};
        add(out, "It comes along, since no map of this name is declared.");
        describe_map(out, *name.map);
        return out;
    }

    Description operator()(const LocalName &name) const
    {
        const auto line = sources_.location(name.span.file, name.span.begin).line;
        Description out{.code = shown(trimmed(sources_.line(name.span.file, line))), .declared = name.span};
        add(out, name.keyword == "let" ? "A value for the rest of the block; absent where what it was made of is."
                                       : "A parameter of this definition: what is written where it is used.");
        return out;
    }

    Description operator()(const MemberWord &word) const
    {
        Description out{.code = fmt::format("{}.{}", word.base, word.word)};
        add(out, word.word == "length"    ? "The packet's bytes, in all its pieces; 16 bits."
                 : word.word == "payload" ? fmt::format("The bytes behind `{0}`: `{0}.payload[0:4]`.", word.base)
                                          : fmt::format("The packet that `{}` carries.", word.base));
        return out;
    }

    Description operator()(const DeclaredName &name) const
    {
        const auto *given = query::name_of(*name.decl);
        Description out{.declared = given->span};
        const auto whole = sources_.text(name.decl->span);
        if (const auto *header = std::get_if<ast::Header>(&name.decl->node)) {
            out.code = shown(head(*header, given->span));
        } else if (const auto *map = std::get_if<ast::Map>(&name.decl->node)) {
            const auto end = map->contents ? name.file->exprs[*map->contents].span.begin : name.decl->span.end;
            auto code = trimmed(whole.substr(0, end - name.decl->span.begin));
            if (map->contents && code.ends_with('='))
                code = trimmed(code.substr(0, code.size() - 1));
            out.code = shown(code);
        } else if (std::holds_alternative<ast::Program>(name.decl->node)) {
            out.code = std::string(trimmed(whole.substr(0, whole.find('{'))));
        } else {
            out.code = shown(whole);
        }
        add(out, comment_above(sources_, name.decl->span));
        add(out, comment_behind(sources_, name.decl->span));
        if (const auto *map = std::get_if<ast::Map>(&name.decl->node))
            if (const auto *spec = names_.map(map->name.text))
                describe_map(out, *spec);
        if (std::holds_alternative<ast::Param>(name.decl->node))
            add(out, fmt::format("Set with `--param {0}=…`, changed with `xdpf map set {0} …`.", given->text));
        return out;
    }

    [[nodiscard]] Description module(FileId file) const
    {
        Description out{.declared = {file, 0, 0}};
        const auto path = sources_.name(file);
        out.code = path.starts_with(sema::stdlib_prefix)
                       ? fmt::format("module {} of the standard library", path.substr(sema::stdlib_prefix.size()))
                       : std::string(path);
        add(out, comment_at_top(sources_, file));
        std::vector<std::string> declared;
        for (const auto &module : names_.modules().files)
            if (module->ast.file == file)
                for (const auto &decl : module->ast.decls)
                    if (const auto *name = query::name_of(decl))
                        declared.push_back(fmt::format("`{}`", name->text));
        if (!declared.empty())
            add(out, fmt::format("It declares {}.", fmt::join(declared, ", ")));
        return out;
    }

private:
    static void add(Description &out, std::string text)
    {
        if (!text.empty())
            out.text.push_back(std::move(text));
    }

    [[nodiscard]] std::string source(const ast::Header &header, ast::ExprId id) const
    {
        return std::string(sources_.text(names_.find(header.name.text)->file->exprs[id].span));
    }

    // Up to the brace of its fields.
    [[nodiscard]] std::string head(const ast::Header &header, Span name) const
    {
        const auto *declared = names_.find(header.name.text);
        const auto text = sources_.text(name.file);
        const auto begin = declared->decl->span.begin;
        const auto end =
            header.fields.empty() ? text.find('{', begin) : text.rfind('{', header.fields.front().name.span.begin);
        return std::string(trimmed(text.substr(begin, end - begin)));
    }

    // That of a module, where it has none of its own.
    [[nodiscard]] std::string comment_of(const sema::Header &header) const
    {
        auto out = comment_above(sources_, header.span);
        if (out.empty() && header.span.file != names_.main()->file)
            out = comment_at_top(sources_, header.span.file);
        return out;
    }

    [[nodiscard]] std::string comment_of(const ast::Field &field) const
    {
        return comment_behind(sources_, field.type ? field.type->span : field.name.span);
    }

    [[nodiscard]] FieldRow row(const sema::Header &header, const sema::Field &field, const ast::Header *decl) const
    {
        FieldRow out{.name = field.name, .bits = field.bits};
        if (!field.floating() && !is_floating(header, field, decl))
            out.bit_offset = field.bit_offset;
        if (const auto *written = decl != nullptr ? names_.field(*decl, field.name) : nullptr) {
            if (written->type)
                out.type = sources_.text(written->type->span);
            // The comment of a line is about its last field.
            if (const auto comment = comment_of(*written); written->parts.empty() || !comment.empty())
                out.text = field.name.find('.') == std::string::npos ? comment : std::string();
        }
        return out;
    }

    // As it was declared: the place of one with mistakes is not worked out.
    [[nodiscard]] bool is_floating(const sema::Header & /*header*/, const sema::Field &field,
                                   const ast::Header *decl) const
    {
        const auto *written = decl != nullptr ? names_.field(*decl, field.name) : nullptr;
        return written != nullptr && written->at.has_value();
    }

    [[nodiscard]] std::string place_text(const sema::Header &header, const sema::Field &field, const ast::Header *decl,
                                         const ast::Field *written) const
    {
        if (!is_floating(header, field, decl))
            return fmt::format("{}.", place_of(field.bits, field.bit_offset));
        auto out = fmt::format("{} at byte `{}` of the header", plural(field.bits, "bit"), source(*decl, *written->at));
        if (written->when)
            out += fmt::format("; absent unless `{}`", source(*decl, *written->when));
        return out + ".";
    }

    [[nodiscard]] std::string size_text(const sema::Header &header, const ast::Header *decl) const
    {
        if (decl != nullptr && decl->size)
            return fmt::format("At least {}; its size is `{}`.", plural(header.fixed_size, "byte"),
                               source(*decl, *decl->size));
        return fmt::format("{}.", plural(header.fixed_size, "byte"));
    }

    [[nodiscard]] std::string way_text(const sema::Header &header, const ast::Header *decl) const
    {
        if (decl != nullptr && decl->list)
            return fmt::format("An item of the list behind `{}`, of which {} are looked at.",
                               decl->list->container.text,
                               sources_.text(names_.find(header.name)->file->exprs[decl->list->at_most].span));
        std::vector<std::string> parents;
        for (const auto &way : header.ways) {
            auto parent = fmt::format("`{}`", names_.unit().headers[way.parent].name);
            if (std::ranges::find(parents, parent) == parents.end())
                parents.push_back(std::move(parent));
        }
        if (parents.empty())
            return decl != nullptr && decl->on ? std::string() : "A packet begins with it.";
        const auto stands = header.is_link() ? "A link of the chain behind" : "It stands behind";
        return fmt::format("{} {}.", stands, fmt::join(parents, " or "));
    }

    static std::string layout_text(const Layout &layout)
    {
        std::vector<std::string> parts;
        for (const auto &field : layout.fields)
            if (!field.name.empty())
                parts.push_back(fmt::format("`{}` ({} at {})", field.name, plural(field.size, "byte"), field.offset));
        return fmt::format("{}{}{}", plural(layout.size, "byte"), parts.empty() ? "" : ": ", fmt::join(parts, ", "));
    }

    static void describe_map(Description &out, const MapSpec &map)
    {
        for (const auto &word : words())
            if (word.sort == Sort::map_kind && word.word == name_of(map.kind))
                add(out, std::string(word.text));
        if (has(map.kind, map_trait::ring)) {
            add(out, fmt::format("It has {}.", plural(map.max_entries, "byte")));
            return;
        }
        if (!has(map.kind, map_trait::redirect) && !has(map.kind, map_trait::keyless))
            add(out, fmt::format("Key: {}.", layout_text(map.key)));
        if (!map.is_set && !has(map.kind, map_trait::redirect))
            add(out, fmt::format("Value: {}.", layout_text(map.value)));
        add(out, map.max_entries == 1 ? "1 entry." : fmt::format("{} entries.", map.max_entries));
    }

    const Names &names_;
    const Sources &sources_;
};

// The meaning of a word that fits its place best.
const Word *word_at(const Text &text, std::size_t token)
{
    const auto frame = text.frames(token).back();
    const auto declaration = text[text.declaration(token)];
    std::set<Sort> first;
    if (frame.inside == Inside::type || text[token - 1] == ":")
        first = {Sort::type, Sort::map_type, Sort::header_type, Sort::map_kind};
    if (frame.inside == Inside::arguments && declaration == "defmap")
        first = {Sort::map_attribute};
    if (frame.inside == Inside::arguments && declaration == "defprogram")
        first = {Sort::program_attribute};
    if (declaration == "defmap" && text[token - 1] == ":" && frame.inside == Inside::file)
        first = {Sort::map_kind};
    const Word *found = nullptr;
    for (const auto &word : words()) {
        if (word.word != text[token])
            continue;
        if (first.contains(word.sort))
            return &word;
        const bool elsewhere = word.sort == Sort::map_attribute || word.sort == Sort::program_attribute;
        if (found == nullptr && !elsewhere && (word.sort != Sort::map_kind || text[token + 1] != "("))
            found = &word;
    }
    return found;
}

bool is_keyword_here(const Text &text, std::size_t token)
{
    const bool dotted = (token > 0 && text[token - 1] == ".") || text[token + 1] == ".";
    return !dotted && text[token + 1] != "=" && std::ranges::any_of(words(), [&](const Word &word) {
        return word.word == text[token] && (word.sort == Sort::keyword || word.sort == Sort::action);
    });
}

std::optional<Description> describe_word(const Text &text, std::size_t token)
{
    const auto *word = word_at(text, token);
    if (word == nullptr)
        return std::nullopt;
    return Description{.code = std::string(word->form), .text = {std::string(word->text)}};
}

} // namespace

std::optional<Description> describe(const Compilation &compilation, std::uint32_t offset)
{
    const Names names(compilation);
    if (names.main() == nullptr)
        return std::nullopt;
    const FileId file = names.main()->file;
    const Text text(names.sources().text(file), offset);
    const auto token = text.at();
    if (text.in_comment() || token == Text::none)
        return std::nullopt;
    std::optional<Description> out;
    if (text[token].starts_with('"')) {
        for (const auto &import : names.modules().imports)
            if (import.path.file == file && import.path.begin == text.begin(token))
                out = Describer(names).module(import.file);
    } else if (text.is_word(token)) {
        const auto meaning = names.meaning(text, token);
        if (!meaning || (std::holds_alternative<LocalName>(*meaning) && is_keyword_here(text, token)))
            out = describe_word(text, token);
        else
            out = std::visit(Describer(names), *meaning);
    }
    if (out)
        out->span = {file, text.begin(token), text.end(token)};
    return out;
}

} // namespace xdpf::query
