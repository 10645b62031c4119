// The layout, case by case, on what parses today and on forms of the syntax that lay_out() must know.
#include "grammar/format.hpp"

#include <doctest/doctest.h>

#include <string>

using xdpf::lay_out;

namespace {

// What stands already as it should.
void stays(std::string_view text) { CHECK(lay_out(text) == text); }

} // namespace

TEST_CASE("format: rules align their arrows, group by group")
{
    CHECK(lay_out("match udp→pass match tcp . dport   in{22,80,8000 .. 8999,}->{count hits [ ipv4.src ];drop;}\n\n\n"
                  "default->pass") == R"(match udp                               -> pass
match tcp.dport in {22, 80, 8000..8999} -> { count hits[ipv4.src]; drop }

default -> pass
)");
    stays(R"(match tcp {
    match not (tcp.flags.syn or tcp.flags.ack) -> drop
    match tcp.seq - 1 == -2 or ~tcp.ack == 3   -> xsk m[ipv4.src] else pass

    match any vlan.id in 1..5 -> continue
}
match ethernet/ipv4/udp and ipv4.length / udp.length == 5 -> tx
match packet[12:2] == 0x800 or udp.payload[a + 1:2] == 5  -> abort
)");
}

TEST_CASE("format: declarations of one kind stand together")
{
    CHECK(lay_out(R"(import "a" import "b"
const a=1
const long_name=a/b
defmap m:hash<(ipv4.src,u16)->{a:u8;b:u16 c : u32}>[10](pinned,flags=1)
defmap mm:xskmap[64]
# of the program
defprogram p(license="GPL"){}
defprogram q on devmap{default->pass})") == R"(import "a"
import "b"

const a         = 1
const long_name = a / b

defmap m  : hash<(ipv4.src, u16) -> {a: u8, b: u16, c: u32}>[10] (pinned, flags = 1)
defmap mm : xskmap[64]

# of the program
defprogram p (license = "GPL") {}

defprogram q on devmap {
    default -> pass
}
)");
}

TEST_CASE("format: headers")
{
    CHECK(lay_out(R"(header a on b.c==4 or d then e where f>=5 size=g*4 payload when not h{
x:u8=1,y:bytes[10];flags:u16{p:u1 q:u15}=3 z:end of type at most 2 # last
}
header tcp.option in tcp at most 10 end when kind==0 pad when kind==1 inner a when b==1,c{ o:u16 at 4*x when y=7 })") ==
          R"(header a on b.c == 4 or d then e
    where f >= 5
    size = g * 4
    payload when not h
{
    x     : u8                      = 1
    y     : bytes[10]
    flags : u16 { p : u1  q : u15 } = 3
    z     : end of type at most 2  # last
}

header tcp.option in tcp at most 10
    end when kind == 0
    pad when kind == 1
    inner a when b == 1, c
{
    o : u16 at 4 * x when y = 7
}
)");
    stays(R"(union ip {
    src      : ipv4.src or ipv6.src
    protocol : ipv4.protocol or ipv6.protocol
}
)");
}

TEST_CASE("format: parameters and definitions")
{
    stays(R"(param dns_port : u16 = 53 in 1..65535
param b        : u8  = 1

def port(p)     = udp.dport == p or udp.sport == p
def half(a)     = a / 2
def ratio(a, b) = a / b
def v4          = ethernet/ipv4
def ports       = {53, 80}
def punish(k)   = { count hits[k]; drop }
def refuse      = drop
def remember(k) = {
    m[k] = {packets = 1}
    m[k].packets += 1
    n[k] -= 1
    delete m[k]
}
)");
}

TEST_CASE("format: steps")
{
    stays(R"(match udp -> {
    let x = udp.dport + 1
    set ipv4.ttl = ipv4.ttl - 1
    swap ethernet.src, ethernet.dst
    push vlan(id = 7)
    pop vlan
    encap ethernet / ipv4(dst = 10.0.0.1) / udp / vxlan(vni = 7)
    decap vxlan.inner
    emit events {src = ipv4.src}
    sample ring[128]
    metadata {mark = 5}
    add (ipv4.src, x) to seen
    if x == 3 { drop } else { pass }
    if x == 4 {
        count a
        drop
    } else if one_in(1000) {
        tx
    }
    punish(ipv4.src)
    redirect ports[* except iface] else drop
}
match tcp -> if tcp.flags.syn { drop }
match arp -> redirect ports[*]
)");
    CHECK(lay_out("match udp->{xsk;foo;a;b}") == "match udp -> {\n    xsk;\n    foo\n    a\n    b\n}\n");
    CHECK(lay_out("match exceeds(1000/s per(a,b),burst 200)and pcap\"udp\"->drop") ==
          "match exceeds(1000/s per (a, b), burst 200) and pcap \"udp\" -> drop\n");
}

