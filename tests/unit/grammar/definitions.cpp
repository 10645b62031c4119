#include "parsing.hpp"

#include <doctest/doctest.h>

using namespace xdpf;

namespace {

struct Case {
    std::string_view text;
    std::string_view result; // the dump, or the messages; without the last line end
};

void check(std::initializer_list<Case> cases)
{
    for (const auto &[text, result] : cases) {
        CAPTURE(text);
        const Parsed parsed(text);
        CHECK((parsed.clean() ? parsed.dump() : parsed.messages()) == std::string(result) + "\n");
    }
}

} // namespace

TEST_CASE("parameters")
{
    check({
        {"param dns_port : u16 = 53", "param dns_port : u16 = 53"},
        {"param dns_port : u16 = 53 in 1..65535", "param dns_port : u16 = 53 in (.. 1 65535)"},
        {"param p : u8 = 2 * 3 in {1, 2, 6}", "param p : u8 = (* 2 3) in {1, 2, 6}"},
        {"param p : u8 = 1 in few", "param p : u8 = 1 in few"},
        {"param gateway : ipv4.src = 10.0.0.1", "param gateway : ipv4.src = 10.0.0.1"},
        {"param p : u8", "1:13 '': expected '='; the file ends here"},
        {"param p = 1", "1:9 '=': expected ':'; for example: param dns_port : u16 = 53 in 1..65535"},
        {"param set : u8 = 1", "1:7 'set': expected a name; 'set' is a keyword and cannot be a name"},
    });
}

TEST_CASE("definitions")
{
    check({
        {"def lan = ipv4.src in 10.0.0.0/8", "def lan = (in ipv4.src 10.0.0.0/8)"},
        {"def from(net, port) = ip.src in net and udp.dport == port",
         "def from(net, port) = (and (in ip.src net) (== udp.dport port))"},
        {"def none() = 1", "def none = 1"},
        {"def ports = 1..3", "def ports = (.. 1 3)"},
        {"def stop = drop", "def stop\n  drop"},
        {"def stop(k) = { count hits[k]; drop }", "def stop(k)\n  block\n    count hits[k]\n    drop"},
        {"def mark = metadata {m = 1}", "def mark\n  metadata {m = 1}"},
        {"def pick = if a { drop } else { pass }",
         "def pick\n  if a\n    block\n      drop\n  else\n    block\n      pass"},
        {"def metadata_size = metadata + 1", "def metadata_size = (+ metadata 1)"},
        {"def a = b def c = d", "def a = b\ndef c = d"},
        {"def (a) = 1", "1:5 '(': expected a name; for example: def from_lan = ipv4.src in 10.0.0.0/8"},
        {"def a(1) = 1", "1:7 '1': expected a name or ')'; a name begins with a letter or '_'"},
        {"def a", "1:6 '': expected '='; the file ends here"},
        {"def a =", "1:8 '': expected a set, an action or an expression; the file ends here"},
        {"def a = m[1] = 2", "1:14 '=': expected a declaration, 'match' or 'default'; "
                             "for example: match udp.dport == 53 -> drop"},
    });
}

