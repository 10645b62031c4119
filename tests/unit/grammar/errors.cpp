#include "parsing.hpp"

#include <doctest/doctest.h>

using namespace xdpf;

namespace {

struct Mistake {
    std::string_view text;
    std::string_view messages; // as Parsed::messages has them, without the last line end
};

void check(std::initializer_list<Mistake> mistakes)
{
    for (const auto &[text, messages] : mistakes) {
        CAPTURE(text);
        const Parsed parsed(text);
        CHECK(parsed.file);
        CHECK(parsed.messages() == std::string(messages) + "\n");
    }
}

} // namespace

TEST_CASE("misspelt keywords")
{
    check({
        {"mtach udp -> drop", "1:1 'mtach': expected a declaration, 'match' or 'default'; did you mean 'match'?"},
        {"Match udp -> drop", "1:1 'Match': expected a declaration, 'match' or 'default'; did you mean 'match'?"},
        {"defmpa m : xskmap", "1:1 'defmpa': expected a declaration, 'match' or 'default'; did you mean 'defmap'?"},
        {"deafult -> drop", "1:1 'deafult': expected a declaration, 'match' or 'default'; did you mean 'default'?"},
        {"imprt \"x\"", "1:1 'imprt': expected a declaration, 'match' or 'default'; did you mean 'import'?"},
        {"match udp -> xks m", "1:14 'xks': expected an action; did you mean 'xsk'?"},
        {"match udp -> SET a = 1", "1:14 'SET': expected an action; did you mean 'set'?"},
        {"match udp -> coutn hits", "1:14 'coutn': expected an action; did you mean 'count'?"},
        {"match udp adn tcp -> drop", "1:11 'adn': expected '->' or '{'; did you mean 'and'?"},
        {"match udp -> xsk m esle drop",
         "1:20 'esle': expected a declaration, 'match' or 'default'; did you mean 'else'?"},
        {"match udp -> xsk\nmtach tcp -> drop",
         "2:1 'mtach': expected a declaration, 'match' or 'default'; did you mean 'match'?"},
        {"header h onn a { b : u8 }", "1:10 'onn': expected a clause of the header or '{'; did you mean 'on'?"},
        {"header h whree a { b : u8 }", "1:10 'whree': expected a clause of the header or '{'; did you mean 'where'?"},
        {"test \"t\" { paket udp }",
         "1:12 'paket': expected 'packet', 'with', 'expect' or '}'; did you mean 'packet'?"},
        {"header h { a : end of b at least 2 }",
         "1:28 'least': expected 'most'; for example: protocol : end of type at most 2"},
    });
}

TEST_CASE("habits from other languages")
{
    check({
        {"match a = 1 -> drop", "1:9 '=': expected '->' or '{'; a comparison is written '=='"},
        {"match a && b -> drop", "1:9 '&&': expected '->' or '{'; write 'and'"},
        {"match a || b -> drop", "1:9 '||': expected '->' or '{'; write 'or'"},
        {"match !a -> drop", "1:7 '!': expected an expression; write 'not'"},
        {"match a => drop", "1:9 '=>': expected '->' or '{'; an arrow is written '->'"},
        {"match a -> drop; match b -> drop",
         "1:16 ';': expected a declaration, 'match' or 'default'; nothing stands between rules"},
        {"match a -> drop // no comment",
         "1:17 '//': expected a declaration, 'match' or 'default'; a comment begins with '#'"},
        {"match a < b < c -> drop", "1:13 '<': expected '->' or '{'; comparisons do not chain: write a < b and b < c"},
        {"match a not in b -> drop", "1:9 'not': expected '->' or '{'; 'not' stands in front: not a in b"},
        {"match a in (1, 2) -> drop", "1:12 '(1, 2)': expected a set or an expression; a set is written {22, 80}"},
        {"match a in [1, 2] -> drop", "1:12 '[': expected a set or an expression; a set is written {22, 80}"},
        {"match udp::dport -> drop", "1:10 '::': expected '->' or '{'; members follow a dot: udp.dport"},
        {"import 'x'", "1:8 ''': expected a string; strings stand in double quotes"},
        {"defmap my-map : hash", "1:10 '-': expected ':'; names are made of letters, digits and '_'"},
    });
}

