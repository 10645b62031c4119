#include "compiler/report.hpp"
#include "compiler/session.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace xdpf;
using Status = Answer::Status;

namespace {

Answer accept(Session &session, std::string_view text, const Entry &entry = {})
{
    auto answer = session.enter(text, entry);
    INFO(text << "\n" << to_text(answer.diagnostics, answer.sources));
    CHECK(answer.status == Status::accepted);
    return answer;
}

PacketAnswer run(Session &session, std::string_view text)
{
    const auto answer = session.enter(text);
    INFO(text << "\n" << to_text(answer.diagnostics, answer.sources));
    REQUIRE(answer.status == Status::ran);
    REQUIRE(answer.packets.size() == 1);
    return answer.packets[0];
}

std::string reject(Session &session, std::string_view text, const Entry &entry = {})
{
    const auto before = session.text();
    const auto answer = session.enter(text, entry);
    CHECK(answer.status == Status::rejected);
    CHECK(session.text() == before);
    return to_text(answer.diagnostics, answer.sources);
}

} // namespace

TEST_CASE("a packet is answered with the verdict and the rule that decided")
{
    Session session;
    accept(session, "match udp.dport == 53 -> drop", {.line = 4});
    accept(session, "match udp.dport == 54 -> drop", {.line = 5});
    accept(session, "match tcp -> xsk", {.line = 6});
    auto answer = run(session, "packet ethernet / ipv4 / udp(dport = 54)");
    CHECK(answer.verdict == "drop");
    CHECK(answer.rule == "match udp.dport == 54 -> drop");
    CHECK(answer.source == "<shell>");
    CHECK(answer.line == 5);
    CHECK(answer.size == 42);
    CHECK(run(session, "packet ethernet / ipv6 / tcp").verdict == "xsk xsks[0]");
    answer = run(session, "packet ethernet / arp");
    CHECK(answer.verdict == "pass");
    CHECK(answer.rule.empty());
    CHECK(run(session, "hex \"ffffffffffff 020000000001 88b5\"").size == 14);
}

TEST_CASE("the rule of a nested match is the innermost one")
{
    Session session;
    accept(session, "match ipv4 {\n    match udp -> drop\n    match tcp -> abort\n}", {.line = 3});
    const auto answer = run(session, "packet ethernet / ipv4 / tcp");
    CHECK(answer.verdict == "abort");
    CHECK(answer.rule == "match tcp -> abort");
    CHECK(answer.line == 5);
}

TEST_CASE("a session without rules passes everything")
{
    Session session;
    CHECK(run(session, "packet ethernet / ipv4 / udp").verdict == "pass");
    CHECK(session.text().empty());
    CHECK(session.enter("   # nothing\n").status == Status::nothing);
}

TEST_CASE("errors point into what was entered, and leave the session as it was")
{
    Session session;
    accept(session, "const dns = 53");
    CHECK(reject(session, "match udp.dprt == dns -> drop", {.line = 7}) ==
          "error[unknown_field]: header 'udp' has no field 'dprt'\n"
          "  --> <shell>:7:11\n"
          "   |\n"
          " 7 | match udp.dprt == dns -> drop\n"
          "   |           ^^^^\n"
          "   = help: did you mean 'dport'?\n");
    CHECK(reject(session, "packet ethernet / ipv4(ttl = 3) / udp(dprt = 1)").find("<shell>:1:39\n") !=
          std::string::npos);
    CHECK(reject(session, "packet ethernet / ipv4 }").find("<shell>:1:24\n") != std::string::npos);
    CHECK(reject(session, "match udp drop").find("<shell>:1:11\n") != std::string::npos);
    CHECK(reject(session, "pakcet ethernet").find("did you mean 'packet'?") != std::string::npos);
    CHECK(reject(session, "packet ethernet / ipv4 /", {.complete = true}).find("<shell>:1:25\n") != std::string::npos);
    CHECK(reject(session, ">").find("<shell>:1:2\n") != std::string::npos);
    CHECK(reject(session, "hex \"abc\"").find("<shell>:1:") != std::string::npos);
    CHECK(reject(session, "match udp -> drop\nmatch upd -> drop", {.source = "a.xdpf"}).find("a.xdpf:2:7\n") !=
          std::string::npos);
    CHECK(reject(session, std::string_view("match \0", 7)).find("nul_byte") != std::string::npos);
    CHECK(run(session, "packet ethernet / ipv4 / udp").verdict == "pass");
}

