#include "compiler/base/diagnostic.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace xdpf;

TEST_CASE("every kind has a name, a text and a severity of its own line")
{
    std::set<std::string_view> names;
    for (std::size_t index = 0; index < kind_count(); ++index) {
        const auto kind = static_cast<Kind>(index);
        CHECK(names.insert(name_of(kind)).second);
        CHECK_FALSE(template_of(kind).empty());
    }
    CHECK(name_of(Kind::cannot_read) == "cannot_read");
    CHECK(severity_of(Kind::cannot_read) == Severity::error);
}

TEST_CASE("a report fills the template and counts errors")
{
    Diagnostics diagnostics;
    CHECK_FALSE(diagnostics.has_errors());
    diagnostics.report(Kind::import_missing, {}, "tunnel/vxlan").suggest("write it").note({}, "looked in stdlib");
    REQUIRE(diagnostics.all().size() == 1);
    const Diagnostic &only = diagnostics.all().front();
    CHECK(only.message == "cannot find 'tunnel/vxlan' to import");
    CHECK(only.help == "write it");
    CHECK(only.notes.at(0).text == "looked in stdlib");
    CHECK(diagnostics.errors() == 1);
    CHECK(diagnostics.has_errors());
}

TEST_CASE("braces in an argument stay as they are")
{
    Diagnostics diagnostics;
    diagnostics.report(Kind::syntax, {}, "'{' or '{}'");
    CHECK(diagnostics.all().front().message == "expected '{' or '{}'");
}

TEST_CASE("the nearest name, and none when nothing is near")
{
    const std::vector<std::string> names{"sport", "dport", "length", "checksum"};
    CHECK(nearest("dprt", names) == "dport");
    CHECK(nearest("chekcsum", names) == "checksum");
    CHECK(nearest("frobnicate", names) == "");
    CHECK(nearest("x", {}) == "");
    CHECK(did_you_mean("dprt", names) == "did you mean 'dport'?");
    CHECK(did_you_mean("frobnicate", names) == "one of: sport, dport, length, checksum");
    CHECK(did_you_mean("x", {}) == "");
}
