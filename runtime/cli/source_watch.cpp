#include "runtime/cli/source_watch.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <sys/inotify.h>

namespace xdpf::cli {

runtime::Result<SourceWatch> SourceWatch::open()
{
    SourceWatch watch;
    watch.fd_ = runtime::Fd(inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    if (!watch.fd_)
        return std::unexpected(runtime::system_error("cannot watch the source", "inotify_init1", errno));
    return watch;
}

runtime::Result<void> SourceWatch::set(const Sources &sources)
{
    std::map<int, std::set<std::string>> names;
    for (std::size_t i = 0; i < sources.size(); ++i) {
        const std::filesystem::path path(sources.name(FileId(i)));
        std::error_code failed;
        if (!std::filesystem::is_regular_file(path, failed))
            continue;
        const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
        const int watch = inotify_add_watch(fd_.get(), folder.c_str(), IN_CLOSE_WRITE | IN_MOVED_TO);
        if (watch < 0)
            return std::unexpected(
                runtime::system_error(fmt::format("cannot watch '{}'", folder.string()), "inotify_add_watch", errno));
        names[watch].insert(path.filename());
    }
    names_ = std::move(names);
    return {};
}

bool SourceWatch::changed()
{
    bool changed = false;
    alignas(inotify_event) std::array<char, 4096> buffer;
    ssize_t got = 0;
    while ((got = read(fd_.get(), buffer.data(), buffer.size())) > 0)
        for (ssize_t at = 0; at < got;) {
            const auto &event = *reinterpret_cast<const inotify_event *>(buffer.data() + at);
            const auto files = names_.find(event.wd);
            changed = changed || (event.len != 0 && files != names_.end() && files->second.contains(event.name));
            at += static_cast<ssize_t>(sizeof event) + event.len;
        }
    return changed;
}

} // namespace xdpf::cli
