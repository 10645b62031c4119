#include "parsing.hpp"

#include <doctest/doctest.h>

using namespace xdpf;

namespace {

// The dump of `match a -> TEXT`, without its head and indentation; or the messages.
std::string action(std::string_view text)
{
    const Parsed parsed("match a -> " + std::string(text));
    if (!parsed.clean())
        return parsed.messages();
    constexpr std::string_view head = "match a\n";
    std::string out;
    const auto dump = parsed.dump();
    for (auto rest = std::string_view(dump).substr(head.size()); !rest.empty();) {
        const auto end = rest.find('\n');
        out += rest.substr(2, end - 1);
        rest = rest.substr(end + 1);
    }
    out.pop_back();
    return out;
}

struct Case {
    std::string_view text;
    std::string_view dump;
};

void check(std::initializer_list<Case> cases)
{
    for (const auto &[text, dump] : cases) {
        CAPTURE(text);
        CHECK(action(text) == dump);
    }
}

} // namespace

TEST_CASE("redirects")
{
    check({
        {"redirect ports[0]", "redirect ports[0]"},
        {"redirect ports[hash(ipv4.src) % 4] else drop", "redirect ports[(% hash(ipv4.src) 4)]\n  else\n    drop"},
        {"redirect ports[*]", "redirect ports[*]"},
        {"redirect ports[* except iface] else pass", "redirect ports[* except iface]\n  else\n    pass"},
        {"goto other", "goto other"},
        {"xsk else redirect ports[1] else goto other",
         "xsk\n  else\n    redirect ports[1]\n      else\n        goto other"},
    });
}

TEST_CASE("maps are written, and read from")
{
    check({
        {"flows[ipv4.src, udp.dport] = 1", "flows[ipv4.src, udp.dport] = 1"},
        {"hits[k].packets += packet.length", "hits[k].packets += packet.length"},
        {"total -= 2 * 3", "total -= (* 2 3)"},
        {"hits[k] = {packets = 1, bytes = 2}", "hits[k] = {packets = 1, bytes = 2}"},
        {"hits[k]={}", "hits[k] = {}"},
        {"seen[(a, b)] = now", "seen[(tuple a b)] = now"},
        {"delete flows[ipv4.src]", "delete flows[ipv4.src]"},
        {"delete flows[a, b]", "delete flows[a, b]"},
        {"add ipv4.src to seen", "add ipv4.src to seen"},
        {"add (ipv4.src, udp.dport) to seen", "add (tuple ipv4.src udp.dport) to seen"},
        {"add {a = 1} to events", "add {a = 1} to events"},
        {"add[k] = 1", "add[k] = 1"},
        {"add += 1", "add += 1"},
        {"add = 1", "add = 1"},
    });
}

TEST_CASE("packets are changed")
{
    check({
        {"set ipv4.ttl = ipv4.ttl - 1", "set ipv4.ttl = (- ipv4.ttl 1)"},
        {"set vlan[0].id = 7", "set vlan[0].id = 7"},
        {"set vxlan.inner.ipv4.dst = 10.0.0.1", "set vxlan.inner.ipv4.dst = 10.0.0.1"},
        {"set packet[0:2] = 1", "set packet[0:2] = 1"},
        {"swap ethernet.src, ethernet.dst", "swap ethernet.src, ethernet.dst"},
        {"push vlan(id = 7)", "push vlan(id = 7)"},
        {"push vlan", "push vlan"},
        {"pop vlan", "pop vlan"},
        {"encap ethernet / ipv4(dst = 192.0.2.1) / udp / vxlan(vni = 7)",
         "encap ethernet / ipv4(dst = 192.0.2.1) / udp / vxlan(vni = 7)"},
        {"decap vxlan", "decap vxlan"},
        {"decap vxlan.inner.gre", "decap vxlan.inner.gre"},
        {"metadata {mark = ipv4.ttl}", "metadata {mark = ipv4.ttl}"},
        {"metadata[1] = 2", "metadata[1] = 2"},
    });
}

