// What this process may do, and where it may write.
#include "runtime/doctor_parts.hpp"
#include "runtime/umem.hpp"

#include <fmt/format.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <optional>

namespace xdpf::runtime {
namespace {

constexpr std::uint64_t megabyte = std::uint64_t{1} << 20;

Finding capabilities()
{
    const std::string missing = missing_capabilities();
    if (missing.empty())
        return {"rights.capabilities", Level::ok, "the capabilities are there (BPF, PERFMON, NET_ADMIN, NET_RAW)", "",
                ""};
    return {"rights.capabilities", Level::problem, fmt::format("this process lacks {}", missing),
            "loading, attaching and receiving need them; compiling and testing do not",
            fmt::format("{}   (or run it with sudo)", how_to_give_capabilities())};
}

// What the socket of a queue locks, with an MTU of 1500: see Umem.
constexpr std::uint64_t socket_memory = std::uint64_t{UmemOptions().frames} * 2048;

// Bytes that sockets may lock (CAP_IPC_LOCK: without limit); nothing: as much as they like.
std::optional<std::uint64_t> lockable()
{
    rlimit limit{};
    getrlimit(RLIMIT_MEMLOCK, &limit);
    if (has_capability(CAP_IPC_LOCK) || limit.rlim_cur == RLIM_INFINITY)
        return std::nullopt;
    return limit.rlim_cur;
}

std::string how_to_lock(std::uint64_t sockets)
{
    return fmt::format("{}   (or ulimit -l {} as root)", how_to_give_capabilities(),
                       (sockets + 1) * socket_memory / 1024);
}

Finding locked_memory()
{
    const std::string each = fmt::format("the socket of each queue locks {} MB", socket_memory / megabyte);
    const std::optional<std::uint64_t> limit = lockable();
    if (!limit)
        return {"rights.locked_memory", Level::ok, fmt::format("memory may be locked without limit; {}", each), "", ""};
    const std::uint64_t queues = *limit / socket_memory;
    return {"rights.locked_memory", queues == 0 ? Level::problem : Level::note,
            fmt::format("this user may lock {} KiB of memory, enough for {} queue{}", *limit / 1024, queues,
                        queues == 1 ? "" : "s"),
            each + ", less with fewer --frames; others of this user count, too", how_to_lock(std::max(queues, 1UL))};
}

Finding open_files()
{
    constexpr rlim_t enough = 256; // a program, up to 64 maps, a socket for each queue
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= enough)
        return {"rights.files", Level::ok, fmt::format("{} files may be open", limit.rlim_cur), "", ""};
    return {"rights.files", Level::warning, fmt::format("only {} files may be open", limit.rlim_cur),
            "each map of a program and each socket of a queue is one", "ulimit -n 1024"};
}

Finding bpf_file_system()
{
    constexpr const char *path = "/sys/fs/bpf";
    struct statfs info {};
    const bool mounted = statfs(path, &info) == 0 && info.f_type == BPF_FS_MAGIC;
    const std::string why = "pinned maps are kept there, and --dispatcher needs it; `ip netns exec` hides it";
    if (!mounted)
        return {"rights.bpffs", Level::warning, fmt::format("no BPF file system is mounted at {}", path), why,
                fmt::format("mount -t bpf bpf {}", path)};
    if (eaccess(path, W_OK | X_OK) != 0)
        return {"rights.bpffs", Level::note, fmt::format("{} is not ours to write to", path), why,
                "sudo xdpf doctor   (with sudo)"};
    return {"rights.bpffs", Level::ok, fmt::format("a BPF file system is mounted at {} and writable", path), "", ""};
}

Finding lock_folder()
{
    if (eaccess("/run", W_OK | X_OK) == 0)
        return {"rights.run", Level::ok, "/run is writable", "", ""};
    return {"rights.run", Level::note, "/run is not ours to write to",
            "`xdpf rules replace` keeps its lock there, so that two of them do not meet",
            "sudo xdpf rules replace …   (with sudo)"};
}

} // namespace

namespace doctor {

void check_socket_memory(std::vector<Finding> &out, const Interface &interface)
{
    const std::uint64_t needed = interface.receive_queues * socket_memory;
    const std::optional<std::uint64_t> limit = lockable();
    if (limit && *limit >= socket_memory && *limit < needed)
        out.push_back({"interface.locked_memory", Level::problem,
                       fmt::format("the sockets of {} queues lock {} KiB, and this user may lock {} KiB",
                                   interface.receive_queues, needed / 1024, *limit / 1024),
                       "sockets on all queues, as `xdpf run` has them unless told otherwise, are refused",
                       fmt::format("{}, or fewer --queues", how_to_lock(interface.receive_queues))});
}

} // namespace doctor

std::vector<Finding> check_rights()
{
    return {capabilities(), locked_memory(), open_files(), bpf_file_system(), lock_folder()};
}

} // namespace xdpf::runtime
