// Source files and places in them. A span is two byte offsets into one file; lines and columns are computed when asked.
#pragma once

#include "compiler/base/id.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf {

using FileId = Id<struct FileTag>;

// Bytes [begin, end) of a file. A default-made span stands for "no place", e.g. for a file that cannot be read.
struct Span {
    FileId file;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;

    [[nodiscard]] bool valid() const { return file.valid(); }
    bool operator==(const Span &) const = default;
};

// From the beginning of the first to the end of the second.
inline Span join(Span first, Span last) { return {first.file, first.begin, last.end}; }

// A place as people count: line and column from 1, columns in characters (UTF-8 code points).
struct Location {
    std::uint32_t line = 1;
    std::uint32_t column = 1;
};

// Owns the text of every file of a compilation. Ids and views stay valid as long as it lives.
class Sources {
public:
    // Takes a text in; `name` is what messages call it.
    FileId add(std::string name, std::string text);

    [[nodiscard]] std::string_view name(FileId file) const;
    [[nodiscard]] std::string_view text(FileId file) const;
    [[nodiscard]] std::string_view text(Span span) const;
    // The first byte's place. Past the end: the place behind the last character.
    [[nodiscard]] Location location(FileId file, std::uint32_t offset) const;
    [[nodiscard]] Location location(Span span) const { return location(span.file, span.begin); } // of a valid one
    // A line without its line end. Lines count from 1; one that does not exist is empty.
    [[nodiscard]] std::string_view line(FileId file, std::uint32_t number) const;
    [[nodiscard]] std::size_t size() const { return files_.size(); }

private:
    struct File {
        std::string name;
        std::string text;
        std::vector<std::uint32_t> line_starts;
    };
    IdVector<FileId, File> files_;
};

// The text of a file that is not to be read from disk, by its path: what an editor has not saved. Nothing: it is read.
using Overlay = std::function<std::optional<std::string>(const std::string &path)>;

} // namespace xdpf
