// What may stand at a place.
#include "compiler/query_offer.hpp"
#include "grammar/lexis.hpp"
#include "stdlib/stdlib.hpp"

#include <algorithm>
#include <filesystem>

namespace xdpf::query {
namespace {

bool is_among(std::string_view token, std::initializer_list<std::string_view> all)
{
    return std::ranges::find(all, token) != all.end();
}

class Completer : private Offer {
public:
    Completer(const Names &names, const Text &text, std::size_t here, std::string_view typed)
        : Offer(names, typed), text_(text), here_(here), frames_(text.frames(here)),
          declaration_(text.declaration(here == 0 ? 0 : here - 1))
    {
    }

    // `here` is the token that stands, or would stand, at the place.
    std::vector<Candidate> run()
    {
        if (previous() == ".") {
            members();
        } else if (!behind_a_word()) {
            switch (frames_.back().inside) {
            case Inside::file: in_file(); break;
            case Inside::header: in_header(); break;
            case Inside::rules: in_rules(); break;
            case Inside::actions: in_actions(); break;
            case Inside::test: in_test(); break;
            case Inside::type: types(true); break;
            case Inside::arguments: in_arguments(); break;
            case Inside::set: in_set(); break;
            case Inside::members:
            case Inside::group:
            case Inside::index: expression(); break;
            case Inside::assembly: maps([](MapKind) { return true; }); break;
            }
        }
        return take();
    }

private:
    [[nodiscard]] std::string_view previous(std::size_t steps = 1) const { return text_[here_ - steps]; }
    [[nodiscard]] std::string_view declaration() const { return text_[declaration_]; }

    void locals()
    {
        for (std::size_t i = declaration_; declaration_ != Text::none && i + 1 < here_; ++i)
            if (text_[i] == "let" && text_.is_word(i + 1))
                add(text_[i + 1], Role::value, "let");
        if (declaration() == "def" && text_[declaration_ + 2] == "(")
            for (std::size_t i = declaration_ + 3; i < here_ && text_[i] != ")"; ++i)
                if (text_.is_word(i))
                    add(text_[i], Role::value, "parameter");
    }

    void own_fields()
    {
        if (const auto *self = names_.self(text_, here_ == 0 ? 0 : here_ - 1))
            fields(*self, false);
        else if (declaration() == "header")
            written_fields();
    }

    // Of a header that could not be read.
    void written_fields()
    {
        constexpr std::size_t farthest = 1u << 14; // bytes
        const auto source = names_.sources().text(names_.main()->file);
        const auto end = std::min<std::size_t>(text_.begin(declaration_) + farthest, source.size());
        const Text all(source, static_cast<std::uint32_t>(end));
        std::size_t open = 0;
        for (auto i = declaration_ + 1; !all[i + 1].empty(); ++i) {
            if (all[i] == "{")
                ++open;
            else if (all[i] == "}")
                open -= open > 0 ? 1 : 0;
            else if (open > 0 && all.is_word(i) && all[i + 1] == ":")
                add(all[i], Role::field);
            if (open == 0 && all[i] == "}")
                break;
        }
    }

    void expression()
    {
        own_fields();
        locals();
        headers();
        unions();
        definitions(false);
        constants();
        maps([](MapKind kind) { return !has(kind, map_trait::redirect | map_trait::ring | map_trait::programs); });
        sort(Sort::function, Role::function);
        sort(Sort::value, Role::value);
        if (declaration() == "header") {
            sort(Sort::clause_function, Role::function);
            sort(Sort::clause_value, Role::value);
        }
        keywords({"not", "any", "packet", "pcap"});
    }

    // A word in front says what comes: true where it does.
    bool behind_a_word()
    {
        const auto word = previous();
        if (word == "xsk")
            maps([](MapKind kind) { return kind == MapKind::xskmap; });
        else if (word == "redirect")
            maps([](MapKind kind) { return has(kind, map_trait::redirect) && kind != MapKind::xskmap; });
        else if (word == "emit" || word == "sample")
            maps([](MapKind kind) { return has(kind, map_trait::ring); });
        else if (word == "to")
            maps([](MapKind kind) { return has(kind, map_trait::keyless); });
        else if (word == "count" || word == "delete")
            maps([](MapKind kind) {
                return !has(kind, map_trait::redirect | map_trait::ring | map_trait::programs | map_trait::keyless);
            });
        else if (word == "goto" || (word == "for" && declaration() == "test"))
            programs();
        else if (is_among(word, {"push", "pop", "decap", "inner"}) && frames_.back().inside != Inside::arguments)
            headers();
        else if (word == "encap" || is_layer_start())
            layers();
        else if (word == "else")
            verdicts_or_block();
        else if (word == "->" || word == lexis::unicode_arrow)
            declaration() == "defmap" ? types(true) : actions();
        else if (word == "*" && here_ - 2 == frames_.back().opener)
            keywords({"except"});
        else if (word == "at" && declaration() == "header" && frames_.size() == 1)
            keywords({"most"});
        else if (is_among(word, {"match", "and", "or", "not", "in", "any", "when", "where", "per", "if",
                                 "==",    "!=",  "<=", ">=",  "<",  ">",   "+",    "-",     "*",   "%",
                                 "&",     "|",   "^",  "~",   "<<", ">>",  "+=",   "-=",    ".."}) &&
                 frames_.back().inside != Inside::type)
            expression_behind(word);
        else
            return false;
        return true;
    }