TEST_CASE("braces behind a definition's name hold a set or a block")
{
    for (const std::string_view set : {"{}",
                                       "{1, 2, 3}",
                                       "{a}",
                                       "{f(x)}",
                                       "{x = 1}",
                                       "{count = 1, drop = 2}",
                                       "{x = 1, y = f(a[1], 3)}",
                                       "{a.drop}",
                                       "{1..2}",
                                       "{1 -> 2}",
                                       "{(a, b) -> {x = 1}}",
                                       "{pcap \"udp\"}",
                                       "{any vlan.id in {1, 2}, c}",
                                       "{not a}",
                                       "{a.b.c}",
                                       "{a.in, b}",
                                       "{-1}",
                                       "{a == {x = 1}, b}",
                                       "{1000/s,}",
                                       "{10.0.0.0/8, ::/0}",
                                       "{\"a\"}",
                                       "{exceeds(1/s per x, burst 2)}",
                                       "{f(a, b)[1].c}"}) {
        CAPTURE(set);
        const Parsed parsed("def x = " + std::string(set));
        CHECK(parsed.messages() == "");
        CHECK(parsed.dump().starts_with("def x = "));
    }
    for (const std::string_view block : {"{drop}",
                                         "{count m}",
                                         "{f(x);}",
                                         "{x = 1;}",
                                         "{m[1] = 2}",
                                         "{m[1].a = 2}",
                                         "{a.b = 1}",
                                         "{x += 1}",
                                         "{x -= 1}",
                                         "{;}",
                                         "{{}}",
                                         "{f(x) g(y)}",
                                         "{f\ng}",
                                         "{x = 1 y = 2}",
                                         "{add x to m}",
                                         "{add (a, b) to m}",
                                         "{add {a = 1} to m}",
                                         "{metadata {x = 1}}",
                                         "{if a {drop}}",
                                         "{asm {exit}}",
                                         "{swap a.b, c.d}",
                                         "{x = a.in drop}",
                                         "{let x = {1}[0]}",
                                         "{x = 1 drop}",
                                         "{set a.b = 1, }"}) {
        CAPTURE(block);
        const Parsed parsed("def x = " + std::string(block));
        const bool is_block = parsed.dump().starts_with("def x\n  block\n") || parsed.dump() == "def x\n  block\n";
        CHECK((is_block || !parsed.clean()));
        CHECK(parsed.messages().find("a set") == std::string::npos);
    }
}

TEST_CASE("unions")
{
    check({
        {"union ip { src : ipv4.src or ipv6.src   protocol : ipv4.protocol or ipv6.protocol }",
         "union ip\n  src : (or ipv4.src ipv6.src)\n  protocol : (or ipv4.protocol ipv6.protocol)"},
        {"union ip { in : a, size : b or c; }", "union ip\n  in : a\n  size : (or b c)"},
        {"union ip {}", "union ip"},
        {"union ip { src ipv4.src }",
         "1:16 'ipv4': expected ':'; for example: union ip { src : ipv4.src or ipv6.src }"},
        {"union { a : b }", "1:7 '{': expected a name; for example: union ip { src : ipv4.src or ipv6.src }"},
        {"union ip { src : }",
         "1:18 '}': expected an expression; for example: union ip { src : ipv4.src or ipv6.src }"},
    });
}

TEST_CASE("types")
{
    check({
        {"defmap m : hash<vxlan.inner.ipv4.src -> (ipv4.src, u16)>",
         "map m : hash<vxlan.inner.ipv4.src -> (ipv4.src, u16)>"},
        {"defmap m : hash<{seen: u64, port: u16; in : bytes[4] deep : {a : (u8, u8)}} -> (u8)>",
         "map m : hash<{seen : u64, port : u16, in : bytes[4], deep : {a : (u8, u8)}} -> u8>"},
        {"defmap m : hash<{}>",
         "1:18 '}': expected a field; for example: defmap hits : percpu_hash<ipv4.src -> counter>[65_536]"},
        {"defmap m : hash<(u8,)>",
         "1:21 ')': expected a type; for example: defmap hits : percpu_hash<ipv4.src -> counter>[65_536]"},
        {"defmap m : hash<drop>", "1:17 'drop': expected a type; 'drop' is a keyword and cannot be a name"},
    });
    const Parsed parsed("defmap m : hash<vxlan.inner.ipv4.src>");
    const auto &type = std::get<ast::Map>(parsed.file->decls.at(0).node).types.at(0);
    CHECK(type.name.text == "vxlan.inner.ipv4");
    CHECK(parsed.sources.text(type.name.span) == "vxlan.inner.ipv4");
    CHECK(type.field->text == "src");
    CHECK(parsed.sources.text(type.span) == "vxlan.inner.ipv4.src");
}

