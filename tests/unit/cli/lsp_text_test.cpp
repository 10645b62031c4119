#include "runtime/cli/lsp_text.hpp"

#include <doctest/doctest.h>

using namespace xdpf;
using namespace xdpf::cli;

TEST_CASE("places count UTF-16 code units, or bytes")
{
    const std::string text = "a\n\u00e9\U0001d11ex\r\ny";
    Sources sources;
    const FileId file = sources.add("a", text);
    const auto at = static_cast<std::uint32_t>(text.find('x'));
    const auto utf16 = lsp_position(sources, file, at, LspEncoding::utf16);
    CHECK(utf16.line == 1);
    CHECK(utf16.character == 3);
    CHECK(lsp_position(sources, file, at, LspEncoding::utf8).character == 6);
    CHECK(lsp_offset(text, {1, 3}, LspEncoding::utf16) == at);
    CHECK(lsp_offset(text, {1, 6}, LspEncoding::utf8) == at);
    CHECK(lsp_offset(text, {1, 0}, LspEncoding::utf16) == 2);
    CHECK(lsp_offset(text, {0, 100}, LspEncoding::utf16) == 1);
    CHECK(lsp_offset(text, {100, 0}, LspEncoding::utf16) == text.size());
    CHECK(lsp_offset("", {0, 0}, LspEncoding::utf16) == 0);
}

TEST_CASE("paths and URIs")
{
    CHECK(path_of_uri("file:///a/b%20c/%C3%A4.xdpf") == "/a/b c/\u00e4.xdpf");
    CHECK(path_of_uri("file://host/a") == "/a");
    CHECK(path_of_uri("file:///a/../b") == "/b");
    CHECK(path_of_uri("file:///100%") == "/100%");
    CHECK(!path_of_uri("untitled:1"));
    CHECK(uri_of_path("/a b/\u00e4#?.xdpf") == "file:///a%20b/%C3%A4%23%3F.xdpf");
}