    void expression_behind(std::string_view word)
    {
        expression();
        if (word == "match")
            keywords({"from"});
        if (word == "in")
            maps([](MapKind kind) { return has(kind, map_trait::prefix) || !has(kind, map_trait::redirect); });
    }

    void verdicts_or_block()
    {
        verdicts();
        keywords({"if"});
    }

    // packet ethernet / ipv4 / …
    [[nodiscard]] bool is_layer_start() const
    {
        if (previous() == "packet")
            return declaration() == "test" && frames_.back().inside == Inside::test;
        std::size_t i = here_ - 1;
        for (; i < here_ && text_[i] == "/"; --i) {
            --i;
            if (i < here_ && text_[i] == ")")
                i = text_.opener_of(i) - 1;
            if (i >= here_ || !text_.is_word(i))
                return false;
            i = text_.chain_begin(i);
        }
        return i < here_ && i + 1 < here_ && is_among(text_[i], {"packet", "encap"});
    }

    void layers()
    {
        headers();
        keywords({"payload"});
        if (previous() == "packet")
            keywords({"hex", "pcap"});
    }

    void members()
    {
        const auto last = here_ - 2;
        const auto opener = text_[last] == "]" ? text_.opener_of(last) : Text::none;
        const auto name_end = opener == Text::none ? last : opener - 1;
        if (!text_.is_word(name_end))
            return;
        const auto begin = text_.chain_begin(name_end);
        const auto words = text_.chain(begin, last);
        const auto name = joined(words);
        const auto meaning = names_.resolve(words, names_.self(text_, here_ - 2));
        if (meaning)
            members_of(*meaning);
        else if (name == "packet")
            add("length", Role::field, "bytes");
        for (const auto &[declared, what] : names_.all())
            if (declared.starts_with(name + '.'))
                add(declared.substr(name.size() + 1, declared.find('.', name.size() + 1) - name.size() - 1),
                    Role::header);
        // tcp.flags.syn
        if (const auto *field = meaning ? std::get_if<FieldName>(&*meaning) : nullptr) {
            const auto &of = *field->header;
            const auto prefix = of.fields[field->field].name + '.';
            for (const auto &part : of.fields)
                if (part.name.starts_with(prefix))
                    add(part.name.substr(prefix.size()), Role::field, fmt::format("u{}", part.bits));
        }
    }

    void in_file()
    {
        const auto token = here_ - 1 - declaration_; // words behind the one that begins the declaration
        const auto decl = declaration_ == Text::none ? std::string_view() : declaration();
        if (decl == "defmap" && token == 2)
            sort(Sort::map_kind, Role::type);
        else if (decl == "param" && token == 2)
            types(true);
        else if (previous() == "on" && decl == "defprogram")
            for (const auto *kind : {"devmap", "cpumap"})
                add(kind, Role::keyword);
        else if (previous() == "=" && decl == "def") {
            expression();
            actions();
        } else if (is_among(previous(), {"=", "on", "/"}) && decl != "defmap")
            expression();
        else {
            declarations();
            if (decl == "match" || decl == "default")
                operators();
            if (decl == "header" && token > 0)
                keywords({"on", "in", "where", "size", "payload", "inner", "then", "end", "pad", "at"});
            if (decl == "header" && token > 0)
                operators();
            if (decl == "param" || decl == "def")
                operators();
            if (decl == "match" || decl == "def" || decl == "default")
                keywords({"else"});
            if (decl == "defprogram")
                keywords({"on"});
            if (decl == "defmap")
                keywords({"from"});
            if (decl == "test" && token == 1)
                keywords({"for"});
        }
    }

    void in_header()
    {
        if (previous() == ":") {
            types(false);
            keywords({"end"});
        } else if (is_among(previous(), {"=", "at", "most", "(", ",", "/", "of"})) {
            expression();
        } else {
            keywords({"at", "when", "of"});
        }
    }

