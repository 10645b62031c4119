// A file is a list of declarations; parse_declarations.cpp and its neighbours hold the rules of xdpf.ebnf. One public
// function: parse().
#include "grammar/parse.hpp"

#include "grammar/rules.hpp"

#include <cassert>

namespace xdpf {
namespace syntax {
namespace {

constexpr Part<ast::Decl, read_declaration> declaration{};
const x3::rule<struct file_id> file = "file";

constexpr auto append_declaration = [](auto &ctx) {
    ast::Decl &decl = x3::_attr(ctx);
    if (!decl.span.valid())
        return;
    if (auto *it = std::get_if<ast::Import>(&decl.node))
        it->span = decl.span;
    if (auto *it = std::get_if<ast::Test>(&decl.node))
        it->span = decl.span;
    state_of(ctx).file.decls.push_back(std::move(decl));
};

const auto file_def = *each_declaration[declaration][append_declaration];

BOOST_SPIRIT_DEFINE(file)

} // namespace
} // namespace syntax

namespace {

bool is_text(const Sources &sources, FileId file, Diagnostics &diagnostics)
{
    const auto text = sources.text(file);
    const auto at = [&](std::size_t offset) {
        return Span{file, static_cast<std::uint32_t>(offset), static_cast<std::uint32_t>(offset + 1)};
    };
    if (text.size() > max_source_bytes) {
        diagnostics.report(Kind::file_too_large, Span{}, sources.name(file),
                           fmt::format("more than {}", max_source_bytes), max_source_bytes);
        return false;
    }
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        diagnostics.report(Kind::nul_byte, at(nul));
        return false;
    }
    if (const auto bad = lexis::find_invalid_utf8(text)) {
        diagnostics.report(Kind::invalid_utf8, at(*bad));
        return false;
    }
    return true;
}

} // namespace

std::optional<ast::File> parse(const Sources &sources, FileId file, Diagnostics &diagnostics)
{
    if (!is_text(sources, file, diagnostics))
        return std::nullopt;
    constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
    ast::File result;
    result.file = file;
    ParseState state(sources, result, diagnostics);
    const char *first = state.begin();
    if (sources.text(file).starts_with(byte_order_mark))
        first += byte_order_mark.size();
    try {
        syntax::run(syntax::file, first, state.end(), state, syntax::x3::unused);
    } catch (const syntax::x3::expectation_failure<const char *> &) {
        assert(state.stopped());
    }
    return result;
}

} // namespace xdpf