TEST_CASE("a note points to the input that it speaks of")
{
    Session session;
    accept(session, "match udp -> drop", {.line = 3});
    const auto text = reject(session, "defprogram shell { match tcp -> drop }", {.line = 8});
    CHECK(text.find("error[redefined]") != std::string::npos);
    CHECK(text.find("<shell>:8:12\n") != std::string::npos);
    CHECK(text.find("<shell>:3:1\n") != std::string::npos);
}

TEST_CASE("a warning is given with the input that causes it, once")
{
    Session session;
    accept(session, "defmap hits : hash<ipv4.src -> counter>[16]");
    const auto answer = accept(session, "match udp -> { count hits[ipv4.src]; drop }", {.line = 2});
    const auto text = to_text(answer.diagnostics, answer.sources);
    CHECK(text.find("warning[absent_key]") != std::string::npos);
    CHECK(text.find("<shell>:2:27\n") != std::string::npos);
    CHECK(accept(session, "match tcp -> pass").diagnostics.all().empty());
}

TEST_CASE("more is wanted while a bracket is open or an operator waits")
{
    Session session;
    for (const auto *text :
         {"match ipv4 {", "match udp ->", "match udp and", "match udp.dport in {53,", "header x on udp.dport == 1",
          "packet ethernet /", "packet ethernet / ipv4(", "defprogram a"})
        CHECK_MESSAGE(session.enter(text).status == Status::incomplete, text);
    for (const auto *text : {"match udp", "test \"a", "match ipv4 }", "packet hex \"{", "match ipv4 { match udp \"abc"})
        CHECK_MESSAGE(session.enter(text).status == Status::rejected, text);
    CHECK(session.enter("match ipv4 {", {.complete = true}).status == Status::rejected);
    accept(session, "match ipv4 { # {\n match udp -> drop\n}");
}

TEST_CASE("a declaration replaces an older one of its name, a default the older one, and stays last")
{
    Session session;
    accept(session, "const port = 53");
    accept(session, "default -> drop");
    accept(session, "match udp.dport == port -> pass");
    CHECK(run(session, "packet ethernet / ipv4 / udp(dport = 53)").verdict == "pass");
    CHECK(run(session, "packet ethernet / ipv4 / tcp").rule == "default -> drop");
    CHECK(accept(session, "const port = 54").changes ==
          std::vector<std::string>{"const 'port', in place of the older one"});
    CHECK(run(session, "packet ethernet / ipv4 / udp(dport = 53)").verdict == "drop");
    accept(session, "default -> abort");
    CHECK(session.text() == "const port = 54\nmatch udp.dport == port -> pass\ndefault -> abort\n");
    CHECK(reject(session, "const a = 1\nconst a = 2").find("error[redefined]") != std::string::npos);
}

TEST_CASE("maps keep what they hold until their own declaration changes")
{
    Session session;
    accept(session, "defmap hits : hash<ipv4.src -> counter>[16]");
    accept(session, "match udp -> { count hits[ipv4.src]; drop }");
    (void)run(session, "packet ethernet / ipv4(src = 10.0.0.7) / udp");
    accept(session, "match tcp -> drop");
    (void)run(session, "packet ethernet / ipv4(src = 10.0.0.7) / udp");
    (void)run(session, "packet ethernet / ipv6 / udp");
    CHECK(session.map_text("hits") == "10.0.0.7 = {packets = 2, bytes = 84}\n");
    (void)reject(session, "match nonsense -> drop");
    CHECK(session.map_text("hits") == "10.0.0.7 = {packets = 2, bytes = 84}\n");
    accept(session, "defmap hits : hash<ipv4.src -> counter>[32]");
    CHECK(session.map_text("hits") == "empty\n");
    CHECK(session.map_text("hts").error() == "there is no map 'hts'; did you mean 'hits'?");
}

