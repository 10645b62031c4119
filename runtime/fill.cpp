// What maps hold from the beginning.
#include "runtime/maps.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <net/if.h>

namespace xdpf::runtime {
namespace {

bool has_targets(MapKind kind)
{
    return kind == MapKind::devmap || kind == MapKind::devmap_hash || kind == MapKind::cpumap;
}

// An interface of a map is named by what the kernel counts them by in this network namespace.
Result<std::uint32_t> index_of(const MapSpec &spec, const MapContent &content)
{
    const std::uint32_t index = if_nametoindex(content.interface.c_str());
    if (index != 0)
        return index;
    Error error = system_error(fmt::format("cannot fill map '{}'", spec.name), "if_nametoindex", errno);
    error.cause = fmt::format("its entry {} leads to '{}', and there is no interface of that name in this network "
                              "namespace",
                              key_text(spec, content.key), content.interface);
    error.remedy = "ip link show";
    return std::unexpected(std::move(error));
}

void explain(Error &error, const MapSpec &spec, const MapContent &content)
{
    error.stage = fmt::format("cannot fill map '{}'", spec.name);
    if (!content.key.empty())
        error.stage += fmt::format(" at {}", key_text(spec, content.key));
    if (spec.kind == MapKind::cpumap && error.code == ENODEV)
        error.cause = "there is no such processor";
    else if (spec.kind == MapKind::cpumap && error.code == EOVERFLOW)
        error.cause = "no more than 16384 packets can wait for a processor";
    else if (has_targets(spec.kind) && error.code == EINVAL)
        error.cause = "there is no such interface, or the program at the entry is not of its place or reads metadata";
}

} // namespace

Result<void> Loaded::fill_maps()
{
    if (image_.program_table.valid())
        for (const std::size_t program : chosen_) {
            if (image_.programs[program].place != this->program().place)
                continue;
            const auto slot = static_cast<std::uint32_t>(program);
            const int fd = bpf_program__fd(handle(program));
            const int result = bpf_map_update_elem(map_fd(image_.program_table), &slot, &fd, BPF_ANY);
            if (result < 0)
                return std::unexpected(
                    system_error(fmt::format("cannot let programs go on with '{}'", image_.programs[program].name),
                                 "bpf(BPF_MAP_UPDATE_ELEM)", -result));
        }
    for (std::size_t i = 0; i < image_.maps.size(); ++i) {
        const MapSpec &spec = image_.maps[i];
        const MapId id(i);
        if (std::ranges::find(kept_, id) != kept_.end())
            continue;
        const Map map = map_of(*this, id);
        const auto there = at_entries_.find(id);
        const int entry_program = there != at_entries_.end() ? bpf_program__fd(handle(there->second)) : 0;
        for (const MapContent &content : spec.contents) {
            Bytes value = content.value;
            if (!content.interface.empty()) {
                const Result<std::uint32_t> index = index_of(spec, content);
                if (!index)
                    return std::unexpected(index.error());
                put_number(spec.value.fields[0], *index, value);
            }
            if (entry_program > 0)
                put_number(spec.value.fields[1], static_cast<std::uint32_t>(entry_program), value);
            if (Result<void> put = map.update(content.key, value); !put) {
                explain(put.error(), spec, content);
                return put;
            }
        }
    }
    return {};
}

} // namespace xdpf::runtime
