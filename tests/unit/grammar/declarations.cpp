#include "parsing.hpp"

#include "stdlib/stdlib.hpp"

#include <doctest/doctest.h>

using namespace xdpf;

TEST_CASE("every module of the standard library parses")
{
    for (const auto &module : stdlib::modules()) {
        CAPTURE(module.name);
        const Parsed parsed(module.text);
        CHECK(parsed.messages() == "");
        CHECK(parsed.file->decls.size() > 0);
        CHECK(parsed.file->damaged.empty());
    }
}

TEST_CASE("imports and constants")
{
    const Parsed parsed("import \"tunnel/vxlan\"\nconst a = 1\nconst b = {1, 2..3}\nconst c = 1..2");
    CHECK(parsed.dump() == "import \"tunnel/vxlan\"\nconst a = 1\nconst b = {1, (.. 2 3)}\nconst c = (.. 1 2)\n");
    CHECK(parsed.clean());
}

TEST_CASE("a header with every clause")
{
    const Parsed parsed("header x on a.b == 1 or c then type where d size = e * 4 payload when f == 0 {\n"
                        "  type : u16 = 0x88b5, default : u8;\n"
                        "  flags : u8 { syn : u1  count : u1 = 1 } = 3\n"
                        "  data : bytes[6] = \"\\x01\"\n"
                        "  key : ipv4.src\n"
                        "  protocol : end of type at most 2\n"
                        "  end : u8 = 1\n}");
    CHECK(parsed.messages() == "");
    CHECK(parsed.dump() == "header x\n"
                           "  on (or (== a.b 1) c)\n"
                           "  then type\n"
                           "  where d\n"
                           "  size (* e 4)\n"
                           "  payload when (== f 0)\n"
                           "  field type : u16 = 0x88b5\n"
                           "  field default : u8\n"
                           "  field flags : u8 = 3\n"
                           "    field syn : u1\n"
                           "    field count : u1 = 1\n"
                           "  field data : bytes[6] = \"\\x01\"\n"
                           "  field key : ipv4.src\n"
                           "  field protocol : end of type at most 2\n"
                           "  field end : u8 = 1\n");
}

TEST_CASE("maps")
{
    const Parsed parsed("defmap a : xskmap\n"
                        "defmap b : xskmap[64]\n"
                        "defmap c : lpm_trie<ipv4.src>[10_000] (pinned, flags = 1 | 2)\n"
                        "defmap d : hash<ipv4.src -> counter>[n * 2] ()\n"
                        "defmap e : queue<bytes[4]>");
    CHECK(parsed.messages() == "");
    CHECK(parsed.dump() == "map a : xskmap\n"
                           "map b : xskmap[64]\n"
                           "map c : lpm_trie<ipv4.src>[10_000]\n"
                           "  attribute pinned\n"
                           "  attribute flags = (| 1 2)\n"
                           "map d : hash<ipv4.src -> counter>[(* n 2)]\n"
                           "map e : queue<bytes[4]>\n");
}

TEST_CASE("programs, rules and actions")
{
    const Parsed parsed("defprogram p (license = \"GPL\", frags) {\n"
                        "  match ipv4 { match udp -> xsk xsks[1] else drop  match tcp → tx }\n"
                        "  match a -> { count hits[ipv4.src, 1]; count all drop }\n"
                        "  match ipv4.src in {1} { match b -> xsk else xsk other else continue }\n"
                        "  default -> abort\n}\n"
                        "match c -> xsk\nmatch d -> xsk m match e -> {}\ndefault -> pass");
    CHECK(parsed.messages() == "");
    CHECK(parsed.dump() == "program p\n"
                           "  attribute license = \"GPL\"\n"
                           "  attribute frags\n"
                           "  match ipv4\n"
                           "    match udp\n"
                           "      xsk xsks[1]\n"
                           "        else\n"
                           "          drop\n"
                           "    match tcp\n"
                           "      tx\n"
                           "  match a\n"
                           "    block\n"
                           "      count hits[ipv4.src, 1]\n"
                           "      count all\n"
                           "      drop\n"
                           "  match (in ipv4.src {1})\n"
                           "    match b\n"
                           "      xsk\n"
                           "        else\n"
                           "          xsk other\n"
                           "            else\n"
                           "              continue\n"
                           "  default\n"
                           "    abort\n"
                           "match c\n"
                           "  xsk\n"
                           "match d\n"
                           "  xsk m\n"
                           "match e\n"
                           "  block\n"
                           "default\n"
                           "  pass\n");
}

