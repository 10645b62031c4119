// Entries of devmaps and cpumaps of programs at work: struct bpf_devmap_val and bpf_cpumap_val of <linux/bpf.h>, where
// the kernel takes a program's descriptor and shows its id.
#include "runtime/fd.hpp"
#include "runtime/maps.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <cassert>
#include <cerrno>

namespace xdpf::runtime {
namespace {

// 0: none.
Result<std::uint32_t> program_at_entries(const Map &map, std::span<const std::byte> key)
{
    const LayoutField &program = map.spec().value.fields[1];
    const Result<std::optional<Bytes>> here = map.lookup(key);
    if (!here)
        return std::unexpected(here.error());
    if (*here)
        return static_cast<std::uint32_t>(number_of(program, **here));
    std::uint32_t id = 0;
    const Result<void> walked = map.for_each([&](std::span<const std::byte>, std::span<const std::byte> value) {
        id = static_cast<std::uint32_t>(number_of(program, value));
        return id == 0;
    });
    return walked ? Result<std::uint32_t>(id) : std::unexpected(walked.error());
}

} // namespace

Result<void> update_target(const Map &map, std::span<const std::byte> key, std::uint32_t target)
{
    const Layout &layout = map.spec().value;
    assert(layout.fields.size() == 2);
    const Result<std::uint32_t> id = program_at_entries(map, key);
    if (!id)
        return std::unexpected(id.error());
    Fd program;
    Bytes value(layout.size);
    put_number(layout.fields[0], target, value);
    if (*id != 0) {
        program = Fd(bpf_prog_get_fd_by_id(*id));
        if (!program)
            return std::unexpected(
                system_error(fmt::format("cannot open the program at the entries of '{}'", map.spec().name),
                             "bpf(BPF_PROG_GET_FD_BY_ID)", errno));
        put_number(layout.fields[1], static_cast<std::uint32_t>(program.get()), value);
    }
    Result<void> put = map.update(key, value);
    const bool no_such = !put && (put.error().code == EINVAL || put.error().code == ENODEV);
    if (no_such && map.spec().kind == MapKind::cpumap)
        put.error().cause = "there is no such processor";
    else if (no_such)
        put.error().cause = fmt::format("interface {} does not exist in this network namespace", target);
    return put;
}

} // namespace xdpf::runtime