TEST_CASE("format: instructions are only indented anew")
{
    CHECK(lay_out("match udp -> asm {r1 = 0\n\t  r2  =  1 # {one}\n\n\n\tlabel: \n\t  exit }") ==
          "match udp -> asm {\n    r1 = 0\n      r2  =  1 # {one}\n\n    label:\n      exit\n}\n");
    stays("match udp -> {\n    count m\n    asm {\n        exit\n    }\n}\n");
}

TEST_CASE("format: tests")
{
    CHECK(lay_out(R"(test"x"for p{packet ethernet/ipv4(src=10.0.0.1)/payload("a")times 3;packet hex"00";packet pcap"f"
with m={10.0.0.0/8};with now=5s
expect packet ethernet/ipv4 expect rule 2;expect xsk m[1]expect not ethernet/ipv4 expect packet[0:2]==1 })") ==
          R"(test "x" for p {
    packet ethernet / ipv4(src = 10.0.0.1) / payload("a") times 3
    packet hex "00"
    packet pcap "f"
    with   m   = {10.0.0.0/8}
    with   now = 5s
    expect packet ethernet / ipv4
    expect rule 2
    expect xsk m[1]
    expect not ethernet/ipv4
    expect packet[0:2] == 1
}
)");
}

TEST_CASE("format: long lines")
{
    const std::string list = "{22, 80, 443, 8000..8999, 10000, 10001, 10002, 10003, 10004, 10005, 10006, 10007, "
                             "10008, 10009, 10010, 10011}";
    CHECK(lay_out("match udp.dport in " + list + " -> drop") ==
          "match udp.dport in {\n    22, 80, 443, 8000..8999, 10000, 10001, 10002, 10003, 10004, 10005, 10006, 10007, "
          "10008, 10009, 10010, 10011\n} -> drop\n");
    stays(R"(match ipv4.src == 10.0.0.1 and ipv4.dst == 10.0.0.2 and udp.sport == 1000 and udp.dport == 2000
    or ipv6 and udp.sport == 1000 and udp.dport == 2000
    -> drop
match ipv4.src == 10.0.0.1 and ipv4.dst == 10.0.0.2 and udp.sport == 1000 and udp.dport == 2000
    or ipv6 and udp.sport == 1000 and udp.dport == 2000
{
    default -> drop
}
)");
    stays(R"(test "long" {
    packet ethernet / vlan(id = 150) / ipv4(src = 192.0.2.7, dst = 192.0.2.8) / udp(sport = 1000, dport = 2000)
        / payload("0123456789")
}
)");
}

TEST_CASE("format: map contents, an entry a line, in columns")
{
    CHECK(lay_out("defmap m:hash<ipv4.src->counter>[4]={10.0.0.1->{packets=1},192.0.2.100->{packets = 2,bytes=9},"
                  "# the third\n10.0.0.3->{packets=3} # here\n}") == R"(defmap m : hash<ipv4.src -> counter>[4] = {
    10.0.0.1    -> {packets = 1},
    192.0.2.100 -> {packets = 2, bytes = 9},  # the third
    10.0.0.3    -> {packets = 3},             # here
}
)");
}

TEST_CASE("format: comments stay with what they are about")
{
    stays(R"(# first

# second
const ports = {
    22,
    # of the web
    80,   # plain
    443,  # over TLS
          # and HTTP/3
}

match udp {  # behind a brace
    # alone
    match udp.dport == 1 -> {  # again
        drop
        # last
    }
    match a -> drop  # x
    match bb
        # inside
        and c
        -> drop
}
# end
)");
    CHECK(lay_out("header h { a : u8, # of a\n b : u16;\n # of c\n c : u8 }\n#end") ==
          "header h {\n    a : u8  # of a\n    b : u16\n    # of c\n    c : u8\n}\n#end\n");
    CHECK(lay_out("\xef\xbb\xbf\n\n  # only\r\n") == "# only\n");
    CHECK(lay_out(" \n\n") == "");
}