TEST_CASE("something is missing")
{
    check({
        {"match udp drop", "1:11 'drop': expected '->' or '{'; for example: match udp.dport == 53 -> drop"},
        {"match -> drop", "1:7 '->': expected an expression; for example: match udp.dport == 53 -> drop"},
        {"match udp ->", "1:13 '': expected an action; the file ends here"},
        {"match (a or b -> drop", "1:15 '->': expected ',' or ')'; for example: match udp.dport == 53 -> drop"},
        {"match a[1 -> drop", "1:11 '->': expected ',' or ']'; for example: match udp.dport == 53 -> drop"},
        {"match f(a b) -> drop", "1:11 'b': expected ',' or ')'; for example: match udp.dport == 53 -> drop"},
        {"match a in {1 2} -> drop", "1:15 '2': expected ',' or '}'; for example: match udp.dport == 53 -> drop"},
        {"match a and -> drop", "1:13 '->': expected an expression; for example: match udp.dport == 53 -> drop"},
        {"match a. -> drop", "1:10 '->': expected a name; for example: match udp.dport == 53 -> drop"},
        {"match packet[1:] -> drop", "1:16 ']': expected an expression; for example: match udp.dport == 53 -> drop"},
        {"default drop", "1:9 'drop': expected '->'; for example: default -> pass"},
        {"default { drop }", "1:9 '{': expected '->'; for example: default -> pass"},
        {"const = 1", "1:7 '=': expected a name; for example: const dns_port = 53"},
        {"const drop = 1", "1:7 'drop': expected a name; 'drop' is a keyword and cannot be a name"},
        {"const 1a = 1", "1:7 '1a': expected a name; a name begins with a letter or '_'"},
        {"const a 1", "1:9 '1': expected '='; for example: const dns_port = 53"},
        {"const a = 12abc", "1:11 '12abc': expected a set or an expression; '12abc' is neither a number nor a name"},
        {"const a = 0x", "1:11 '0x': expected a set or an expression; '0x' is neither a number nor a name"},
        {"import foo", "1:8 'foo': expected a string; for example: import \"tunnel/vxlan\""},
        {"defmap m xskmap",
         "1:10 'xskmap': expected ':'; for example: defmap hits : percpu_hash<ipv4.src -> counter>[65_536]"},
        {"defmap m : hash<u32 u32>",
         "1:21 'u32': expected '->' or '>'; for example: defmap hits : percpu_hash<ipv4.src -> counter>[65_536]"},
        {"defmap m : hash (a b)",
         "1:20 'b': expected ',' or ')'; for example: defmap hits : percpu_hash<ipv4.src -> counter>[65_536]"},
        {"header h { a u8 }",
         "1:14 'u8': expected ':'; for example: header udp on ipv4.protocol == 17 { sport : u16  dport : u16 }"},
        {"header h { a : }",
         "1:16 '}': expected a type; for example: header udp on ipv4.protocol == 17 { sport : u16  dport : u16 }"},
        {"header h on a on b { c : u8 }",
         "1:15 'on': expected a clause of the header or '{'; each clause of a header stands once"},
        {"header h size 4 { a : u8 }",
         "1:15 '4': expected '='; for example: header udp on ipv4.protocol == 17 { sport : u16  dport : u16 }"},
        {"header h payload a { b : u8 }",
         "1:18 'a': expected 'when'; for example: header udp on ipv4.protocol == 17 { sport : u16  dport : u16 }"},
        {"defprogram { match a -> drop }",
         "1:12 '{': expected a name; for example: defprogram dns { match udp.dport == 53 -> drop }"},
        {"defprogram p match a -> drop",
         "1:14 'match': expected '(' or '{'; for example: defprogram dns { match udp.dport == 53 -> drop }"},
        {"test t { }", "1:6 't': expected a string; for example: test \"a query is dropped\" { packet ethernet / ipv4 "
                       "/ udp  expect drop }"},
        {"test \"t\" { with x }", "1:19 '}': expected '='; for example: with rx_queue = 2"},
        {"test \"t\" { expect }", "1:19 '}': expected an action or an expression; for example: expect drop"},
        {"test \"t\" { packet / udp }",
         "1:19 '/': expected a name; for example: packet ethernet / ipv4 / udp(dport = 53)"},
        {"match a -> count", "1:17 '': expected a name; the file ends here"},
        {"match a -> xsk m[]", "1:18 ']': expected an expression; for example: xsk xsks else drop"},
        {"match a -> \u00e9", "1:12 'é': expected an action; for example: match udp.dport == 53 -> drop"},
        {"}", "1:1 '}': expected a declaration, 'match' or 'default'; this '}' closes nothing"},
        {"hello",
         "1:1 'hello': expected a declaration, 'match' or 'default'; for example: match udp.dport == 53 -> drop"},
    });
}

