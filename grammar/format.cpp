#include "grammar/format.hpp"

#include "grammar/dump.hpp"
#include "grammar/format_document.hpp"
#include "grammar/parse.hpp"

namespace xdpf {
namespace {

// Text inside `asm { … }` may be indented anew: the same words in the same lines are the same.
std::string without_indents(std::string_view text)
{
    std::string out;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        const auto line = text.substr(begin, end - begin);
        const auto first = line.find_first_not_of(" \t\v\f\r");
        if (first != std::string_view::npos)
            out.append(line.substr(first, line.find_last_not_of(" \t\v\f\r") + 1 - first)) += '\n';
        begin = end + 1;
    }
    return out;
}

std::string meaning(ast::File file)
{
    for (auto &action : file.actions)
        if (auto *assembly = std::get_if<ast::Asm>(&action.node))
            assembly->text = without_indents(assembly->text);
    return dump(file);
}

} // namespace

std::string lay_out(std::string_view text) { return format::Document(format::tokenize(text)).text(); }

std::expected<std::string, FormatError> format_file(const Sources &sources, FileId file, Diagnostics &diagnostics)
{
    auto before = parse(sources, file, diagnostics);
    if (!before || diagnostics.has_errors())
        return std::unexpected(FormatError::syntax);
    const std::string expected = meaning(*std::move(before));
    auto out = lay_out(sources.text(file));

    Sources again;
    Diagnostics ignored;
    const auto id = again.add(std::string(sources.name(file)), out);
    auto after = parse(again, id, ignored);
    if (!after || ignored.has_errors() || meaning(*std::move(after)) != expected)
        return std::unexpected(FormatError::changed);
    return out;
}

} // namespace xdpf
