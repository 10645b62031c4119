// Parsing a string and asking about what came out.
#pragma once

#include "grammar/dump.hpp"
#include "grammar/parse.hpp"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct Parsed {
    xdpf::Sources sources;
    xdpf::Diagnostics diagnostics;
    xdpf::FileId id;
    std::optional<xdpf::ast::File> file;

    explicit Parsed(std::string_view text) : id(sources.add("test.xdpf", std::string(text)))
    {
        file = xdpf::parse(sources, id, diagnostics);
    }

    [[nodiscard]] bool clean() const { return file && diagnostics.all().empty(); }
    [[nodiscard]] std::string dump() const { return file ? xdpf::dump(*file) : "nothing"; }

    // "1:7 'dorp': expected an action; did you mean 'drop'?", a line each
    [[nodiscard]] std::string messages() const
    {
        std::string out;
        for (const auto &one : diagnostics.all()) {
            const auto at = one.span.valid() ? sources.location(id, one.span.begin) : xdpf::Location{0, 0};
            out += fmt::format("{}:{} '{}': {}", at.line, at.column, sources.text(one.span), one.message);
            if (!one.help.empty())
                out += "; " + one.help;
            out += '\n';
        }
        return out;
    }
};

// The dump of `const x = TEXT`, without its head; or the messages.
inline std::string expression(std::string_view text)
{
    const Parsed parsed("const x = " + std::string(text));
    constexpr std::string_view head = "const x = ";
    auto out = parsed.clean() ? parsed.dump() : parsed.messages();
    if (parsed.clean())
        out = out.substr(head.size(), out.size() - head.size() - 1);
    return out;
}
