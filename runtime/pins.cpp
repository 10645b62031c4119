#include "runtime/pins.hpp"

#include "runtime/fd.hpp"
#include "runtime/loader.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/magic.h>

#include <sys/vfs.h>
#include <unistd.h>

namespace xdpf::runtime {
namespace {

// The kernel makes devmaps read-only for programs by itself (kernel/bpf/devmap.c), and takes that flag from nobody.
// libbpf compares flags before it takes a pinned map over.
void expect_kernels_flags(bpf_map *map, const std::string &path)
{
    const Fd pin(bpf_obj_get(path.c_str()));
    bpf_map_info info{};
    std::uint32_t size = sizeof info;
    if (pin && bpf_obj_get_info_by_fd(pin.get(), &info, &size) == 0)
        (void)bpf_map__set_map_flags(map, bpf_map__map_flags(map) | (info.map_flags & BPF_F_RDONLY_PROG));
}

} // namespace

bool has_bpffs()
{
    struct statfs about {};
    return statfs("/sys/fs/bpf", &about) == 0 && about.f_type == BPF_FS_MAGIC;
}

void explain_missing_bpffs(Error &error)
{
    error.cause = "what is pinned outlives its process as a file of that file system; ip netns exec hides it";
    error.remedy = "mount -t bpf bpf /sys/fs/bpf";
}

Result<void> Loader::prepare_pins()
{
    for (std::size_t i = 0; i < image_.maps.size(); ++i) {
        const MapSpec &spec = image_.maps[i];
        if (options_.isolated && place_at(spec.kind))
            loaded_.kept_.emplace_back(i);
        if (!spec.pinned)
            continue;
        if (Result<void> pin = prepare_pin(MapId(i)); !pin)
            return pin;
    }
    return {};
}

Result<void> Loader::prepare_pin(MapId id)
{
    const MapSpec &spec = image_.maps[id.value];
    bpf_map *map = loaded_.map_handle(id);
    if (options_.isolated) {
        (void)bpf_map__set_pin_path(map, nullptr);
        return {};
    }
    if (!has_bpffs()) {
        Error error = failed(fmt::format("map '{}' is pinned, and there is no bpffs at /sys/fs/bpf", spec.name));
        explain_missing_bpffs(error);
        return std::unexpected(std::move(error));
    }
    const std::string path = fmt::format("{}/{}", pin_folder, spec.name);
    if (eaccess(path.c_str(), F_OK) != 0)
        return {};
    loaded_.kept_.push_back(id); // it holds what earlier runs left
    if (place_at(spec.kind) == ProgramImage::Place::devmap)
        expect_kernels_flags(map, path);
    return {};
}

Result<void> Loader::prepare_reused()
{
    for (const auto &[name, fd] : options_.reuse_maps) {
        const auto map = loaded_.map_named(name);
        if (!map)
            return std::unexpected(failed(fmt::format("there is no map '{}' to be taken over", name)));
        if (const int result = bpf_map__reuse_fd(loaded_.map_handle(*map), fd); result < 0)
            return std::unexpected(
                system_error(fmt::format("cannot take over map '{}'", name), "bpf_map__reuse_fd", -result));
        loaded_.kept_.push_back(*map);
    }
    return {};
}

} // namespace xdpf::runtime
