#include "compiler/base/table_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

namespace xdpf {
namespace {

constexpr std::uintmax_t most_contents = std::uintmax_t(64) << 20; // bytes
constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

// The first of `wanted` that stands in no quotes, or the end.
std::size_t find_outside(std::string_view text, char wanted, std::size_t from)
{
    bool quoted = false;
    for (std::size_t i = from; i < text.size(); ++i) {
        quoted = quoted != (text[i] == '"');
        if (text[i] == wanted && !quoted)
            return i;
    }
    return text.size();
}

} // namespace

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(" \t\r");
    const auto last = text.find_last_not_of(" \t\r");
    return first == std::string_view::npos ? std::string_view() : text.substr(first, last + 1 - first);
}

std::string_view unquoted(std::string_view word)
{
    return word.size() >= 2 && word.front() == '"' && word.back() == '"' ? word.substr(1, word.size() - 2) : word;
}

// What stands between commas, without the blanks around it.
std::vector<std::string_view> words_of(std::string_view line)
{
    std::vector<std::string_view> out;
    for (std::size_t begin = 0; begin <= line.size();) {
        const auto end = find_outside(line, ',', begin);
        const auto word = trimmed(line.substr(begin, end - begin));
        out.push_back(word.empty() ? line.substr(begin, 0) : word);
        begin = end + 1;
    }
    return out;
}

// The file's text, or why it cannot be had.
std::expected<std::string, std::string> text_of(const std::filesystem::path &path)
{
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status))
        return std::unexpected("it is no regular file");
    const auto size = std::filesystem::file_size(path, error);
    if (error)
        return std::unexpected(error.message());
    if (size > most_contents)
        return std::unexpected("it has more than 64 MiB");
    std::ifstream in(path, std::ios::binary);
    if (!in)
        return std::unexpected(std::strerror(errno));
    std::string bytes(size, '\0');
    in.read(bytes.data(), static_cast<std::streamsize>(size));
    return bytes;
}

// Those with an entry, without comments.
std::vector<Line> lines_of(std::string_view text)
{
    std::vector<Line> out;
    for (std::size_t begin = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0; begin < text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        const auto whole = text.substr(begin, end - begin);
        const auto line = whole.substr(0, find_outside(whole, '#', 0));
        if (!trimmed(line).empty())
            out.push_back({static_cast<std::uint32_t>(begin), line});
        begin = end + 1;
    }
    return out;
}

} // namespace xdpf