TEST_CASE("maps are shown by the types of their keys")
{
    Session session;
    accept(session, "defmap nets : lpm_trie<ipv4.src>[8]\ndefmap six : hash<ipv6.src>[8]\ndefmap macs : "
                    "hash<ethernet.src -> u32>[8]\ndefmap total : array<u64>[4]\ndefmap q : xskmap[4]");
    accept(session, "with nets = {10.0.0.0/8, 192.0.2.1}");
    accept(session, "with six = {2001:db8::1}");
    accept(session, "with macs = {02:00:00:00:00:0a}");
    CHECK(session.map_text("nets") == "10.0.0.0/8\n192.0.2.1/32\n");
    CHECK(session.map_text("six") == "2001:db8::1\n");
    CHECK(session.map_text("macs") == "02:00:00:00:00:0a = 0\n");
    CHECK(session.map_text("total") == "every entry is 0\n");
    CHECK(session.map_text("q") == "every slot is filled\n");
    accept(session, "with q = {2}");
    CHECK(session.map_text("q") == "filled: 2\n");
    accept(session, "with nets = {}");
    CHECK(session.map_text("nets") == "empty\n");
}

TEST_CASE("what `with` says stays, and `expect` is judged")
{
    Session session;
    accept(session, "match udp -> xsk");
    accept(session, "with rx_queue = 3");
    CHECK(run(session, "packet ethernet / ipv4 / udp").verdict == "xsk xsks[3]");
    CHECK(run(session, "packet ethernet / ipv4 / udp with rx_queue = 5").verdict == "xsk xsks[5]");
    CHECK(run(session, "with xsks = {1} packet ethernet / ipv4 / udp").verdict == "pass");
    const auto answer = session.enter("packet ethernet / ipv4 / udp expect drop");
    CHECK(answer.failures == std::vector<std::string>{"expected drop, got pass"});
    CHECK(session.enter("packet ethernet / ipv4 / udp expect pass").failures.empty());
}

TEST_CASE("every program answers, over the same maps")
{
    Session session;
    accept(session, "defmap n : array<u64>[1]\ndefprogram a { match udp -> { count n; drop } }\ndefprogram b { match "
                    "udp -> { count n; pass } }");
    const auto answer = session.enter("packet ethernet / ipv4 / udp");
    REQUIRE(answer.packets.size() == 2);
    CHECK(answer.packets[0].program == "a");
    CHECK(answer.packets[0].verdict == "drop");
    CHECK(answer.packets[1].program == "b");
    CHECK(answer.packets[1].verdict == "pass");
    CHECK(session.map_text("n") == "0 = 2\n");
}

TEST_CASE("undo takes inputs back one by one, clear all of them")
{
    Session session;
    CHECK_FALSE(session.undo());
    accept(session, "match udp -> drop");
    accept(session, "default -> abort");
    CHECK(session.undo());
    CHECK(session.text() == "match udp -> drop\n");
    session.clear();
    CHECK(session.text().empty());
    CHECK(run(session, "packet ethernet / ipv4 / udp").verdict == "pass");
    CHECK(session.undo());
    CHECK(session.text() == "match udp -> drop\n");
    CHECK(session.undo());
    CHECK_FALSE(session.undo());
}

TEST_CASE("a declaration is replaced in its place, or taken away")
{
    Session session;
    accept(session, "const port = 53\nmatch udp.dport == port -> drop\nmatch udp -> abort\ndefault -> pass");
    const auto replace = [&](std::size_t declaration, std::string_view text) {
        return session.replace(declaration, text, {.line = 9, .complete = true}).status;
    };
    CHECK(replace(1, "match udp.dport == port -> pass") == Status::accepted);
    CHECK(run(session, "> ethernet / ipv4 / udp(dport = 53)").line == 9);
    CHECK(run(session, "> ethernet / ipv4 / udp(dport = 53)").verdict == "pass");
    CHECK(replace(0, "") == Status::rejected);
    CHECK(replace(2, "match tcp -> abort\nmatch icmp -> drop") == Status::accepted);
    CHECK(replace(3, "") == Status::accepted);
    CHECK(replace(3, "default -> drop") == Status::accepted);
    CHECK(session.replace(0, "match ipv4 {").status == Status::incomplete);
    CHECK(session.text() == "const port = 53\nmatch udp.dport == port -> pass\nmatch tcp -> abort\ndefault -> drop\n");
    CHECK(session.declarations()[2].what == "rule");
    CHECK(session.undo());
    CHECK(session.undo());
    CHECK(session.text().find("match icmp -> drop\ndefault -> pass\n") != std::string::npos);
    // What has the name of another one takes its place, whether that stands in front or behind.
    CHECK(replace(1, "const dns = 54\nconst port = 54") == Status::accepted);
    CHECK(replace(1, "const dns = 55\nmatch tcp -> pass") == Status::accepted);
    CHECK(session.text().find("const port = 54\nconst dns = 55\nmatch tcp -> pass\n") == 0);
}

