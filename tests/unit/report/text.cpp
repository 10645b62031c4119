#include "compiler/report.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace xdpf;

namespace {

// One error over [begin, end) of a text.
std::string shown(const std::string &text, std::uint32_t begin, std::uint32_t end)
{
    Sources sources;
    Diagnostics diagnostics;
    diagnostics.report(Kind::syntax, {sources.add("a.xdpf", text), begin, end}, "a rule");
    return to_text(diagnostics, sources);
}

// What the lines have in common when only the excerpt is of interest.
std::string excerpt_of(const std::string &text, std::uint32_t begin, std::uint32_t end)
{
    const std::string all = shown(text, begin, end);
    return all.substr(all.find("|\n") + 2);
}

} // namespace

TEST_CASE("an error with place, excerpt and help")
{
    Sources sources;
    Diagnostics diagnostics;
    const FileId file = sources.add("filter.xdpf", "# a\n\nmatch udp.dprt == 53 -> xsk\n");
    diagnostics.report(Kind::import_missing, {file, 15, 19}, "x").suggest("did you mean 'dport'?");
    CHECK(to_text(diagnostics, sources) == "error[import_missing]: cannot find 'x' to import\n"
                                           "  --> filter.xdpf:3:11\n"
                                           "   |\n"
                                           " 3 | match udp.dprt == 53 -> xsk\n"
                                           "   |           ^^^^\n"
                                           "   = help: did you mean 'dport'?\n");
}

TEST_CASE("no diagnostics, no text") { CHECK(to_text({}, {}).empty()); }

TEST_CASE("without a place there is only the message, with notes and help beneath")
{
    Diagnostics diagnostics;
    diagnostics.report(Kind::cannot_read, {}, "x.xdpf", "No such file").note({}, "looked here").suggest("make it");
    CHECK(to_text(diagnostics, {}) == "error[cannot_read]: cannot read 'x.xdpf': No such file\n"
                                      "   = note: looked here\n"
                                      "   = help: make it\n");
}

TEST_CASE("a note with a place has its own excerpt, and line numbers share a column")
{
    Sources sources;
    Diagnostics diagnostics;
    const FileId file = sources.add("a", "const a = 1\n\n\n\n\n\n\n\n\nconst a = 2\n");
    diagnostics.report(Kind::syntax, {file, 26, 27}, "a new name").note({file, 6, 7}, "the first one is here");
    CHECK(to_text(diagnostics, sources) == "error[syntax]: expected a new name\n"
                                           "   --> a:10:7\n"
                                           "    |\n"
                                           " 10 | const a = 2\n"
                                           "    |       ^\n"
                                           "note: the first one is here\n"
                                           "   --> a:1:7\n"
                                           "    |\n"
                                           "  1 | const a = 1\n"
                                           "    |       -\n");
}

TEST_CASE("diagnostics are parted by an empty line, and past the limit only counted")
{
    Diagnostics diagnostics;
    for (int i = 0; i < 103; ++i)
        diagnostics.report(Kind::syntax, {}, i);
    const std::string text = to_text(diagnostics, {});
    CHECK(text.starts_with("error[syntax]: expected 0\n\nerror[syntax]: expected 1\n\n"));
    CHECK(text.ends_with("error[syntax]: expected 99\n\n... and 3 more\n"));
    CHECK(to_text(diagnostics, {}, false, 103).ends_with("expected 102\n"));
    CHECK(to_text(diagnostics, {}, false, 0) == "... and 103 more\n");
}

TEST_CASE("a span over lines shows the first and the last")
{
    CHECK(excerpt_of("match udp {\n  drop\n  }\n", 10, 22) == " 1 | match udp {\n"
                                                              "   |           ^\n"
                                                              "...\n"
                                                              " 3 |   }\n"
                                                              "   |   ^\n");
    CHECK(excerpt_of("ab\ncd", 1, 4) == " 1 | ab\n"
                                        "   |  ^\n"
                                        " 2 | cd\n"
                                        "   | ^\n");
}

TEST_CASE("a line end in a span does not make it two lines")
{
    CHECK(excerpt_of("ab\ncd", 1, 3) == " 1 | ab\n   |  ^\n");
    CHECK(excerpt_of("ab\r\ncd", 1, 4) == " 1 | ab\n   |  ^\n");
    CHECK(excerpt_of("ab\ncd", 2, 3) == " 1 | ab\n   |   ^\n");
}

TEST_CASE("the end of the file, empty files, empty lines and spans past the end")
{
    CHECK(excerpt_of("ab", 2, 2) == " 1 | ab\n   |   ^\n");
    CHECK(excerpt_of("ab\n", 3, 3) == " 2 |\n   | ^\n");
    CHECK(excerpt_of("", 0, 0) == " 1 |\n   | ^\n");
    CHECK(excerpt_of("a\n\nb", 2, 2) == " 2 |\n   | ^\n");
    CHECK(excerpt_of("ab", 1000, 2000) == " 1 | ab\n   |   ^\n");
    CHECK(excerpt_of("ab", 1, UINT32_MAX) == " 1 | ab\n   |  ^\n");
    CHECK(excerpt_of("ab", 1, 0) == " 1 | ab\n   |  ^\n"); // end before begin
}

TEST_CASE("a tab takes four columns before and inside a span")
{
    CHECK(excerpt_of("\ta\tb c", 3, 4) == " 1 |     a    b c\n"
                                          "   |          ^\n");
    CHECK(excerpt_of("\ta", 0, 2) == " 1 |     a\n   | ^^^^^\n");
}