    void in_rules()
    {
        keywords({"match", "default", "asm", "else"});
        operators();
    }

    void in_actions()
    {
        if (is_among(previous(), {"=", "(", ",", "set", "swap", "add", "let", "/"})) {
            if (previous() != "let")
                expression();
            return;
        }
        actions();
        operators();
        keywords({"else", "to"});
    }

    void in_test()
    {
        if (previous() == "with") {
            for (const auto *word :
                 {"rx_queue", "iface", "egress_iface", "cpu", "now", "rx_hash", "rx_timestamp", "rx_vlan"})
                add(word, Role::value);
            constants();
            maps([](MapKind) { return true; });
        } else if (previous() == "expect") {
            expression();
            verdicts();
            keywords({"xsk", "redirect", "emit", "sample", "rule", "continue"});
        } else if (is_among(previous(), {"=", "/"})) {
            expression();
        } else {
            keywords({"packet", "with", "expect", "times", "and", "or", "in", "else"});
        }
    }

    void in_arguments()
    {
        const auto opener = frames_.back().opener;
        if (declaration() == "defmap" || declaration() == "defprogram") {
            if (frames_.size() == 2)
                sort(declaration() == "defmap" ? Sort::map_attribute : Sort::program_attribute, Role::keyword);
            if (previous() == "=" || frames_.size() != 2)
                expression();
            return;
        }
        if (is_among(previous(), {"(", ","}))
            if (const auto *header = names_.layer_header(text_, opener))
                fields(*header, true);
        if (text_[opener - 1] == "exceeds")
            keywords({"per", "burst"});
        expression();
        operators();
    }

    void in_set()
    {
        if (is_among(previous(), {"{", ","}))
            if (const auto *map = names_.record_map(text_, frames_.back().opener))
                for (const auto &field : map->value.fields)
                    add(field.name, Role::field, fmt::format("{} bytes", field.size));
        expression();
    }

    const Text &text_;
    std::size_t here_;
    std::vector<Text::Frame> frames_;
    std::size_t declaration_;
};

// Modules of the standard library, and the files beside the source.
std::vector<Candidate> module_candidates(std::string_view source, std::string_view typed)
{
    std::vector<Candidate> out;
    const auto add = [&](std::string name, std::string_view detail) {
        const auto known = std::ranges::find(out, name, &Candidate::word);
        if (name.starts_with(typed) && known == out.end())
            out.push_back({std::move(name), Role::module, std::string(detail)});
    };
    namespace fs = std::filesystem;
    std::error_code error;
    const fs::path path(source);
    auto folder = path.parent_path().empty() ? fs::path(".") : path.parent_path();
    constexpr std::size_t most_files = 1000;
    std::size_t seen = 0;
    for (fs::directory_iterator at(folder, fs::directory_options::skip_permission_denied, error), end;
         !error && at != end && seen < most_files; at.increment(error), ++seen)
        if (at->path().extension() == ".xdpf" && at->path().filename() != path.filename())
            add(at->path().stem().string(), "file");
    for (const auto &module : stdlib::modules())
        if (module.name != "prelude")
            add(std::string(module.name), "standard library");
    std::ranges::sort(out, {}, &Candidate::word);
    return out;
}

// The string that a place is in, or none. One that is open goes on to the end of its line.
std::size_t string_around(const Text &text, std::uint32_t offset)
{
    const auto next = text.before();
    for (const auto token : {next, next - 1}) {
        const bool open = text[token].size() == 1 || !text[token].ends_with('"');
        if (text[token].starts_with('"') && text.begin(token) < offset && offset < text.end(token) + (open ? 1 : 0))
            return token;
    }
    return Text::none;
}

} // namespace

Candidates complete(const Compilation &compilation, std::uint32_t offset)
{
    const Names names(compilation);
    if (names.main() == nullptr)
        return {.begin = offset};
    const FileId file = names.main()->file;
    const auto source = names.sources().text(file);
    const Text text(source, offset);
    if (text.in_comment())
        return {.begin = offset};
    std::uint32_t begin = offset;
    while (begin > 0 && lexis::is_name(source[begin - 1]))
        --begin;
    if (const auto string = string_around(text, offset); string != Text::none) {
        if (text[string - 1] != "import")
            return {.begin = offset};
        begin = text.begin(string) + 1;
        return {begin, module_candidates(names.sources().name(file), source.substr(begin, offset - begin))};
    }
    if (begin < offset && lexis::is_digit(source[begin]))
        return {.begin = offset};
    std::size_t here = text.before();
    if (here > 0 && text.end(here - 1) == offset && begin < offset)
        --here;
    return {begin, Completer(names, text, here, source.substr(begin, offset - begin)).run()};
}

} // namespace xdpf::query