TEST_CASE("tests")
{
    const Parsed parsed("test \"one\" for p {\n"
                        "  packet ethernet / ipv4(src = 10.0.0.1) / udp(dport = 53) / payload(\"\\x12\")\n"
                        "  packet hex \"00 11\"; packet hex / ipv4\n"
                        "  with rx_queue = 2  with blocklist = {10.0.0.0/8}; with xsks = {}\n"
                        "  expect xsk\n"
                        "  packet udp()\n"
                        "  expect xsk xsks[2]\n"
                        "  expect hits[10.0.0.1] == {packets = 1}\n"
                        "  expect packet.length == 60\n"
                        "}\n"
                        "test \"two\" {}");
    CHECK(parsed.messages() == "");
    CHECK(parsed.dump() == "test \"one\" for p\n"
                           "  packet ethernet / ipv4(src = 10.0.0.1) / udp(dport = 53) / payload(\"\\x12\")\n"
                           "  packet hex \"00 11\"\n"
                           "  packet hex / ipv4\n"
                           "  with rx_queue = 2\n"
                           "  with blocklist = {10.0.0.0/8}\n"
                           "  with xsks = {}\n"
                           "  expect\n"
                           "    xsk\n"
                           "  packet udp\n"
                           "  expect\n"
                           "    xsk xsks[2]\n"
                           "  expect (== hits[10.0.0.1] {packets = 1})\n"
                           "  expect (== packet.length 60)\n"
                           "test \"two\"\n");
}

TEST_CASE("a map's name may stand on the line behind xsk, a header's declaration too")
{
    CHECK(Parsed("match a -> xsk\nm\nheader h { a : u8 }").dump() == "match a\n  xsk m\nheader h\n  field a : u8\n");
    CHECK(Parsed("match a -> xsk\nheader h { a : u8 }").dump() == "match a\n  xsk\nheader h\n  field a : u8\n");
}

TEST_CASE("spans underline exactly the construct")
{
    const std::string text = "# head\nmatch  a.b[1] == (c or d)  ->  { drop; }  # tail\n"
                             "test \"t\" { with  q = not x  expect  xsk m[ 2 ] else  pass }\n"
                             "header h on -z { f : bytes[ 4 ] = 1 }";
    const Parsed parsed(text);
    REQUIRE(parsed.clean());
    const auto &file = *parsed.file;
    const auto at = [&](Span span) { return parsed.sources.text(span); };
    const auto &rule = file.rules[std::get<ast::RuleId>(file.decls[0].node)];
    CHECK(at(file.decls[0].span) == "match  a.b[1] == (c or d)  ->  { drop; }");
    CHECK(at(rule.span) == "match  a.b[1] == (c or d)  ->  { drop; }");
    CHECK(at(rule.head) == "match  a.b[1] == (c or d)");
    const auto &compared = std::get<ast::Binary>(file.exprs[*rule.predicate].node);
    CHECK(at(file.exprs[*rule.predicate].span) == "a.b[1] == (c or d)");
    CHECK(at(file.exprs[compared.left].span) == "a.b[1]");
    CHECK(at(file.exprs[compared.right].span) == "(c or d)");
    const auto &index = std::get<ast::Index>(file.exprs[compared.left].node);
    CHECK(at(file.exprs[index.base].span) == "a.b");
    CHECK(at(std::get<ast::Member>(file.exprs[index.base].node).member.span) == "b");
    const auto &block = file.actions[std::get<ast::ActionId>(rule.body)];
    CHECK(at(block.span) == "{ drop; }");
    CHECK(at(file.actions[std::get<ast::Block>(block.node).actions[0]].span) == "drop");

    const auto &test = std::get<ast::Test>(file.decls[1].node);
    CHECK(at(test.span).ends_with("else  pass }"));
    CHECK(at(test.name_span) == "\"t\"");
    const auto &with = std::get<ast::WithStatement>(test.statements[0]);
    CHECK(at(with.span) == "with  q = not x");
    CHECK(at(with.name.span) == "q");
    CHECK(at(file.exprs[with.value].span) == "not x");
    const auto &expect = std::get<ast::ExpectStatement>(test.statements[1]);
    CHECK(at(expect.span) == "expect  xsk m[ 2 ] else  pass");
    CHECK(at(file.actions[std::get<ast::ActionId>(expect.what)].span) == "xsk m[ 2 ] else  pass");

    const auto &header = std::get<ast::Header>(file.decls[2].node);
    CHECK(at(file.exprs[*header.on].span) == "-z");
    CHECK(at(header.fields[0].type->span) == "bytes[ 4 ]");
    CHECK(at(header.fields[0].name.span) == "f");
}
