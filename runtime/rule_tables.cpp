#include "runtime/rule_tables.hpp"

#include "compiler/rule_tables.hpp"
#include "runtime/attached.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/membarrier.h>

#include <algorithm>
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

// The value of the map, in this process's memory.
class RuleTables::Mapped {
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

    // Writes the rules beside those in force, and then puts them into force. Gives the generation.
    std::uint32_t put(const MapSpec &spec) const
    {
        const auto room = load<std::uint32_t>(rule_tables::room_at);
        const auto head = load<std::uint64_t>(rule_tables::active_at);
        const auto active = static_cast<std::uint32_t>(head);
        const std::uint32_t other =
            active == rule_tables::head_size ? rule_tables::head_size + room : rule_tables::head_size;
        std::memcpy(at(other), &spec.initial[rule_tables::head_size], room);
        const auto generation = static_cast<std::uint32_t>(head >> 32) + 1;
        std::atomic_ref(*reinterpret_cast<std::uint64_t *>(at(rule_tables::active_at)))
            .store(std::uint64_t{generation} << 32 | other, std::memory_order_release);
        return generation;
    }

private:
    std::size_t size_;
    void *bytes_;
};

namespace {

// Appends what stands in a table of programs.
void add_programs(int table, std::uint32_t entries, std::vector<std::uint32_t> &to)
{
    for (std::uint32_t slot = 0; slot < entries; ++slot)
        if (std::uint32_t id = 0; bpf_map_lookup_elem(table, &slot, &id) == 0 && std::ranges::find(to, id) == to.end())
            to.push_back(id);
}

Result<std::vector<std::uint32_t>> maps_of(int program, bpf_prog_info &info)
{
    std::vector<std::uint32_t> ids(most_program_maps);
    info = {};
    info.nr_map_ids = static_cast<std::uint32_t>(ids.size());
    info.map_ids = reinterpret_cast<std::uintptr_t>(ids.data());
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(program, &info, &size) != 0)
        return std::unexpected(failed_call("bpf(BPF_OBJ_GET_INFO_BY_FD)", errno));
    ids.resize(std::min<std::size_t>(ids.size(), info.nr_map_ids));
    return ids;
}

} // namespace

Result<std::vector<RuleTables::Table>> RuleTables::tables_behind(std::uint32_t program)
{
    // The kernel keeps 15 characters of a name.
    const std::string name = fmt::format(".data.{}", rule_tables::map_name).substr(0, longest_kernel_name);
    std::vector<Table> out;
    std::vector<std::uint32_t> programs{program};
    for (std::size_t i = 0; i < programs.size(); ++i) {
        const Fd open(bpf_prog_get_fd_by_id(programs[i]));
        if (open.get() < 0)
            return std::unexpected(failed_call("bpf(BPF_PROG_GET_FD_BY_ID)", errno));
        bpf_prog_info info{};
        const auto ids = maps_of(open.get(), info);
        if (!ids)
            return std::unexpected(ids.error());
        for (const std::uint32_t id : *ids) {
            Fd map(bpf_map_get_fd_by_id(id));
            bpf_map_info about{};
            std::uint32_t size = sizeof about;
            if (map.get() < 0 || bpf_obj_get_info_by_fd(map.get(), &about, &size) != 0)
                continue;
            if (about.type == BPF_MAP_TYPE_PROG_ARRAY)
                add_programs(map.get(), about.max_entries, programs);
            else if (name == about.name)
                out.push_back({info.name, std::move(map), id, about.value_size});
        }
    }
    return out;
}

Result<RuleTables> RuleTables::of_interface(const std::string &interface)
{
    const Result<Interface> found = find_interface(interface, std::string(stage));
    if (!found)
        return std::unexpected(found.error());
    const AttachedProgram attached = find_attached(*found);
    if (attached.id == 0)
        return std::unexpected(not_replaced(fmt::format("no program is attached to '{}'", interface), {},
                                            fmt::format("xdpf run FILE -i {}", interface)));
    auto tables = tables_behind(attached.id);
    if (!tables)
        return std::unexpected(tables.error());
    if (!tables->empty())
        return RuleTables(attached.name, std::move(*tables));
    return std::unexpected(not_replaced(fmt::format("{}, and has no rules in a map", describe(attached)),
                                        "its rules are code, or the file of its rules had no line",
                                        "match from \"acl.csv\"   (in the source: rules from a file stand in a map)"));
}

TableBytes RuleTables::sizes() const
{
    TableBytes out;
    for (const Table &table : tables_)
        out.emplace(table.program, table.size);
    return out;
}

namespace {

const MapSpec *rules_of(const Image &image, const std::string &program)
{
    const auto found = std::ranges::find(image.programs, program, &ProgramImage::name);
    return found == image.programs.end() ? nullptr : rule_tables::find(image, *found);
}

} // namespace

bool RuleTables::reads_alike(const Mapped &value, const Table &table, const MapSpec *spec)
{
    const std::size_t signature = rule_tables::signature_at;
    return spec != nullptr && spec->initial.size() == table.size &&
           std::memcmp(value.at(signature), &spec->initial[signature], sizeof(std::uint64_t)) == 0;
}

Result<bool> RuleTables::match(const Image &image) const
{
    if (std::ranges::find(image.programs, program_, &ProgramImage::name) == image.programs.end())
        return false;
    for (const Table &table : tables_) {
        const Mapped value(table.map.get(), table.size);
        if (!value)
            return std::unexpected(failed_call("mmap", errno));
        if (!reads_alike(value, table, rules_of(image, table.program)))
            return false;
    }
    return true;
}

Result<std::uint32_t> RuleTables::replace(const Image &image)
{
    const Result<Fd> lock = take_lock();
    if (!lock)
        return std::unexpected(lock.error());
    const Result<bool> same = match(image);
    if (!same)
        return std::unexpected(same.error());
    if (!*same)
        return std::unexpected(not_replaced("the program that runs is another one",
                                            "more than the lines of the file has changed",
                                            "stop it and start it anew, with the new rules"));
    // Packets that still read what was in force before the rules that now are: they are done when this returns.
    if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) != 0)
        return std::unexpected(failed_call("membarrier", errno));
    std::uint32_t generation = 0;
    for (const Table &table : tables_) {
        const Mapped value(table.map.get(), table.size);
        if (!value)
            return std::unexpected(failed_call("mmap", errno));
        if (value.load<std::uint32_t>(rule_tables::sets_at) == 2) // else from no file
            generation = std::max(generation, value.put(*rules_of(image, table.program)));
    }
    if (generation == 0)
        return std::unexpected(not_replaced("there is no room for another set of rules", {},
                                            "match from \"acl.csv\"   (rules from a file can be replaced)"));
    return generation;
}

} // namespace xdpf::runtime
