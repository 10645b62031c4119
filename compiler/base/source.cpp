#include "compiler/base/source.hpp"

#include <algorithm>

namespace xdpf {

FileId Sources::add(std::string name, std::string text)
{
    File file{std::move(name), std::move(text), {0}};
    for (std::size_t i = 0; i < file.text.size(); ++i)
        if (file.text[i] == '\n')
            file.line_starts.push_back(static_cast<std::uint32_t>(i + 1));
    return files_.add(std::move(file));
}

std::string_view Sources::name(FileId file) const { return files_[file].name; }

std::string_view Sources::text(FileId file) const { return files_[file].text; }

std::string_view Sources::text(Span span) const
{
    if (!span.valid())
        return {};
    return text(span.file).substr(span.begin, span.end - span.begin);
}

Location Sources::location(FileId id, std::uint32_t offset) const
{
    const File &file = files_[id];
    offset = std::min(offset, static_cast<std::uint32_t>(file.text.size()));
    const auto next = std::ranges::upper_bound(file.line_starts, offset);
    const auto start = *(next - 1);
    const auto continuation = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) == 0x80; };
    const auto before = std::string_view(file.text).substr(start, offset - start);
    const auto column = before.size() - static_cast<std::size_t>(std::ranges::count_if(before, continuation));
    return {static_cast<std::uint32_t>(next - file.line_starts.begin()), static_cast<std::uint32_t>(column + 1)};
}

std::string_view Sources::line(FileId id, std::uint32_t number) const
{
    const File &file = files_[id];
    if (number == 0 || number > file.line_starts.size())
        return {};
    const auto start = file.line_starts[number - 1];
    auto text = std::string_view(file.text).substr(start);
    text = text.substr(0, text.find('\n'));
    if (text.ends_with('\r'))
        text.remove_suffix(1);
    return text;
}

} // namespace xdpf
