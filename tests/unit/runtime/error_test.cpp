#include "runtime/error.hpp"

#include <doctest/doctest.h>

#include <cerrno>

using namespace xdpf::runtime;

TEST_CASE("an error reads as stage, call, text and name of errno, cause and remedy")
{
    Error error = system_error("cannot attach to 'eth9'", "bpf_link_create", ENODEV);
    CHECK(to_string(error) == "error: cannot attach to 'eth9': bpf_link_create: No such device (ENODEV)");
    error.cause = "there is no interface of that name in this network namespace";
    error.remedy = "ip link show";
    CHECK(to_string(error) == "error: cannot attach to 'eth9': bpf_link_create: No such device (ENODEV)\n"
                              "  cause: there is no interface of that name in this network namespace\n"
                              "  try:   ip link show");
}

TEST_CASE("a place stands between the message and the cause")
{
    Error error;
    error.stage = "cannot load 'dns'";
    error.message = "rejected";
    error.place = {"dns.xdpf", 12, "match udp -> xsk"};
    error.cause = "because";
    CHECK(to_string(error) == "error: cannot load 'dns': rejected\n"
                              "  at:    dns.xdpf:12: match udp -> xsk\n"
                              "  cause: because");
    error.place = {"", 0, "match udp -> xsk"};
    CHECK(to_string(error) == "error: cannot load 'dns': rejected\n"
                              "  at:    match udp -> xsk\n"
                              "  cause: because");
}

TEST_CASE("unknown errno values are numbers")
{
    CHECK(errno_name(ENOBUFS) == "ENOBUFS");
    CHECK(errno_name(4321) == "errno 4321");
    CHECK(errno_text(0).empty());
}

TEST_CASE("what drives a terminal is shown as an escape")
{
    Error error;
    error.stage = "cannot attach to 'no\x1b[31m\npe'";
    error.cause = "a\tb\x7f";
    CHECK(to_string(error) == "error: cannot attach to 'no\\x1b[31m\\x0ape'\n  cause: a\tb\\x7f");
}

TEST_CASE("too many open files have a cause and a remedy")
{
    const Error error = system_error("cannot start", "eventfd", EMFILE);
    CHECK(error.cause.find("open") != std::string::npos);
    CHECK(error.remedy.starts_with("ulimit -n "));
}
