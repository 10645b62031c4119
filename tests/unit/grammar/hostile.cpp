#include "parsing.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace xdpf;

namespace {

std::string repeat(std::string_view text, std::size_t times)
{
    std::string out;
    for (std::size_t i = 0; i < times; ++i)
        out += text;
    return out;
}

std::optional<Kind> only_kind(const Parsed &parsed)
{
    return parsed.diagnostics.all().size() == 1 ? std::optional(parsed.diagnostics.all()[0].kind) : std::nullopt;
}

} // namespace

TEST_CASE("nesting without end is one error")
{
    constexpr std::size_t n = 100'000;
    for (const auto &text : {"match " + repeat("(", n),
                             "match " + repeat("(", n) + "a" + repeat(")", n) + " -> drop",
                             "match a -> " + repeat("{", n),
                             repeat("match a { ", n),
                             "match " + repeat("not ", n) + "a -> drop",
                             "match " + repeat("-", n) + "a -> drop",
                             "match " + repeat("~", n) + "a",
                             "match a -> " + repeat("xsk x else ", n),
                             "match " + repeat("f(", n),
                             "match a in " + repeat("{a in ", n),
                             "match " + repeat("a[", n),
                             "header h { " + repeat("a : u8 { ", n),
                             "match a" + repeat(".b", n) + " -> drop",
                             "match a" + repeat("[1]", n) + " -> drop",
                             "match a" + repeat(" + a", n) + " -> drop",
                             "test \"t\" { expect " + repeat("{", n),
                             "match a -> { " + repeat("if a { ", n),
                             "match a -> if a {} " + repeat("else if a {} ", n),
                             "defmap m : hash<" + repeat("(", n),
                             "defmap m : hash<" + repeat("{a : ", n),
                             "defmap m : hash = " + repeat("{1 -> ", n),
                             "match a -> redirect m[*] " + repeat("else redirect m[*] ", n),
                             "match " + repeat("exceeds(", n),
                             "match a -> x = " + repeat("(", n),
                             "def a = " + repeat("{", n),
                             "match a -> set a" + repeat(".b", n) + " = 1"}) {
        CAPTURE(text.substr(0, 40));
        const Parsed parsed(text);
        CHECK(only_kind(parsed) == Kind::nesting_too_deep);
        CHECK(parsed.file);
    }
}

TEST_CASE("nesting within reason is read")
{
    CHECK(Parsed("match " + repeat("(", 200) + "a" + repeat(" or b)", 200) + " -> drop").clean());
    CHECK(Parsed("match " + repeat("not (", 200) + "a" + repeat(")", 200) + " -> drop").clean());
    CHECK(Parsed("match " + repeat("(", 200) + "a" + repeat(" + 1) * 2", 200) + " == 1 -> drop").clean());
    CHECK(Parsed(repeat("match a { ", 200) + "default -> drop" + repeat("}", 200)).clean());
}

TEST_CASE("what is no text is told where it stops being one")
{
    const Parsed nul(std::string_view("match a \0-> drop", 16));
    CHECK_FALSE(nul.file);
    CHECK(only_kind(nul) == Kind::nul_byte);
    CHECK(nul.diagnostics.all()[0].span.begin == 8);

    for (const std::string_view bad : {"\xc3\x28", "\x80", "\xc0\xaf", "\xe2\x86", "\xed\xa0\x80", "\xf5\x80\x80\x80",
                                       "\xe0\x80\x80", "\xf4\x90\x80\x80", "\xff"}) {
        const Parsed parsed("# \u2192 ok\n# " + std::string(bad));
        CHECK_FALSE(parsed.file);
        CHECK(only_kind(parsed) == Kind::invalid_utf8);
        CHECK(parsed.diagnostics.all()[0].span.begin == 11);
    }

    const Parsed large(std::string(max_source_bytes + 1, '#'));
    CHECK_FALSE(large.file);
    CHECK(only_kind(large) == Kind::file_too_large);
    CHECK(Parsed(std::string(max_source_bytes, '#')).clean());
}