TEST_CASE("strings")
{
    check({
        {"import \"abc\nmatch a -> drop",
         "1:8 '\"abc': this string has no closing '\"' on its line; a string ends on the line it begins on"},
        {"test \"abc {\n packet udp\n expect drop\n}\nmatch a -> drop",
         "1:6 '\"abc {': this string has no closing '\"' on its line; a string ends on the line it begins on"},
        {R"(const a = "\q\x4\u00e9")",
         "1:12 '\\q': unknown escape '\\q' in a string; known are \\\" \\\\ \\n \\r \\t \\0 \\xHH\n1:14 '\\x': unknown "
         "escape '\\x' in a string; two hexadecimal digits follow \\x\n1:17 '\\u': unknown escape '\\u' in a string; "
         "known are \\\" \\\\ \\n \\r \\t \\0 \\xHH"},
        {"const a = \"abc\\",
         "1:11 '\"abc\\': this string has no closing '\"' on its line; a string ends on the line it begins on"},
    });
    CHECK(Parsed("import \"abc\nmatch a -> drop").dump() == "match a\n  drop\n");
    CHECK(Parsed("const a = \"\\q\"").diagnostics.all().at(0).kind == Kind::bad_escape);
    CHECK(Parsed("const a = \"").diagnostics.all().at(0).kind == Kind::unterminated_string);
}

TEST_CASE("a missing brace is told once, with its partner")
{
    const Parsed open("defprogram p {\n  match a -> drop\n");
    CHECK(open.messages() == "3:1 '': expected '}'; the file ends here\n");
    REQUIRE(open.diagnostics.all().at(0).notes.size() == 1);
    CHECK(open.diagnostics.all()[0].notes[0].text == "opened here");
    CHECK(open.sources.text(open.diagnostics.all()[0].notes[0].span) == "{");
    CHECK(open.dump() == "program p\n  match a\n    drop\n");

    const Parsed swallowed("defprogram p {\n  match a -> drop\ndefmap m : xskmap\nmatch b -> pass");
    CHECK(swallowed.diagnostics.errors() == 1);
    CHECK(swallowed.dump() == "program p\n  match a\n    drop\nmap m : xskmap\nmatch b\n  pass\n");

    const Parsed misplaced("defprogram p {\n  const x = 1\n  match a -> drop\n}\nmatch b -> pass");
    CHECK(misplaced.diagnostics.errors() == 1);
}

TEST_CASE("every mistake of a file is told, and the rest is kept")
{
    const Parsed parsed("mtach a -> drop\n"
                        "defmpa m : xskmap\n"
                        "match b -> { count; dorp 1; drop }\n"
                        "defprogram p {\n  match c -> dorp x\n  match d => drop\n  match e -> pass\n}\n"
                        "header h {\n  a u8\n  b : u16\n  c : = 1\n  d : u32\n}\n"
                        "test \"t\" {\n  paket udp\n  with 1 = 2\n  expect drop\n}\n"
                        "const x = 1");
    CHECK(parsed.diagnostics.errors() == 10);
    CHECK(parsed.dump() == "match b\n  block\n    drop\n"
                           "program p\n  match e\n    pass\n"
                           "header h\n  field b : u16\n  field d : u32\n"
                           "test \"t\"\n  expect\n    drop\n"
                           "const x = 1\n");
    std::vector<std::string> damaged;
    for (const auto &name : parsed.file->damaged)
        damaged.push_back(name.text);
    CHECK(damaged == std::vector<std::string>{"a", "m", "p", "h"});
}

TEST_CASE("the number of messages is limited")
{
    std::string text;
    for (int i = 0; i < 1000; ++i)
        text += "match a -> dorp 1\n";
    const Parsed parsed(text);
    CHECK(parsed.diagnostics.errors() == max_syntax_errors);
    CHECK(parsed.diagnostics.all().back().notes.at(0).text == "further syntax errors of this file are not shown");
}