TEST_CASE("marks stand under their characters when these take more bytes or columns than one")
{
    CHECK(excerpt_of("äö x", 5, 6) == " 1 | äö x\n   |    ^\n");
    CHECK(excerpt_of("漢字 x", 7, 8) == " 1 | 漢字 x\n   |      ^\n");
    CHECK(excerpt_of("漢字", 0, 6) == " 1 | 漢字\n   | ^^^^\n");
    CHECK(excerpt_of("e\u0301x", 3, 4) == " 1 | e\u0301x\n   |  ^\n");
    CHECK(excerpt_of("→x", 0, 3) == " 1 | →x\n   | ^\n");
    CHECK(excerpt_of("äx", 1, 2) == " 1 | äx\n   | ^\n"); // in the middle of a character
}

TEST_CASE("nothing in the source reaches the terminal as a command")
{
    CHECK(excerpt_of("a\033[2Jb", 1, 2) == " 1 | a\\x1b[2Jb\n   |  ^^^^\n");
    CHECK(excerpt_of("a\u202eb", 4, 5) == " 1 | a\\u{202e}b\n   |          ^\n");
    CHECK(excerpt_of(std::string("a\0b\x7f", 4), 2, 3) == " 1 | a\\x00b\\x7f\n   |      ^\n");
    CHECK(excerpt_of("a\rb", 2, 3) == " 1 | a\\x0db\n   |      ^\n");
    CHECK(excerpt_of("\u009b1m", 0, 2) == " 1 | \\u{9b}1m\n   | ^^^^^^\n");
    Sources sources;
    Diagnostics diagnostics;
    diagnostics.report(Kind::syntax, {sources.add("\033c.xdpf", "x"), 0, 1}, "\033]0;x\a\nnot")
        .suggest("\033[1m")
        .note({}, "\b");
    const std::string text = to_text(diagnostics, sources);
    CHECK(text.find_first_of("\033\a\b") == std::string::npos);
    CHECK(text.find("expected \\x1b]0;x\\x07\\nnot\n") != std::string::npos);
}

TEST_CASE("bytes that are not UTF-8 are shown one by one")
{
    CHECK(excerpt_of("a\xff\xc3 b", 1, 2) == " 1 | a\\xff\\xc3 b\n   |  ^^^^\n");
    CHECK(excerpt_of("\xc0\x80", 1, 2) == " 1 | \\xc0\\x80\n   |     ^^^^\n");      // overlong
    CHECK(excerpt_of("\xed\xa0\x80", 0, 1) == " 1 | \\xed\\xa0\\x80\n   | ^^^^\n"); // a surrogate
    CHECK(excerpt_of("\xf0\x9f", 0, 1) == " 1 | \\xf0\\x9f\n   | ^^^^\n");          // cut off
}

TEST_CASE("a long line is cut around the span")
{
    const std::string line = std::string(200, 'a') + "BAD" + std::string(200, 'z');
    CHECK(excerpt_of(line, 200, 203) ==
          " 1 | …" + std::string(40, 'a') + "BAD" + std::string(67, 'z') + "…\n   | " + std::string(41, ' ') + "^^^\n");
    CHECK(excerpt_of(line, 2, 4) == " 1 | " + std::string(110, 'a') + "…\n   |   ^^\n");
    CHECK(excerpt_of(line, 403, 403) == " 1 | …" + std::string(40, 'z') + "\n   | " + std::string(41, ' ') + "^\n");
    CHECK(excerpt_of(line, 0, 403) == " 1 | " + std::string(110, 'a') + "…\n   | " + std::string(110, '^') + "\n");
    CHECK(excerpt_of(std::string(110, 'a'), 0, 1).find("…") == std::string::npos);
}

TEST_CASE("a line of megabytes is neither printed nor walked once more for every diagnostic's glyphs")
{
    for (const std::string unit : {"a", "漢", "\xff", "\t"}) {
        std::string text;
        while (text.size() < 3'000'000)
            text += unit;
        for (const std::uint32_t begin : {0U, 1'500'000U, 2'999'999U, 3'000'000U})
            CHECK(shown(text, begin, 3'000'000).size() < 1500);
    }
    Diagnostics diagnostics;
    diagnostics.report(Kind::syntax, {}, std::string(1'000'000, 'x'));
    CHECK(to_text(diagnostics, {}).size() < 2100);
}

TEST_CASE("colour is added around the same text")
{
    Sources sources;
    Diagnostics diagnostics;
    const FileId file = sources.add("a", "match udp");
    diagnostics.report(Kind::syntax, {file, 6, 9}, "x").note({file, 0, 5}, "n").suggest("h");
    std::string coloured = to_text(diagnostics, sources, true);
    CHECK(coloured.starts_with("\033[1;31merror[syntax]\033[0m\033[1m: expected x\033[0m\n"));
    CHECK(coloured.find("\033[1;31m^^^\033[0m") != std::string::npos);
    for (std::size_t at; (at = coloured.find('\033')) != std::string::npos;)
        coloured.erase(at, coloured.find('m', at) - at + 1);
    CHECK(coloured == to_text(diagnostics, sources));
}

TEST_CASE("warnings say so")
{
    for (std::size_t index = 0; index < kind_count(); ++index) {
        const auto kind = static_cast<Kind>(index);
        if (severity_of(kind) != Severity::warning)
            continue;
        Diagnostics diagnostics;
        diagnostics.report(kind, {}, "a", "b", "c", "d", "e");
        CHECK(to_text(diagnostics, {}).starts_with(fmt::format("warning[{}]: ", name_of(kind))));
        CHECK(to_text(diagnostics, {}, true).starts_with("\033[1;33mwarning"));
        return;
    }
}