TEST_CASE("records, names and definitions")
{
    check({
        {"emit events {src = ipv4.src, port = udp.dport}", "emit events {src = ipv4.src, port = udp.dport}"},
        {"sample ring", "sample ring"},
        {"sample ring[128]", "sample ring[128]"},
        {"let port = udp.dport + 1", "let port = (+ udp.dport 1)"},
        {"punish", "use punish"},
        {"punish()", "use punish"},
        {"punish(ipv4.src, why = 3)", "use punish(ipv4.src, why = 3)"},
        {"punish # and no more", "use punish"},
        {"{ punish; other(1) third\n fourth\n drop }",
         "block\n  use punish\n  use other(1)\n  use third\n  use fourth\n  drop"},
        {"{ punish drop }", "block\n  use punish\n  drop"},
        {"xsk else punish(1)", "xsk\n  else\n    use punish(1)"},
        {"rule", "use rule"},
        {"size = 1", "size = 1"},
    });
    CHECK(Parsed("match a -> punish match b -> drop").dump() == "match a\n  use punish\nmatch b\n  drop\n");
    CHECK(Parsed("match a -> punish\nheader h { a : u8 }").dump() ==
          "match a\n  use punish\nheader h\n  field a : u8\n");
    CHECK(Parsed("match a -> punish header h { a : u8 }").clean());
    CHECK(Parsed("match a -> punish test \"t\" {}").clean());
}

TEST_CASE("conditions")
{
    check({
        {"if a == 1 { drop }", "if (== a 1)\n  block\n    drop"},
        {"if x in {1, 2} { drop } else { pass }", "if (in x {1, 2})\n  block\n    drop\nelse\n  block\n    pass"},
        {"if a {} else if b {} else {}", "if a\n  block\nelse\n  if b\n    block\n  else\n    block"},
        {"{ if a { if b { drop } else { pass } } count m }",
         "block\n  if a\n    block\n      if b\n        block\n          drop\n      else\n        block\n"
         "          pass\n  count m"},
        {"if m[k] == {a = 1} { drop }", "if (== m[k] {a = 1})\n  block\n    drop"},
    });
}

TEST_CASE("assembly is kept as it stands")
{
    check({
        {"asm { r0 = XDP_PASS\n exit }", "asm\n  r0 = XDP_PASS\n  exit"},
        {"asm{}", "asm"},
        {"asm { if r1 > 2 { } # }\n exit }", "asm\n  if r1 > 2 { } # }\n  exit"},
    });
    const Parsed parsed("defprogram p {\n  asm {\n    r0 = 2 # }\n    exit\n  }\n}\nmatch a -> drop");
    REQUIRE(parsed.clean());
    CHECK(parsed.dump() == "program p\n  default\n    asm\n      r0 = 2 # }\n      exit\nmatch a\n  drop\n");
    const auto &rule = parsed.file->rules[std::get<ast::Program>(parsed.file->decls[0].node).rules.at(0)];
    const auto &block = std::get<ast::Asm>(parsed.file->actions[std::get<ast::ActionId>(rule.body)].node);
    CHECK(parsed.sources.text(block.text_span) == block.text);
    CHECK(block.text == "\n    r0 = 2 # }\n    exit\n  ");
    CHECK(parsed.sources.text(rule.head).starts_with("asm {"));
}

TEST_CASE("spans of actions")
{
    const Parsed parsed(
        "match a -> {  m[ 1 ]  +=  2 ; punish( x )  if a {drop}  else  {pass}  redirect m[ * ] else drop }");
    REQUIRE(parsed.clean());
    std::vector<std::string_view> spans;
    const auto &rule = parsed.file->rules[std::get<ast::RuleId>(parsed.file->decls[0].node)];
    const auto &block = parsed.file->actions[std::get<ast::ActionId>(rule.body)];
    for (const auto id : std::get<ast::Block>(block.node).actions)
        spans.push_back(parsed.sources.text(parsed.file->actions[id].span));
    CHECK(spans == std::vector<std::string_view>{"m[ 1 ]  +=  2", "punish( x )", "if a {drop}  else  {pass}",
                                                 "redirect m[ * ] else drop"});
}

