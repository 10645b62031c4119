#include "compiler/query.hpp"
#include "grammar/lexis.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace xdpf;

namespace {

// A source with a mark at the place that is asked about.
struct Asked {
    Compilation compilation;
    std::uint32_t offset;

    explicit Asked(std::string text) : Asked(text, text.find('|')) {}
    [[nodiscard]] std::optional<query::Description> describe() const { return query::describe(compilation, offset); }
    [[nodiscard]] std::string code() const
    {
        const auto found = describe();
        return found ? found->code : "";
    }
    [[nodiscard]] std::vector<std::string> words() const
    {
        std::vector<std::string> out;
        for (const auto &one : query::complete(compilation, offset).words)
            out.push_back(one.word);
        return out;
    }

private:
    Asked(std::string text, std::size_t at)
        : compilation(compile(text.erase(at, 1), "test.xdpf")), offset(static_cast<std::uint32_t>(at))
    {
    }
};

bool has(const std::vector<std::string> &words, std::string_view word) { return std::ranges::count(words, word) != 0; }

} // namespace

TEST_CASE("every keyword is described, and what is described as one is one")
{
    const auto described = [](std::string_view word) {
        return std::ranges::any_of(query::words(), [&](const query::Word &one) { return one.word == word; });
    };
    for (const auto words : {lexis::keywords(), lexis::contextual_words()})
        for (const auto word : words)
            CHECK_MESSAGE(described(word), word);
    for (const auto &word : query::words()) {
        if (word.sort == query::Sort::keyword || word.sort == query::Sort::action)
            CHECK_MESSAGE(lexis::is_known(word.word), word.word);
        const bool complete = !word.form.empty() && (word.text.ends_with('.') || word.text.ends_with("…."));
        CHECK_MESSAGE(complete, word.word);
    }
    for (const auto word : lexis::action_words())
        CHECK_MESSAGE(std::ranges::any_of(
                          query::words(),
                          [&](const query::Word &one) { return one.word == word && one.sort == query::Sort::action; }),
                      word);
}

TEST_CASE("a field is described with its place")
{
    const Asked asked("match tcp.flags.s|yn -> drop");
    const auto found = asked.describe();
    REQUIRE(found);
    CHECK(found->code == "tcp.flags.syn : u1");
    CHECK(asked.compilation.sources().text(found->span) == "syn");
    CHECK(found->text.front() ==
          "1 bit, from bit 110 of the header on: byte 13, bit 6 (0 is a byte's most significant).");
    CHECK(query::is_built_in(asked.compilation, found->declared.file));
    CHECK(asked.compilation.sources().text(found->declared) == "syn");
}

TEST_CASE("a header is described with its fields")
{
    const auto found = Asked("match u|dp -> drop").describe();
    REQUIRE(found);
    REQUIRE(found->fields.size() == 4);
    CHECK(found->fields[1].name == "dport");
    CHECK(found->fields[1].type == "u16");
    CHECK(found->fields[1].bits == 16);
    CHECK(found->fields[1].bit_offset == 16);
    const auto gre = Asked("import \"gre\"\nmatch gr|e -> drop").describe();
    REQUIRE(gre);
    CHECK(!gre->fields.back().bit_offset);
}

TEST_CASE("names mean what they mean where they stand")
{
    CHECK(Asked("const a = 5\nmatch udp.dport == |a -> drop").code() == "const a = 5");
    CHECK(Asked("def a(k) = udp.dport == |k").code() == "def a(k) = udp.dport == k");
    CHECK(Asked("match udp -> { let x = now; if |x > 5 { drop } }").code() ==
          "match udp -> { let x = now; if x > 5 { drop } }");
    CHECK(Asked("header h on udp.dport == 1\n where |kind == 1 { kind : u8 }").code() == "h.kind : u8");
    CHECK(Asked("header h on udp.dport == 1 { size : u8 }\nmatch h.si|ze == 1 -> drop").code() == "h.size : u8");
    CHECK(Asked("header h on udp.dport == 1\n si|ze = 1 { kind : u8 }").code() == "size = bytes");
    CHECK(Asked("defmap m : ha|sh<u8 -> u8>[4]").code() == "hash<KEY -> VALUE>[N]");
    CHECK(Asked("match ha|sh(ipv4.src) == 1 -> drop").code() == "hash(a, b, …)");
    CHECK(Asked("match tcp.dport == 1 -> xs|k").code() == "xsk [map[key]] [else verdict]");
    CHECK(Asked("match udp -> xsk\ntest \"a\" { packet ethernet / ipv4 / udp expect xsk xs|ks[2] }").code() ==
          "defmap xsks : xskmap[64]");
    CHECK(Asked("defmap xsks : xskmap[4]\nmatch udp -> xsk xs|ks").code() == "defmap xsks : xskmap[4]");
    CHECK(Asked("match udp -> drop # nothing in |a comment").code().empty());
    CHECK(Asked("match nothing|ness -> drop").code().empty());
    CHECK(Asked("|").code().empty());
    CHECK(Asked(std::string("match u|dp \0 -> drop", 20)).code().empty());
}

TEST_CASE("what may stand at a place")
{
    CHECK(Asked("match udp.s|").words() == std::vector<std::string>{"sport"});
    CHECK(Asked("match tcp.flags.sy|n -> drop").words() == std::vector<std::string>{"syn"});
    CHECK(has(Asked("match udp -> |").words(), "drop"));
    CHECK(!has(Asked("match udp -> |").words(), "udp"));
    CHECK(Asked("# |").words().empty());
    const Asked asked("match udp.spo|rt == 1 -> drop");
    const auto found = query::complete(asked.compilation, asked.offset);
    CHECK(found.begin == 10);
    REQUIRE(found.words.size() == 1);
    CHECK(found.words[0].detail == "u16");
}

TEST_CASE("what a file declares, and imports")
{
    const auto compilation = compile("import \"dns\"\ndefmap m : hash<u8 -> u8>[4]\nmatch udp -> drop\n", "test.xdpf");
    const auto all = query::outline(compilation);
    REQUIRE(all.size() == 3);
    CHECK(all[1].name == "m");
    CHECK(all[1].role == query::Role::map);
    CHECK(all[1].detail == "hash");
    CHECK(all[2].name == "match udp");
    const auto imports = query::imports(compilation);
    REQUIRE(imports.size() == 1);
    CHECK(compilation.sources().text(imports[0].span) == "\"dns\"");
    CHECK(compilation.sources().name(imports[0].file) == "<stdlib>/dns");
}

TEST_CASE("an overlay goes before the files of the disk")
{
    std::string asked;
    const Overlay overlay = [&](const std::string &path) {
        asked = path;
        return std::optional<std::string>("const port = 53\n");
    };
    CHECK(compile("import \"mine\"\nmatch udp.dport == port -> drop", "/nowhere/a.xdpf", {.overlay = overlay}).ok());
    CHECK(asked == "/nowhere/mine.xdpf");
}

TEST_CASE("a diagnostic carries what would put it right")
{
    const auto fix = [](std::string text) {
        const auto compilation = compile(std::move(text), "test.xdpf");
        REQUIRE(!compilation.diagnostics().all().empty());
        return compilation.diagnostics().all().front().fix;
    };
    const auto field = fix("match udp.dprt == 1 -> drop");
    REQUIRE(field);
    CHECK(field->replaces == "dprt");
    CHECK(field->text == "dport");
    const auto module = fix("match dns.qr == 1 -> drop");
    REQUIRE(module);
    CHECK(module->replaces.empty());
    CHECK(module->text == "import \"dns\"");
    CHECK(!fix("match udp.frobnicate == 1 -> drop"));
}
