#include "runtime/steps.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

namespace xdpf::runtime {

std::string describe(const Interface &interface)
{
    return fmt::format("opened '{}': index {}, MTU {}, {} receive queue{}, {}", interface.name, interface.index,
                       interface.mtu, interface.receive_queues, interface.receive_queues == 1 ? "" : "s",
                       !interface.up       ? "down"
                       : interface.running ? "up"
                                           : "up, without a carrier");
}

std::string describe(const Loaded &loaded)
{
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    if (loaded.program_fd() < 0 || bpf_obj_get_info_by_fd(loaded.program_fd(), &info, &size) != 0)
        return fmt::format("opened the object with '{}', for the dispatcher to load", loaded.name());
    return fmt::format(
        "loaded '{}': id {}, {} instructions, of which the verifier followed {}; {} bytes of machine code",
        loaded.name(), info.id, loaded.program().insns.size(), info.verified_insns, info.jited_prog_len);
}

std::string describe(const Queue &queue)
{
    const Umem &memory = *queue.memory();
    const UmemOptions &umem = memory.options();
    std::string pages = memory.huge_pages() ? ", in huge pages" : "";
    if (!memory.no_huge_pages().empty())
        pages = fmt::format(", not in huge pages ({})", memory.no_huge_pages());
    return fmt::format("queue {}: a UMEM of {} frames of {} bytes, headroom {}{}; its socket is bound, {}",
                       queue.index(), umem.frames, umem.frame_size, umem.headroom, pages,
                       queue.zero_copy() ? "zero-copy" : "copy");
}

} // namespace xdpf::runtime
