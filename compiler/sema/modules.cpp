#include "compiler/sema/modules.hpp"

#include "grammar/parse.hpp"
#include "stdlib/stdlib.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <ranges>
#include <sstream>

namespace xdpf::sema {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prelude = "prelude";

constexpr std::size_t most_open = 256; // modules that import each other in a row

struct Text {
    std::string path; // as messages name it
    std::string text;
};

// One for all spellings of a path: finds modules that were read before.
std::string identity(const std::string &path)
{
    std::error_code error;
    const bool file = !path.starts_with(stdlib_prefix) && fs::exists(path, error);
    const auto canonical = file ? fs::weakly_canonical(path, error) : fs::path(path);
    return error ? path : canonical.string();
}

// Of the standard library, where a declaration begins its line.
std::map<std::string_view, std::string_view> modules_by_header()
{
    std::map<std::string_view, std::string_view> out;
    for (const stdlib::Module &module : stdlib::modules())
        for (const auto &part : std::views::split(module.text, '\n')) {
            const std::string_view line(part);
            for (const std::string_view form : {"header ", "union "})
                if (line.starts_with(form))
                    out.emplace(line.substr(form.size(), line.find(' ', form.size()) - form.size()), module.name);
        }
    return out;
}

const stdlib::Module *stdlib_module(std::string_view name)
{
    const auto all = stdlib::modules();
    const auto found = std::ranges::find(all, name, &stdlib::Module::name);
    return found == all.end() ? nullptr : &*found;
}

// The library is part of the compiler, so what a module of it is parsed into depends only on the number that the file
// gets, which is nearly always the same. A process parses each once.
std::optional<ast::File> parse_library(const Sources &sources, FileId id, Diagnostics &diagnostics)
{
    constexpr std::size_t most = 128;
    static std::mutex mutex;
    static std::map<std::pair<std::string, FileId>, std::shared_ptr<const ast::File>> parsed;
    const std::pair key{std::string(sources.name(id)), id};
    {
        const std::lock_guard lock(mutex);
        if (const auto found = parsed.find(key); found != parsed.end())
            return *found->second;
    }
    auto ast = parse(sources, id, diagnostics);
    if (ast) {
        auto kept = std::make_shared<const ast::File>(*ast);
        const std::lock_guard lock(mutex);
        if (parsed.size() < most)
            parsed.emplace(key, std::move(kept));
    }
    return ast;
}

class Loader {
public:
    Loader(Sources &sources, Diagnostics &diagnostics, Overlay overlay = {})
        : sources_(sources), diagnostics_(diagnostics), overlay_(std::move(overlay))
    {
    }

    void load(Text source, bool is_main)
    {
        const std::string path = source.path;
        const std::string key = identity(path);
        open_.push_back({key, path});
        const FileId id = sources_.add(source.path, std::move(source.text));
        state_[key] = {State::open, id};
        const bool library = !is_main && path.starts_with(stdlib_prefix);
        auto ast = library ? parse_library(sources_, id, diagnostics_) : parse(sources_, id, diagnostics_);
        if (is_main)
            import_prelude();
        if (ast) {
            for (const auto &decl : ast->decls)
                if (const auto *import = std::get_if<ast::Import>(&decl.node))
                    follow(*import, path);
            modules.files.push_back(std::make_unique<Module>(Module{std::move(*ast), is_main}));
        }
        state_[key].state = State::done;
        open_.pop_back();
    }

    std::optional<Text> read(const fs::path &path, Span span)
    {
        std::error_code error;
        if (const auto type = fs::status(path, error).type();
            type == fs::file_type::fifo || type == fs::file_type::character)
            return read_stream(path, span);
        const auto size = fs::file_size(path, error);
        if (error) {
            diagnostics_.report(Kind::cannot_read, span, path.string(), error.message());
            return std::nullopt;
        }
        if (size > max_source_bytes) {
            diagnostics_.report(Kind::file_too_large, span, path.string(), size, max_source_bytes);
            return std::nullopt;
        }
        std::ifstream in(path, std::ios::binary);
        std::string text(size, '\0');
        if (!in || !in.read(text.data(), static_cast<std::streamsize>(size))) {
            diagnostics_.report(Kind::cannot_read, span, path.string(), std::strerror(errno));
            return std::nullopt;
        }
        return Text{path.lexically_normal().string(), std::move(text)};
    }

    // A module "a/b" of the standard library is another "a", where there is one, and stands in its place.
    void drop_replaced()
    {
        const auto path = [&](const auto &module) { return std::string_view(sources_.name(module->ast.file)); };
        std::vector<std::string> replaced;
        for (const auto &module : modules.files)
            if (const auto name = path(module); name.starts_with(stdlib_prefix))
                replaced.emplace_back(name.substr(0, name.rfind('/')));
        std::erase_if(modules.files,
                      [&](const auto &module) { return std::ranges::find(replaced, path(module)) != replaced.end(); });
    }

