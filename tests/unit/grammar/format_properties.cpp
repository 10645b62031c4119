// What holds for every file: formatted once is formatted for good, means the same, and no comment is lost. And where
// line ends and blanks say nothing, they change nothing.
#include "parsing.hpp"

#include "grammar/format.hpp"
#include "grammar/format_tokens.hpp"
#include "stdlib/stdlib.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

using namespace xdpf;

namespace {

struct Sample {
    std::string name;
    std::string text;
};

// The standard library and every source of the tree that parses.
std::vector<Sample> samples()
{
    std::vector<Sample> out;
    for (const auto &module : stdlib::modules())
        out.push_back({std::string(module.name), std::string(module.text)});
    for (const char *folder : {"examples", "tests", "stdlib"})
        for (const auto &entry :
             std::filesystem::recursive_directory_iterator(std::filesystem::path(XDPF_SOURCE_DIR) / folder))
            if (entry.is_regular_file() && entry.path().extension() == ".xdpf") {
                std::ifstream in(entry.path(), std::ios::binary);
                std::string text(std::istreambuf_iterator<char>(in), {});
                if (const Parsed parsed(text); parsed.file && !parsed.diagnostics.has_errors())
                    out.push_back({entry.path().string(), std::move(text)});
            }
    return out;
}

std::vector<std::string> comments_of(std::string_view text)
{
    const auto tokens = format::tokenize(text);
    std::vector<std::string> out;
    for (const auto &comment : tokens.comments)
        out.emplace_back(comment.text);
    return out;
}

void holds(const std::string &text)
{
    CAPTURE(text);
    Parsed parsed(text);
    REQUIRE(parsed.clean());
    Diagnostics diagnostics;
    const auto once = format_file(parsed.sources, parsed.id, diagnostics);
    REQUIRE(once.has_value());
    CHECK(lay_out(*once) == *once);
    CHECK(comments_of(*once) == comments_of(text));
    CHECK(once->find(" \n") == std::string::npos);
    CHECK(once->find("\n\n\n") == std::string::npos);
}

class Blanks {
public:
    explicit Blanks(std::uint32_t seed) : random_(seed) {}
    std::size_t pick(std::size_t below) { return random_() % below; }

    // The tokens with something else between each two, and without comments.
    std::string between(const format::Tokens &tokens)
    {
        std::string out;
        for (std::size_t i = 0; i + 1 < tokens.all.size(); ++i) {
            const bool raw = i != 0 && (tokens.all[i].kind == format::Token::Kind::assembly ||
                                        tokens.all[i - 1].kind == format::Token::Kind::assembly);
            const bool may_touch = i != 0 && (is_bracket(tokens.all[i]) || is_bracket(tokens.all[i - 1]));
            constexpr std::array<std::string_view, 6> choices{" ", "\n", "   ", "\n    ", "\t", "\r\n"};
            if (!raw && !(may_touch && pick(3) == 0))
                out += choices[pick(choices.size())];
            out += tokens.all[i].text;
        }
        return out;
    }

    // Comments where they may stand: behind some tokens, and on lines of their own.
    std::string with_comments(const std::string &text)
    {
        const auto tokens = format::tokenize(text);
        std::string out;
        for (std::size_t i = 0; i + 1 < tokens.all.size(); ++i) {
            const auto chance = pick(12);
            const bool raw = tokens.all[i].kind == format::Token::Kind::assembly ||
                             (i + 2 < tokens.all.size() && tokens.all[i + 1].kind == format::Token::Kind::assembly);
            out += tokens.all[i].text;
            if (raw)
                continue;
            out += chance == 0 ? fmt::format(" # {}\n", i) : chance == 1 ? fmt::format("\n# {}\n\n", i) : " ";
        }
        return out;
    }

private:
    static bool is_bracket(const format::Token &token)
    {
        return token.text.size() == 1 && std::string_view("()[]{},;").find(token.text[0]) != std::string_view::npos;
    }

    std::mt19937 random_;
};

} // namespace

TEST_CASE("format: every source of the tree keeps its meaning and its comments, and is formatted at once")
{
    const auto all = samples();
    CHECK(all.size() > 20);
    for (const auto &sample : all) {
        CAPTURE(sample.name);
        if (sample.text.size() < 200'000)
            holds(sample.text);
    }
}

TEST_CASE("format: blanks and line ends between tokens mean nothing")
{
    Blanks blanks(1);
    for (const auto &sample : samples()) {
        if (sample.text.size() > 20'000)
            continue;
        CAPTURE(sample.name);
        const auto tokens = format::tokenize(sample.text);
        const auto first = lay_out(blanks.between(tokens));
        for (int i = 0; i < 5; ++i) {
            const auto text = blanks.between(tokens);
            CAPTURE(text);
            CHECK(lay_out(text) == first);
        }
    }
}

TEST_CASE("format: comments may stand anywhere")
{
    Blanks blanks(2);
    for (const auto &sample : samples())
        for (int i = 0; i < 5 && sample.text.size() < 20'000; ++i) {
            CAPTURE(sample.name);
            const auto text = blanks.with_comments(sample.text);
            if (Parsed(text).clean())
                holds(text);
        }
}

TEST_CASE("format: what does not parse is reported and not formatted")
{
    Parsed parsed("match udp -> ");
    Diagnostics diagnostics;
    const auto out = format_file(parsed.sources, parsed.id, diagnostics);
    REQUIRE(!out.has_value());
    CHECK(out.error() == FormatError::syntax);
    CHECK(diagnostics.has_errors());
}
