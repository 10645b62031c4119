// Reads a source and everything it imports, parsed, in an order in which nothing comes before what it imports.
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "grammar/ast.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace xdpf::sema {

constexpr std::string_view stdlib_prefix = "<stdlib>/"; // of the paths of the standard library's modules

struct Module {
    ast::File ast;
    bool is_main = false;
};

struct Modules {
    std::string name;                           // of the main source: the file's name without folder and ending
    std::vector<std::unique_ptr<Module>> files; // the main source comes last
    struct Import {
        Span path; // as it was written
        FileId file;
    };
    std::vector<Import> imports; // of all files, those that were found
};

// A text as the main source. `path` names it in messages; imports are looked up beside it, then in the standard
// library.
[[nodiscard]] Modules load_text(std::string path, std::string text, Sources &sources, Diagnostics &diagnostics,
                                const Overlay &overlay = {});

// A file as the main source. Unreadable or too large: a diagnostic, and no files.
[[nodiscard]] Modules load_file(const std::filesystem::path &path, Sources &sources, Diagnostics &diagnostics);

// The module of the standard library that declares a header or a union of this name; empty: none does.
[[nodiscard]] std::string stdlib_module_of(std::string_view name);

} // namespace xdpf::sema