    Modules modules;

private:
    // A pipe, as in `xdpf check <(…)`, or a device: how much it holds shows when it ends.
    std::optional<Text> read_stream(const fs::path &path, Span span)
    {
        std::ifstream in(path, std::ios::binary);
        std::string text(max_source_bytes + 1, '\0');
        if (in)
            in.read(text.data(), static_cast<std::streamsize>(text.size()));
        if (!in.eof() && in.gcount() == 0) {
            diagnostics_.report(Kind::cannot_read, span, path.string(), std::strerror(errno));
            return std::nullopt;
        }
        text.resize(static_cast<std::size_t>(in.gcount()));
        if (text.size() > max_source_bytes) {
            diagnostics_.report(Kind::file_too_large, span, path.string(),
                                fmt::format("more than {}", max_source_bytes), max_source_bytes);
            return std::nullopt;
        }
        return Text{path.lexically_normal().string(), std::move(text)};
    }

    enum class State : std::uint8_t { open, done };
    struct Known {
        State state{};
        FileId file;
    };
    struct Open {
        std::string id;
        std::string path;
    };

    void import_prelude()
    {
        const auto *module = stdlib_module(prelude);
        load({std::string(stdlib_prefix) + std::string(prelude), std::string(module->text)}, false);
    }

    void follow(const ast::Import &import, const std::string &from)
    {
        const auto source = find(import, from);
        if (!source)
            return;
        const auto key = identity(source->path);
        const auto known = state_.find(key);
        if (known != state_.end() && known->second.state == State::open)
            report_cycle(import, known->first);
        else if (known == state_.end() && open_.size() >= most_open)
            diagnostics_.report(Kind::nesting_too_deep, import.path_span, most_open)
                .suggest("modules that import each other in a row: fewer of them");
        else if (known == state_.end())
            load(*source, false);
        if (const auto loaded = state_.find(key); loaded != state_.end())
            modules.imports.push_back({import.path_span, loaded->second.file});
    }

    std::optional<Text> find(const ast::Import &import, const std::string &from)
    {
        std::vector<std::string> looked;
        const auto *module = stdlib_module(import.path);
        if (!from.starts_with(stdlib_prefix)) {
            fs::path path = fs::path(from).parent_path() / import.path;
            if (path.extension() != ".xdpf")
                path += ".xdpf";
            std::error_code error;
            // A file dns.xdpf that imports "dns" wants the standard library's.
            const bool itself = module != nullptr && identity(path.string()) == identity(from);
            if (auto unsaved = itself || !overlay_ ? std::nullopt : overlay_(path.lexically_normal().string()))
                return Text{path.lexically_normal().string(), std::move(*unsaved)};
            if (!itself && fs::exists(path, error))
                return read(path, import.path_span);
            looked.push_back(fmt::format("'{}'", path.lexically_normal().string()));
        }
        if (module != nullptr)
            return Text{std::string(stdlib_prefix) + import.path, std::string(module->text)};
        looked.emplace_back("the standard library");
        std::vector<std::string> names;
        for (const auto &known : stdlib::modules())
            names.emplace_back(known.name);
        const auto near = nearest(import.path, names);
        auto &report = diagnostics_.report(Kind::import_missing, import.path_span, import.path);
        report.suggest(near.empty() ? fmt::format("looked in {}", fmt::join(looked, " and "))
                                    : fmt::format("did you mean '{}'?", near));
        if (!near.empty())
            report.fix = Fix{fmt::format("\"{}\"", import.path), fmt::format("\"{}\"", near)};
        return std::nullopt;
    }

    void report_cycle(const ast::Import &import, const std::string &id)
    {
        const auto start = std::ranges::find(open_, id, &Open::id);
        std::vector<std::string> way;
        std::transform(std::next(start), open_.end(), std::back_inserter(way),
                       [](const Open &open) { return fmt::format("'{}'", open.path); });
        diagnostics_
            .report(Kind::import_cycle, import.path_span, start->path,
                    way.empty() ? "" : fmt::format(", by way of {}", fmt::join(way, " and ")))
            .suggest("move what both need into a file of its own");
    }

    Sources &sources_;
    Diagnostics &diagnostics_;
    Overlay overlay_;
    std::map<std::string, Known> state_;
    std::vector<Open> open_;
};

Modules load(Text source, Loader &loader)
{
    const auto name = fs::path(source.path).stem().string();
    loader.load(std::move(source), true);
    loader.drop_replaced();
    loader.modules.name = name;
    return std::move(loader.modules);
}

} // namespace

Modules load_text(std::string path, std::string text, Sources &sources, Diagnostics &diagnostics,
                  const Overlay &overlay)
{
    Loader loader(sources, diagnostics, overlay);
    if (text.size() > max_source_bytes) {
        diagnostics.report(Kind::file_too_large, {}, path, fmt::format("more than {}", max_source_bytes),
                           max_source_bytes);
        return {};
    }
    return load({std::move(path), std::move(text)}, loader);
}

Modules load_file(const fs::path &path, Sources &sources, Diagnostics &diagnostics)
{
    Loader loader(sources, diagnostics);
    auto text = loader.read(path, {});
    if (!text)
        return {};
    return load(std::move(*text), loader);
}

std::string stdlib_module_of(std::string_view name)
{
    static const std::map<std::string_view, std::string_view> declared = modules_by_header();
    const auto found = declared.find(name);
    return found == declared.end() ? std::string() : std::string(found->second);
}

} // namespace xdpf::sema
