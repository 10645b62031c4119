#include "compiler/base/source.hpp"

#include <doctest/doctest.h>

using namespace xdpf;

TEST_CASE("lines and columns count from 1, columns in code points")
{
    Sources sources;
    const FileId file = sources.add("a.xdpf", "match äö -> x\n\tdrop\n");
    CHECK(sources.name(file) == "a.xdpf");
    const auto at = [&](std::uint32_t offset) {
        const Location location = sources.location(file, offset);
        return std::pair(location.line, location.column);
    };
    CHECK(at(0) == std::pair(1u, 1u));
    CHECK(at(6) == std::pair(1u, 7u));
    CHECK(at(8) == std::pair(1u, 8u));   // ö, behind the two bytes of ä
    CHECK(at(10) == std::pair(1u, 9u));  // the blank behind
    CHECK(at(15) == std::pair(1u, 14u)); // the line end belongs to its line
    CHECK(at(16) == std::pair(2u, 1u));
    CHECK(at(17) == std::pair(2u, 2u)); // a tab is one character
}

TEST_CASE("a place past the end is behind the last character")
{
    Sources sources;
    const FileId file = sources.add("a", "ab\ncd");
    CHECK(sources.location(file, 5).line == 2);
    CHECK(sources.location(file, 5).column == 3);
    CHECK(sources.location(file, 4'000'000).line == 2);
    CHECK(sources.location(file, 4'000'000).column == 3);
    const FileId empty = sources.add("b", "");
    CHECK(sources.location(empty, 0).line == 1);
    CHECK(sources.location(empty, 7).column == 1);
}

TEST_CASE("a line comes without its end, and one that does not exist is empty")
{
    Sources sources;
    const FileId file = sources.add("a", "one\r\ntwo\n\nfour");
    CHECK(sources.line(file, 1) == "one");
    CHECK(sources.line(file, 2) == "two");
    CHECK(sources.line(file, 3) == "");
    CHECK(sources.line(file, 4) == "four");
    CHECK(sources.line(file, 5) == "");
    CHECK(sources.line(file, 0) == "");
}

TEST_CASE("the text of a span, and spans joined")
{
    Sources sources;
    const FileId file = sources.add("a", "match udp");
    const Span first{file, 0, 5};
    const Span second{file, 6, 9};
    CHECK(sources.text(second) == "udp");
    CHECK(sources.text(join(first, second)) == "match udp");
    CHECK_FALSE(Span{}.valid());
}