TEST_CASE("odd but legal files")
{
    for (const std::string_view text :
         {"", " ", "\n\n", "# only\n# comments", "#", "\xef\xbb\xbf", "\xef\xbb\xbf# x"}) {
        const Parsed parsed(text);
        CHECK(parsed.clean());
        CHECK(parsed.dump() == "");
    }
    CHECK(Parsed("\xef\xbb\xbfmatch a -> drop").dump() == "match a\n  drop\n");
    CHECK(Parsed("match a\t->\r\n\tdrop\r\n# x\r\nmatch b -> pass\r\n").dump() == "match a\n  drop\nmatch b\n  pass\n");
    CHECK(Parsed("match a\u2192drop").dump() == "match a\n  drop\n");
    CHECK(Parsed("match a->drop").dump() == "match a\n  drop\n");
    const std::string name(1'000'000, 'a');
    CHECK(Parsed("match " + name + " -> drop").dump() == "match " + name + "\n  drop\n");
    CHECK(Parsed("match a -> " + name).dump() == "match a\n  use " + name + "\n");
    CHECK_FALSE(Parsed("match " + name + " -> " + name + " b").clean());
}

TEST_CASE("reading is linear")
{
    const auto seconds = [](const std::string &text) {
        const auto start = std::chrono::steady_clock::now();
        const Parsed parsed(text);
        CHECK(parsed.file);
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    };
    std::string rules;
    for (int i = 0; i < 10'000; ++i)
        rules += fmt::format("match udp.dport == {} and ipv4.src in {{10.0.0.0/8, 2001:db8::/32}} -> drop\n", i);
    // Generous: sanitizers and loaded machines. Anything quadratic takes minutes.
    CHECK(seconds(rules) < 3);
    CHECK(seconds(repeat("}", 1'000'000)) < 3);
    CHECK(seconds("match a -> { " + repeat("; dorp", 200'000)) < 3);
    CHECK(seconds("match " + repeat("1", 1'000'000) + repeat(":", 1'000'000)) < 3);
    CHECK(seconds("const a = {" + repeat("1:2, ", 200'000) + "}") < 3);
    CHECK(seconds(repeat("\"", 1'000'001)) < 3);
    CHECK(seconds("match " + repeat("a ", 500'000)) < 3);
    CHECK(seconds(repeat("xsk ", 500'000)) < 3);
    CHECK(seconds("match a -> asm { " + repeat("# }\n", 500'000)) < 3);
    CHECK(seconds(repeat("match a -> asm { ", 100'000)) < 3);
    CHECK(seconds(repeat("def a = { ( ", 100'000)) < 3);
    CHECK(seconds("match a -> decap " + repeat("a.", 500'000)) < 3);
    CHECK(seconds("defmap m : hash<" + repeat("a.", 500'000)) < 3);
}

TEST_CASE("long lists are read")
{
    constexpr std::size_t n = 100'000;
    for (const auto &text :
         {"match a -> { " + repeat("m[k] += 1 ", n) + "}", "match a -> { " + repeat("punish(x); ", n) + "}",
          "match a -> { " + repeat("if a { drop } ", n) + "}", "match a -> { " + repeat("set a.b = c; ", n) + "}",
          "def x = { " + repeat("punish\n", n) + "}", "def x = { " + repeat("1 -> 2, ", n) + "}",
          "defmap m : hash = { " + repeat("(1, 2) -> {a = 3}, ", n) + "}",
          "match (" + repeat("a, ", n) + "a) in m -> drop", "union u { " + repeat("a : b ", n) + "}",
          "match a -> encap " + repeat("a / ", n) + "a", "defmap m : hash<(" + repeat("u8, ", n) + "u8)>",
          "defmap m : hash<{" + repeat("a : u8 ", n) + "}>", "header h inner " + repeat("a, ", n) + "a {}",
          "test \"t\" { " + repeat("packet a times 2 expect rule 1 ", n) + "}", repeat("def x = drop ", n),
          repeat("param x : u8 = 1 ", n)}) {
        CAPTURE(text.substr(0, 40));
        CHECK(Parsed(text).clean());
    }
}
