// Damaged copies of real sources: whatever happens to a file, parsing ends, in a tree or in messages.
#include "parsing.hpp"

#include "grammar/lexis.hpp"
#include "stdlib/stdlib.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace xdpf;

namespace {

constexpr std::string_view example = R"(
import "tunnel"
const ports = {22, 80, 8000..8999}
defmap xsks : xskmap[64]
defmap hits : percpu_hash<ipv4.src -> counter>[65_536] (pinned, flags = 1)
param port : u16 = 53 in {53, 5353}
def punish(k) = { count hits[k]; if k in {1, 2} { drop } else if a { pass } else { goto other } }
def small = {1, 2 -> {a = 3}}
union ip { src : ipv4.src or ipv6.src }
header tcp.option in tcp at most 10 end when kind == 0 { kind : u8  next : end of 0 at most 4  k : u32 at 4 when f = 1 }
defmap flows : hash<(a.b.c, u16) -> {seen : u64; port : u16}>[64] = {(1, 2) -> {seen = 1}}
defprogram raw on devmap (chain = {pass, tx}) { asm { r0 = 2 # }
  exit } }
match exceeds(1000/s per (a, b), burst 2) or pcap "udp" -> {
    flows[a, b].seen += 1; delete flows[a]; add a to m; let x = y; set a.b = 1; swap a, b; push vlan(id = 7)
    encap ethernet / udp; decap vxlan; emit e {a = 1}; sample r[2]; metadata {m = 1}; punish(1); redirect p[* except iface]
}
defprogram dns (license = "GPL") {
    match ipv4.src in blocklist             -> { count hits[ipv4.src]; drop }
    match udp.dport == 53 and not vlan[0].id in 1..9 { match packet[12:2] == 0x0800 -> xsk xsks[1] else pass }
    match ethernet/ipv4/udp or fe80::1 == ipv6.src → continue
    default -> pass
}
test "a query" for dns {
    packet ethernet / ipv4(src = 10.0.0.1) / udp(dport = 53) / payload("\x12\n")
    with   rx_queue = 2
    expect xsk xsks[2]; expect rule 2; expect packet udp
    expect hits[10.0.0.1] == {packets = 1, bytes = 60}
}
)";

std::vector<std::string> tokens_of(std::string_view text)
{
    std::vector<std::string> out;
    const char *end = text.data() + text.size();
    for (const char *at = text.data(); at != end;) {
        const char *next = lexis::skip_blank(at, end);
        const auto length = std::max<std::size_t>(1, lexis::token_at(next, end).size());
        next = next == end ? end : next + length;
        out.emplace_back(at, next);
        at = next;
    }
    return out;
}

class Mutator {
public:
    explicit Mutator(std::uint32_t seed) : random_(seed) {}

    template <class Sequence> void damage(Sequence &items)
    {
        for (auto n = 1 + pick(3); n != 0 && items.size() > 1; --n) {
            const auto at = pick(items.size());
            const auto other = pick(items.size());
            switch (pick(4)) {
            case 0: items.erase(items.begin() + static_cast<long>(at)); break;
            case 1:
                items.insert(items.begin() + static_cast<long>(at), typename Sequence::value_type(items[other]));
                break;
            case 2: std::swap(items[at], items[other]); break;
            default: items.resize(at + 1); break;
            }
        }
    }
    void change_byte(std::string &text) { text[pick(text.size())] = static_cast<char>(pick(256)); }
    std::size_t pick(std::size_t below) { return random_() % below; }

private:
    std::mt19937 random_;
};

void survive(const std::string &text)
{
    const Parsed parsed(text);
    if (!parsed.file)
        CHECK(parsed.diagnostics.has_errors());
    for (const auto &one : parsed.diagnostics.all()) {
        CHECK(one.span.begin <= one.span.end);
        CHECK(one.span.end <= text.size());
        CHECK_MESSAGE(one.message != "expected ", parsed.messages());
    }
    CHECK(parsed.diagnostics.errors() <= max_syntax_errors);
    CHECK(parsed.dump().size() <= 100 * text.size() + 10);
}

} // namespace

TEST_CASE("the example of the mutations parses") { CHECK(Parsed(example).messages() == ""); }

TEST_CASE("damaged sources end in a tree or in messages")
{
    std::vector<std::string_view> texts{example, example, example};
    for (const auto &module : stdlib::modules())
        texts.push_back(module.text);
    Mutator mutate(20240229);
    for (int i = 0; i < 6000; ++i) {
        CAPTURE(i);
        const auto base = texts[mutate.pick(texts.size())];
        std::string text(base);
        if (i % 2 == 0) {
            auto tokens = tokens_of(base);
            mutate.damage(tokens);
            text.clear();
            for (const auto &token : tokens)
                text += token;
        } else {
            mutate.damage(text);
            if (i % 3 == 0)
                mutate.change_byte(text);
        }
        survive(text);
    }
}
