#include "runtime/cli/lsp_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <filesystem>

namespace xdpf::cli {
namespace {

constexpr std::string_view file_scheme = "file://";

// The code units that a character takes which begins with this byte; a byte within one takes none.
std::uint32_t units(char lead, LspEncoding encoding)
{
    const auto byte = static_cast<unsigned char>(lead);
    if (encoding == LspEncoding::utf8)
        return 1;
    return (byte & 0xc0) == 0x80 ? 0 : byte >= 0xf0 ? 2 : 1;
}

bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-._~/").find(c) != std::string_view::npos;
}

} // namespace

LspPosition lsp_position(const Sources &sources, FileId file, std::uint32_t offset, LspEncoding encoding)
{
    const auto line = sources.location(file, offset).line;
    const auto text = sources.text(file);
    const auto begin = static_cast<std::size_t>(sources.line(file, line).data() - text.data());
    LspPosition out{.line = line - 1};
    for (std::size_t i = begin; i < std::min<std::size_t>(offset, text.size()); ++i)
        out.character += units(text[i], encoding);
    return out;
}

std::uint32_t lsp_offset(std::string_view text, LspPosition position, LspEncoding encoding)
{
    std::size_t at = 0;
    for (; position.line > 0; --position.line) {
        const auto end = text.find('\n', at);
        if (end == std::string_view::npos)
            return static_cast<std::uint32_t>(text.size());
        at = end + 1;
    }
    for (std::uint32_t passed = 0; at < text.size() && text[at] != '\n'; ++at) {
        const auto more = units(text[at], encoding);
        if (more != 0 && passed >= position.character)
            break;
        passed += more;
    }
    return static_cast<std::uint32_t>(at);
}

std::optional<std::string> path_of_uri(std::string_view uri)
{
    if (!uri.starts_with(file_scheme))
        return std::nullopt;
    uri.remove_prefix(file_scheme.size());
    uri = uri.substr(std::min(uri.find('/'), uri.size())); // behind a host's name
    std::string path;
    for (std::size_t i = 0; i < uri.size(); ++i) {
        unsigned value = 0;
        const char *digits = uri.data() + i + 1;
        if (uri[i] == '%' && i + 2 < uri.size() && std::from_chars(digits, digits + 2, value, 16).ptr == digits + 2) {
            path += static_cast<char>(value);
            i += 2;
        } else {
            path += uri[i];
        }
    }
    return std::filesystem::path(path).lexically_normal().string();
}

std::string uri_of_path(std::string_view path)
{
    std::string out(file_scheme);
    std::error_code error;
    const auto whole = std::filesystem::absolute(path, error).lexically_normal().string();
    for (const char c : whole)
        out += is_plain(c) ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
    return out;
}

} // namespace xdpf::cli
