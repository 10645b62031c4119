#include "runtime/rule_tables.hpp"

#include "compiler/rule_tables.hpp"
#include "runtime/attached.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/membarrier.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <vector>

namespace xdpf::runtime {
namespace {

constexpr std::string_view stage = "cannot replace rules";

Error not_replaced(std::string message, std::string cause, std::string remedy)
{
    Error error;
    error.stage = std::string(stage);
    error.message = std::move(message);
    error.cause = std::move(cause);
    error.remedy = std::move(remedy);
    return error;
}

Error failed_call(std::string_view call, int code) { return system_error(std::string(stage), std::string(call), code); }

// The value of the map, in this process's memory.
class Mapped {
public:
    Mapped(int fd, std::size_t size)
        : size_(size), bytes_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0))
    {
    }
    ~Mapped()
    {
        if (*this)
            munmap(bytes_, size_);
    }
    Mapped(const Mapped &) = delete;
    Mapped &operator=(const Mapped &) = delete;

    explicit operator bool() const { return bytes_ != MAP_FAILED; }
    [[nodiscard]] std::byte *at(std::size_t offset) const { return static_cast<std::byte *>(bytes_) + offset; }
    template <class T> [[nodiscard]] T load(std::size_t offset) const
    {
        T number;
        std::memcpy(&number, at(offset), sizeof number);
        return number;
    }

private:
    std::size_t size_;
    void *bytes_;
};

// Held while rules are replaced, so that two who do it at once do it one after the other.
Result<Fd> take_lock()
{
    Fd lock(open("/run/xdpf-rules.lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock && flock(lock.get(), LOCK_EX) == 0)
        return lock;
    Error error = failed_call(lock ? "flock" : "open(/run/xdpf-rules.lock)", errno);
    if (error.code == EACCES) {
        error.cause = "its lock is for the user that programs are put to work by, as a rule root";
        error.remedy = "sudo xdpf …";
    }
    return std::unexpected(std::move(error));
}

} // namespace

Result<RuleTables> RuleTables::of_interface(const std::string &interface)
{
    const Result<Interface> found = find_interface(interface, std::string(stage));
    if (!found)
        return std::unexpected(found.error());
    const AttachedProgram attached = find_attached(*found);
    if (attached.id == 0)
        return std::unexpected(not_replaced(fmt::format("no program is attached to '{}'", interface), {},
                                            fmt::format("xdpf run FILE -i {}", interface)));
    const Fd program(bpf_prog_get_fd_by_id(attached.id));
    if (program.get() < 0)
        return std::unexpected(failed_call("bpf(BPF_PROG_GET_FD_BY_ID)", errno));
    std::vector<std::uint32_t> ids(64); // MAX_USED_MAPS
    bpf_prog_info info{};
    info.nr_map_ids = static_cast<std::uint32_t>(ids.size());
    info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0)
        return std::unexpected(failed_call("bpf(BPF_OBJ_GET_INFO_BY_FD)", errno));
    ids.resize(std::min<std::size_t>(ids.size(), info.nr_map_ids));
    // The kernel keeps 15 characters of a name.
    const std::string name = fmt::format(".data.{}", rule_tables::map_name).substr(0, BPF_OBJ_NAME_LEN - 1);
    for (const std::uint32_t id : ids) {
        Fd map(bpf_map_get_fd_by_id(id));
        bpf_map_info about{};
        size = sizeof about;
        if (map.get() >= 0 && bpf_obj_get_info_by_fd(map.get(), &about, &size) == 0 && name == about.name)
            return RuleTables(std::move(map), id, about.value_size);
    }
    return std::unexpected(not_replaced(fmt::format("{} has no rules in a map", describe(attached)),
                                        "its rules are code",
                                        "match from \"acl.csv\"   (in the source: rules from a file stand in a map)"));
}

Result<bool> RuleTables::match(const Image &image) const
{
    const MapSpec *const spec = rule_tables::find(image);
    const Mapped value(map_.get(), size_);
    if (!value)
        return std::unexpected(failed_call("mmap", errno));
    const std::size_t signature = rule_tables::signature_at;
    return spec != nullptr && spec->initial.size() == size_ &&
           std::memcmp(value.at(signature), &spec->initial[signature], sizeof(std::uint64_t)) == 0;
}

Result<std::uint32_t> RuleTables::replace(const Image &image)
{
    const MapSpec *const spec = rule_tables::find(image);
    if (spec == nullptr)
        return std::unexpected(not_replaced("the source has no rules in a map", {}, "match from \"acl.csv\""));
    const Result<Fd> lock = take_lock();
    if (!lock)
        return std::unexpected(lock.error());
    const Mapped value(map_.get(), size_);
    if (!value)
        return std::unexpected(failed_call("mmap", errno));
    const Result<bool> same = match(image);
    if (!same)
        return std::unexpected(same.error());
    if (!*same)
        return std::unexpected(not_replaced("the program that runs is another one",
                                            "more than the lines of the file has changed",
                                            "stop it and start it anew, with the new rules"));
    if (value.load<std::uint32_t>(rule_tables::sets_at) != 2)
        return std::unexpected(not_replaced("there is no room for another set of rules", {},
                                            "match from \"acl.csv\"   (rules from a file can be replaced)"));
    // Packets that still read what was in force before the rules that now are: they are done when this returns.
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0)
        return std::unexpected(failed_call("membarrier", errno));
    const auto room = value.load<std::uint32_t>(rule_tables::room_at);
    const auto head = value.load<std::uint64_t>(rule_tables::active_at);
    const auto active = static_cast<std::uint32_t>(head);
    const std::uint32_t other =
        active == rule_tables::head_size ? rule_tables::head_size + room : rule_tables::head_size;
    std::memcpy(value.at(other), &spec->initial[rule_tables::head_size], room);
    const auto generation = static_cast<std::uint32_t>(head >> 32) + 1;
    std::atomic_ref(*reinterpret_cast<std::uint64_t *>(value.at(rule_tables::active_at)))
        .store(std::uint64_t{generation} << 32 | other, std::memory_order_release);
    return generation;
}

} // namespace xdpf::runtime
