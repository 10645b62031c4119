// What the server says of a document, in the protocol's JSON.
#pragma once

#include "compiler/query.hpp"
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/lsp_documents.hpp"

#include <cstdint>
#include <string>
#include <utility>

namespace xdpf::cli {

// What the client can do with it.
struct LspClient {
    LspEncoding encoding = LspEncoding::utf16;
    bool markdown = false;            // in hovers
    bool related_information = false; // in diagnostics
    bool symbol_tree = false;         // in textDocument/documentSymbol
};

class LspAnswers {
public:
    LspAnswers(const LspClient &client, const LspDocuments &documents, LspDocument &document)
        : client_(client), documents_(documents), document_(document), compilation_(documents.compiled(document))
    {
    }

    [[nodiscard]] Json diagnostics() const; // an array
    [[nodiscard]] Json hover(LspPosition at) const;
    [[nodiscard]] Json definition(LspPosition at) const;
    [[nodiscard]] Json completion(LspPosition at) const;
    [[nodiscard]] Json symbols() const;
    // Fixes for what is wrong between the two places.
    [[nodiscard]] Json code_actions(LspPosition begin, LspPosition end) const;
    [[nodiscard]] Json formatting() const; // edits

private:
    [[nodiscard]] std::uint32_t offset(LspPosition at) const;
    [[nodiscard]] Json range(Span span) const;
    [[nodiscard]] Json location(Span span) const;
    [[nodiscard]] bool is_here(Span span) const; // in the document itself
    [[nodiscard]] Json as_json(const Diagnostic &diagnostic) const;
    [[nodiscard]] Json as_json(const query::Declared &declared) const;
    void add_flat(const query::Declared &declared, Json &out) const;
    [[nodiscard]] Json fix_of(const Diagnostic &diagnostic) const; // a code action, or null
    [[nodiscard]] std::pair<std::uint32_t, std::string> import_edit(const std::string &text) const;

    const LspClient &client_;
    const LspDocuments &documents_;
    LspDocument &document_;
    const Compilation &compilation_;
};

} // namespace xdpf::cli
