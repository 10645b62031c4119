#include "runtime/cli/lsp_documents.hpp"

#include <algorithm>
#include <filesystem>

namespace xdpf::cli {

void LspDocuments::open(const std::string &uri, std::string text, std::optional<std::int64_t> version)
{
    all_.insert_or_assign(uri, LspDocument{.uri = uri,
                                           .path = path_of_uri(uri).value_or("untitled.xdpf"),
                                           .text = std::move(text),
                                           .version = version});
    changed();
}

void LspDocuments::close(const std::string &uri)
{
    all_.erase(uri);
    changed();
}

LspDocument *LspDocuments::find(const std::string &uri)
{
    const auto found = all_.find(uri);
    return found == all_.end() ? nullptr : &found->second;
}

LspDocument *LspDocuments::next_untold()
{
    const auto found = std::ranges::find_if(all_, [](const auto &one) { return !one.second.told; });
    return found == all_.end() ? nullptr : &found->second;
}

void LspDocuments::changed()
{
    for (auto &[uri, document] : all_) {
        document.compilation.reset();
        document.told = false;
    }
}

const LspDocument *LspDocuments::with_path(const std::string &path) const
{
    std::error_code error;
    const auto whole = std::filesystem::weakly_canonical(path, error).string();
    const auto found = std::ranges::find_if(all_, [&](const auto &one) {
        return one.second.path == path || std::filesystem::weakly_canonical(one.second.path, error).string() == whole;
    });
    return found == all_.end() ? nullptr : &found->second;
}

const Compilation &LspDocuments::compiled(LspDocument &document) const
{
    if (!document.compilation) {
        const auto unsaved = [this](const std::string &path) {
            const auto *known = with_path(path);
            return known == nullptr ? std::nullopt : std::optional(known->text);
        };
        document.compilation.emplace(compile(document.text, document.path, {.overlay = unsaved}));
    }
    return *document.compilation;
}

std::string LspDocuments::uri_of(const LspDocument &document, const Compilation &compilation, FileId file) const
{
    const std::string path(compilation.sources().name(file));
    if (path == document.path)
        return document.uri;
    const auto *known = with_path(path);
    return known == nullptr ? uri_of_path(path) : known->uri;
}

} // namespace xdpf::cli
