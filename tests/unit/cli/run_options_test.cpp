// Texts of `xdpf run`'s options.
#include "runtime/cli/run_command.hpp"

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