TEST_CASE("contents of maps")
{
    check({
        {"defmap m : hash<u8 -> u8>[4] (pinned) = {1 -> 2, (3, 4) -> {a = 5},}",
         "map m : hash<u8 -> u8>[4]\n  attribute pinned\n  contents {1 -> 2, (tuple 3 4) -> {a = 5}}"},
        {"defmap m : lpm_trie<ipv4.src>[4] from \"blocked.txt\"",
         "map m : lpm_trie<ipv4.src>[4]\n  from \"blocked.txt\""},
        {"defmap m : hash = {} defmap n : hash", "map m : hash\n  contents {}\nmap n : hash"},
        {"defmap m : hash = 1",
         "1:19 '1': expected a set; for example: defmap hits : percpu_hash<ipv4.src -> counter>[65_536]"},
        {"defmap m : hash from 1",
         "1:22 '1': expected a string; for example: defmap hits : percpu_hash<ipv4.src -> counter>[65_536]"},
    });
}

TEST_CASE("programs at a map's entries, and attributes")
{
    check({
        {"defprogram p on devmap (frags, chain = {pass, tx}, priority = 10) { default -> pass }",
         "program p on devmap\n  attribute frags\n  attribute chain = {pass, tx}\n  attribute priority = 10\n"
         "  default\n    pass"},
        {"defprogram p on cpumap (chain = drop) {}", "program p on cpumap\n  attribute chain = drop"},
        {"defprogram p (x = {a, b}, y = 1..2) {}", "program p\n  attribute x = {a, b}\n  attribute y = (.. 1 2)"},
        {"defprogram p (chain = {pass, 1}) {}",
         "1:30 '1': expected a verdict or '}'; for example: defprogram dns { match udp.dport == 53 -> drop }"},
        {"defprogram p on devmpa {}", "1:17 'devmpa': expected 'devmap' or 'cpumap'; did you mean 'devmap'?"},
    });
}

TEST_CASE("headers in lists, tunnels, floating fields")
{
    check({
        {"header tcp.option in tcp at most 10 end when kind == 0 pad when kind == 1 size = length {\n"
         "  kind : u8\n  length : u8 when kind > 1\n}",
         "header tcp.option\n  in tcp at most 10\n  end when (== kind 0)\n  pad when (== kind 1)\n  size length\n"
         "  field kind : u8\n  field length : u8 when (> kind 1)"},
        {"header tcp.option.mss on tcp.option.kind == 2 { value : u16 }",
         "header tcp.option.mss\n  on (== tcp.option.kind 2)\n  field value : u16"},
        {"header gre inner ipv4 when protocol == 0x0800, ipv6 when protocol == 0x86dd, arp on a in {1} in b.c at most "
         "2 {\n"
         "  key : u32 at 4 + c * 4 when k { hi : u4 lo : u4 } = 5\n  at : u8 when : u8\n}",
         "header gre\n  on (in a {1})\n  in b.c at most 2\n  inner ipv4 when (== protocol 0x0800)\n"
         "  inner ipv6 when (== protocol 0x86dd)\n  inner arp\n"
         "  field key : u32 at (+ 4 (* c 4)) when k = 5\n    field hi : u4\n    field lo : u4\n"
         "  field at : u8\n  field when : u8"},
        {"header mpls on a { next : end of 0 at most 4 }", "header mpls\n  on a\n  field next : end of 0 at most 4"},
        {"header a. on b {}",
         "1:14 'b': expected a clause of the header or '{'; for example: header udp on ipv4.protocol "
         "== 17 { sport : u16  dport : u16 }"},
        {"header a in b {}",
         "1:15 '{': expected 'at'; for example: header udp on ipv4.protocol == 17 { sport : u16  dport "
         ": u16 }"},
        {"header a inner b inner c {}",
         "1:18 'inner': expected a clause of the header or '{'; each clause of a header stands once"},
        {"header a in b at most 1 in c at most 2 {}",
         "1:25 'in': expected a clause of the header or '{'; each clause of a header stands once"},
        {"header a end kind {}",
         "1:14 'kind': expected 'when'; for example: header udp on ipv4.protocol == 17 { sport : "
         "u16  dport : u16 }"},
        {"header a innr b {}", "1:10 'innr': expected a clause of the header or '{'; did you mean 'inner'?"},
    });
}
