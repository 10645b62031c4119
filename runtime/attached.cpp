#include "runtime/attached.hpp"

#include "runtime/fd.hpp"
#include "runtime/library_log.hpp"
#include "runtime/registry.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace xdpf::runtime {
namespace {

namespace fs = std::filesystem;

std::uint32_t link_of(std::uint32_t program, int interface)
{
    std::uint32_t id = 0;
    while (bpf_link_get_next_id(id, &id) == 0) {
        const Fd fd(bpf_link_get_fd_by_id(id));
        bpf_link_info info{};
        std::uint32_t size = sizeof info;
        if (fd && bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0 && info.type == BPF_LINK_TYPE_XDP &&
            info.prog_id == program && info.xdp.ifindex == static_cast<std::uint32_t>(interface))
            return id;
    }
    return 0;
}

bool holds_link(const fs::path &process, std::uint32_t link)
{
    std::error_code failed;
    for (const auto &entry : fs::directory_iterator(process / "fdinfo", failed)) {
        std::ifstream info(entry.path());
        std::string key;
        std::string value;
        bool is_link = false;
        while (info >> key >> value) {
            is_link = is_link || key == "link_type:";
            if (is_link && key == "link_id:" && value == std::to_string(link))
                return true;
        }
    }
    return false;
}

void find_owner(AttachedProgram &program)
{
    std::error_code failed;
    for (const auto &entry : fs::directory_iterator("/proc", failed)) {
        const int pid = std::atoi(entry.path().filename().c_str());
        if (pid <= 0 || !holds_link(entry.path(), program.link_id))
            continue;
        program.pid = pid;
        std::ifstream(entry.path() / "comm") >> program.process;
        return;
    }
}

} // namespace

AttachedProgram find_attached(const Interface &interface)
{
    const LibraryLog quiet;
    AttachedProgram found;
    DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, query);
    if (bpf_xdp_query(interface.index, 0, &query) != 0)
        return found;
    if (query.drv_prog_id != 0)
        found.mode = "native";
    else if (query.skb_prog_id != 0)
        found.mode = "skb";
    else if (query.hw_prog_id != 0)
        found.mode = "offload";
    found.id = query.drv_prog_id != 0   ? query.drv_prog_id
               : query.skb_prog_id != 0 ? query.skb_prog_id
                                        : query.hw_prog_id;
    if (found.id == 0)
        return found;
    const Fd fd(bpf_prog_get_fd_by_id(found.id));
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    found.seen = fd && bpf_obj_get_info_by_fd(fd.get(), &info, &size) == 0;
    if (!found.seen)
        return found;
    found.name = info.name;
    found.link_id = link_of(found.id, interface.index);
    const auto entry = registered_program(found.id);
    found.pinned = entry && !entry->pins.empty() && entry->link_id == found.link_id;
    if (found.link_id != 0 && !found.pinned)
        find_owner(found);
    return found;
}

std::string describe(const AttachedProgram &program)
{
    if (!program.seen)
        return fmt::format("an XDP program (id {}, {} mode) is attached there; whose it is, only CAP_SYS_ADMIN sees",
                           program.id, program.mode);
    std::string text =
        fmt::format("XDP program '{}' (id {}, {} mode) is attached there", program.name, program.id, program.mode);
    if (program.pid != 0)
        text += fmt::format(" by process {} ({})", program.pid, program.process);
    else if (program.pinned)
        text += " by xdpf attach";
    else if (program.link_id != 0)
        text += fmt::format(" through bpf_link {}", program.link_id);
    return text;
}

std::string how_to_remove(const AttachedProgram &program, const Interface &interface)
{
    if (!program.seen)
        return fmt::format("sudo xdpf status -i {}   (whose it is)", interface.name);
    if (program.pid != 0)
        return fmt::format("kill {}   (ends the process that attached it)", program.pid);
    if (program.pinned)
        return fmt::format("xdpf detach -i {}   (or: xdpf attach --replace)", interface.name);
    if (program.link_id != 0)
        return fmt::format("bpftool link detach id {}", program.link_id);
    if (program.name == "xdp_dispatcher")
        return fmt::format("xdp-loader unload {} --all", interface.name);
    const char *flavour = program.mode == "skb" ? "xdpgeneric" : program.mode == "offload" ? "xdpoffload" : "xdpdrv";
    return fmt::format("ip link set dev {} {} off", interface.name, flavour);
}

} // namespace xdpf::runtime
