#include "compiler/report.hpp"

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

using namespace xdpf;
using nlohmann::json;

TEST_CASE("an empty list is an empty array") { CHECK(to_json({}, {}) == "[]\n"); }

TEST_CASE("a diagnostic as an object")
{
    Sources sources;
    Diagnostics diagnostics;
    const FileId file = sources.add("a.xdpf", "match ü {\n}\n");
    diagnostics.report(Kind::syntax, {file, 6, 12}, "'\"'").suggest("write it").note({file, 0, 5}, "n").note({}, "m");
    diagnostics.report(Kind::cannot_read, {}, "b", "gone");
    const json all = json::parse(to_json(diagnostics, sources));
    REQUIRE(all.size() == 2);
    CHECK(all[0] == json{{"severity", "error"},
                         {"kind", "syntax"},
                         {"message", "expected '\"'"},
                         {"file", "a.xdpf"},
                         {"line", 1},
                         {"column", 7},
                         {"end_line", 2},
                         {"end_column", 2},
                         {"help", "write it"},
                         {"notes", json::array({{{"message", "n"},
                                                 {"file", "a.xdpf"},
                                                 {"line", 1},
                                                 {"column", 1},
                                                 {"end_line", 1},
                                                 {"end_column", 6}},
                                                {{"message", "m"},
                                                 {"file", nullptr},
                                                 {"line", nullptr},
                                                 {"column", nullptr},
                                                 {"end_line", nullptr},
                                                 {"end_column", nullptr}}})}});
    CHECK(all[1]["file"] == nullptr);
    CHECK(all[1]["help"] == nullptr);
    CHECK(all[1]["notes"].empty());
}

TEST_CASE("one object a line, keys in the documented order, whatever the bytes are")
{
    Sources sources;
    Diagnostics diagnostics;
    diagnostics.report(Kind::syntax, {sources.add("a\xff", "x\ny"), 50, 10}, "\xc3\n");
    diagnostics.report(Kind::syntax, {}, "z");
    const std::string text = to_json(diagnostics, sources);
    CHECK(std::count(text.begin(), text.end(), '\n') == 4);
    CHECK(text.starts_with("[\n{\"severity\":\"error\",\"kind\":\"syntax\",\"message\":\"expected "
                           "\ufffd\\n\",\"file\":\"a\ufffd\",\"line\":2,"));
}