TEST_CASE("actions that are none")
{
    check({
        {"coutn hits[1]", "1:12 'coutn': expected an action; did you mean 'count'?\n"},
        {"redirct ports[1] else drop", "1:12 'redirct': expected an action; did you mean 'redirect'?\n"},
        {"sett ipv4.ttl = 1", "1:12 'sett': expected an action; did you mean 'set'?\n"},
        {"iff a { drop }", "1:12 'iff': expected an action; did you mean 'if'?\n"},
        {"delte m[1]", "1:12 'delte': expected an action; did you mean 'delete'?\n"},
        {"encpa vxlan", "1:12 'encpa': expected an action; did you mean 'encap'?\n"},
        {"metdata {a = 1}", "1:12 'metdata': expected an action; did you mean 'metadata'?\n"},
        {"m[1]", "1:16 '': expected '=', '+=' or '-='; the file ends here\n"},
        {"m[1] == 2", "1:17 '==': expected '=', '+=' or '-='; a value is assigned with '='\n"},
        {"m[1] =", "1:18 '': expected a set or an expression; the file ends here\n"},
        {"a.b drop", "1:16 'drop': expected '=', '+=' or '-='; for example: hits[ipv4.src] += 1\n"},
        {"1", "1:12 '1': expected an action; for example: match udp.dport == 53 -> drop\n"},
        {"redirect ports", "1:26 '': expected '['; the file ends here\n"},
        {"redirect ports[* 1]", "1:29 '1': expected 'except' or ']'; for example: redirect ports[1] else drop\n"},
        {"redirect ports[* except x]", "1:36 'x': expected 'iface'; for example: redirect ports[1] else drop\n"},
        {"redirect ports[]", "1:27 ']': expected '*' or an expression; for example: redirect ports[1] else drop\n"},
        {"goto 1", "1:17 '1': expected a name; a name begins with a letter or '_'\n"},
        {"goto drop", "1:17 'drop': expected a name; 'drop' is a keyword and cannot be a name\n"},
        {"delete m", "1:20 '': expected '['; the file ends here\n"},
        {"add x", "1:17 '': expected 'to'; the file ends here\n"},
        {"add x in m", "1:22 '': expected 'to'; the file ends here\n"},
        {"let = 1", "1:16 '=': expected a name; for example: let port = udp.dport\n"},
        {"let set = 1", "1:16 'set': expected a name; 'set' is a keyword and cannot be a name\n"},
        {"let x 1", "1:18 '1': expected '='; for example: let port = udp.dport\n"},
        {"set ipv4.ttl", "1:24 '': expected '='; the file ends here\n"},
        {"set ipv4.ttl -= 1", "1:25 '-=': expected '='; for example: set ipv4.ttl = ipv4.ttl - 1\n"},
        {"swap a.b", "1:20 '': expected ','; the file ends here\n"},
        {"push", "1:16 '': expected a name; the file ends here\n"},
        {"pop 1", "1:16 '1': expected a name; a name begins with a letter or '_'\n"},
        {"encap a / ", "1:22 '': expected a name; the file ends here\n"},
        {"decap vxlan.", "1:24 '': expected a name; the file ends here\n"},
        {"emit events", "1:23 '': expected a set; the file ends here\n"},
        {"emit events(a)", "1:23 '(': expected a set; for example: emit events {src = ipv4.src, port = udp.dport}\n"},
        {"sample ring[", "1:24 '': expected an expression; the file ends here\n"},
        {"if a drop", "1:17 'drop': expected '{'; for example: if udp.dport == 53 { drop } else { pass }\n"},
        {"if a { drop } else drop",
         "1:31 'drop': expected an action or '{'; for example: if udp.dport == 53 { drop } else { pass }\n"},
        {"if { drop }", "1:15 '{': expected an expression; for example: if udp.dport == 53 { drop } else { pass }\n"},
        {"if a { drop } esle { pass }",
         "1:26 'esle': expected a declaration, 'match' or 'default'; did you mean 'else'?\n"},
        {"asm r0 = 1", "1:16 'r0': expected '{'; for example: asm { r0 = XDP_PASS exit }\n"},
        {"asm { exit", "1:22 '': expected '}'; the file ends here\n"},
    });
}

TEST_CASE("an error in one action leaves the others")
{
    const Parsed parsed("match a -> {\n  lett x = 1\n  count\n  set ipv4.ttl += 1\n  if a drop\n  emit e (\n  punish\n"
                        "  if b {\n    coutn c\n    drop\n  } else {\n    m[1] 2\n    pass\n  }\n}");
    CHECK(parsed.diagnostics.errors() == 6);
    CHECK(parsed.dump() == "match a\n  block\n    use punish\n    if b\n      block\n        drop\n"
                           "    else\n      block\n        pass\n");
}