TEST_CASE("where a rule was entered is known of every compilation of the session")
{
    Session session;
    accept(session, "match ipv4 {\n  match udp -> drop\n  match tcp -> abort }", {.line = 4});
    const auto counted = session.compiled({.rule_counters = true, .verdict_counters = true});
    REQUIRE(counted.ok());
    const auto &rules = counted.image().programs[0].rules;
    REQUIRE(rules.size() == 3); // and the default that nobody entered
    const auto first = session.entered(rules[0]);
    const auto second = session.entered(rules[1]);
    REQUIRE(first);
    REQUIRE(second);
    CHECK(first->line == 5);
    CHECK(second->line == 6);
    CHECK(second->text == "match tcp -> abort");
    CHECK(first->id != second->id);
    CHECK_FALSE(session.entered(rules[2]));
    CHECK(session.line_of(second->id) == 3);
    accept(session, "const a = 1");
    accept(session, "default -> pass");
    CHECK(session.entered(session.compilation().image().programs[0].rules[1])->id == second->id);
    CHECK(session.replace(0, "match udp -> drop").status == Status::accepted);
    CHECK_FALSE(session.line_of(second->id));
    CHECK(session.packets("ethernet / ipv4 / udp")->at(0).size() == 42);
    CHECK(session.packets("packet ethernet times 2\npacket ethernet / arp")->size() == 2);
    CHECK_FALSE(session.packets("ethernet / upd"));
}

TEST_CASE("the parts of a text are the whole text")
{
    for (const auto *text : {"match udp -> drop # x\n  \"s\" 10.0.0.1/8 }", "", "  ", "\"open", "# only"}) {
        std::string all;
        for (const auto &part : parts_of(text))
            all += part.text;
        CHECK(all == text);
    }
    CHECK(parts_of("tcp.match").back().kind == TextPart::Kind::plain); // a field's name
}

TEST_CASE("tests that were entered run, and failures name the place")
{
    Session session;
    accept(session, "match udp -> drop");
    accept(session, "test \"good\" { packet ethernet / ipv4 / udp expect drop }", {.line = 2});
    accept(session, "test \"bad\" { packet ethernet / ipv4 / tcp expect drop }", {.line = 3});
    const auto outcomes = session.run_tests();
    REQUIRE(outcomes.size() == 2);
    CHECK(outcomes[0].failures.empty());
    CHECK(outcomes[1].failures == std::vector<std::string>{"<shell>:3:50: expected drop, got pass"});
}

TEST_CASE("what was entered compiles alike as a file, and can be dumped")
{
    Session session;
    accept(session, "default -> abort");
    accept(session, "match udp.dport == 53 -> drop");
    CHECK(compile(session.text()).ok());
    CHECK(session.dump(Stage::ast).find("53") != std::string::npos);
    CHECK(session.dump(Stage::bpf).find("exit") != std::string::npos);
    CHECK_FALSE(session.dump(Stage::ir).empty());
}

TEST_CASE("words are completed by where they stand")
{
    Session session;
    accept(session, "defmap hits : hash<ipv4.src -> counter>[16]");
    using Words = std::vector<std::string>;
    CHECK(session.complete("ma").words == Words{"match"});
    CHECK(session.complete("match et").words == Words{"ethernet"});
    CHECK(session.complete("match udp.d").words == Words{"dport"});
    CHECK(session.complete("match udp.d").begin == 10);
    CHECK(session.complete("match tcp.flags.s").words == Words{"syn"});
    CHECK(session.complete("match tc").words == Words{"tcp"});
    CHECK(session.complete("match tcp.op").words.front() == "option");
    CHECK(session.complete("match tcp.option.ms").words == Words{"mss"});
    CHECK(session.complete("packet ethernet / ipv4(tt").words == Words{"ttl"});
    CHECK(session.complete("packet ethernet / ipv4(src = 1.2.3.4) / ud").words == Words{"udp"});
    CHECK(session.complete("match ipv4.src in hi").words == Words{"hits"});
    CHECK(session.complete("match ipv4.src in xyz").words.empty());
    CHECK(session.complete("").words.size() > 5);
    CHECK(session.complete("pac").words == Words{"packet"});
    CHECK(session.complete("packet ethernet / ipv4(tt").words == Words{"ttl"});
    CHECK(session.complete("packet ethernet / ipv4(tt").begin == 23);
    CHECK(session.complete("with hi").words == Words{"hits"});
}
