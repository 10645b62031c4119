#include "runtime/running.hpp"

#include "runtime/library_log.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cerrno>
#include <utility>

namespace xdpf::runtime {
namespace {

Error no_map(const Registered &entry, std::size_t map, int code)
{
    Error error = system_error(fmt::format("cannot open map '{}' of '{}'", entry.image.maps[map].name, entry.program()),
                               "bpf(BPF_MAP_GET_FD_BY_ID)", code);
    if (code == ENOENT) {
        error.cause = "the program ended a moment ago";
        error.remedy = "xdpf status";
    }
    return error;
}

} // namespace

Result<Running> Running::open(Registered entry)
{
    const LibraryLog quiet;
    Running out;
    out.opened_ = std::make_unique<Opened>();
    for (std::size_t i = 0; i < entry.maps.size(); ++i) {
        Fd &map = out.opened_->maps.emplace_back();
        if (entry.maps[i] == 0)
            continue;
        map = Fd(bpf_map_get_fd_by_id(entry.maps[i]));
        if (!map)
            return std::unexpected(no_map(entry, i, errno));
    }
    out.opened_->entry = std::move(entry);
    return out;
}

ProgramMaps Running::maps() const
{
    return {opened_->entry.image, opened_->entry.loaded,
            [this_ = opened_.get()](MapId map) { return this_->maps[map.value].get(); }};
}

} // namespace xdpf::runtime
