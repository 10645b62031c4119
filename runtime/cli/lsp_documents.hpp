// The sources that an editor has open, and what the compiler has to say about each.
#pragma once

#include "compiler/compile.hpp"
#include "runtime/cli/lsp_text.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>

namespace xdpf::cli {

struct LspDocument {
    std::string uri;
    std::string path; // of the file; of an unsaved one a name
    std::string text;
    std::optional<std::int64_t> version;
    std::optional<Compilation> compilation{}; // of the text; nothing: it has changed
    bool told = false;                        // the diagnostics of this text have been published
};

class LspDocuments {
public:
    // Opening one again replaces its text.
    void open(const std::string &uri, std::string text, std::optional<std::int64_t> version);
    void close(const std::string &uri);
    [[nodiscard]] LspDocument *find(const std::string &uri);
    // An open document whose diagnostics are to be told, or none.
    [[nodiscard]] LspDocument *next_untold();
    // After a change, whatever may import it or read from a file is looked at anew.
    void changed();

    [[nodiscard]] const Compilation &compiled(LspDocument &document) const;
    // The file of a compilation as editors name it.
    [[nodiscard]] std::string uri_of(const LspDocument &document, const Compilation &compilation, FileId file) const;

private:
    [[nodiscard]] const LspDocument *with_path(const std::string &path) const;

    std::map<std::string, LspDocument> all_; // by URI
};

} // namespace xdpf::cli
