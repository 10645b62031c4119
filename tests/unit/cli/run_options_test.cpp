// Texts of `xdpf run`'s options.
#include "runtime/cli/arguments.hpp"

#include <doctest/doctest.h>

using namespace xdpf::cli;

TEST_CASE("NAME=VALUE")
{
    const auto pair = parse_assignment("port=53");
    REQUIRE(pair);
    CHECK(pair->first == "port");
    CHECK(pair->second == "53");
    CHECK(parse_assignment("a=b=c")->second == "b=c");
    CHECK(parse_assignment("ports=")->second.empty());
    CHECK_FALSE(parse_assignment("port"));
    CHECK_FALSE(parse_assignment("=53"));
    CHECK_FALSE(parse_assignment(""));
}

TEST_CASE("lists of queues")
{
    CHECK(parse_queues("all")->empty());
    CHECK(*parse_queues("0,2,5-7") == std::vector<std::uint32_t>{0, 2, 5, 6, 7});
    CHECK(parse_queues("65535"));
    for (const char *impossible : {"65536", "4294967295", "4294967290-4294967295", "3-1", "1,", "", "x"})
        CHECK_FALSE(parse_queues(impossible));
}

TEST_CASE("durations")
{
    using namespace std::chrono_literals;
    CHECK(*parse_duration("1.5s") == 1500ms);
    CHECK(*parse_duration("9999999h") == std::chrono::hours(9999999));
    CHECK_FALSE(parse_duration("1e9h"));
}
