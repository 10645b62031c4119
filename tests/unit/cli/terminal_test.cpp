#include "runtime/cli/run_summary.hpp"
#include "runtime/cli/terminal.hpp"

#include <doctest/doctest.h>

using namespace xdpf::cli;

TEST_CASE("a line is cut between characters")
{
    CHECK(cut("abc", 5) == "abc");
    CHECK(cut("abc", 3) == "abc");
    CHECK(cut("abc", 2) == "ab");
    CHECK(cut("äöü€x", 4) == "äöü€");
    CHECK(cut("äöü", 0).empty());
    CHECK(cut("", 3).empty());
}

TEST_CASE("numbers for people")
{
    CHECK(quantity(0) == "0");
    CHECK(quantity(9999) == "9999");
    CHECK(quantity(12'345) == "12.3 k");
    CHECK(quantity(1'234'567) == "1.23 M");
    CHECK(quantity(2.5e9) == "2.50 G");
    CHECK(rate(1'234'567) == "1.23 M/s");
}
