#include "runtime/why_sockets.hpp"

#include "runtime/doctor_parts.hpp"
#include "runtime/library_log.hpp"
#include "runtime/socket_view.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <fstream>
#include <sys/mman.h>
#include <sys/socket.h>

namespace xdpf::runtime::why {
namespace {

std::array<bpf_insn, 10> looking_program(int map, std::uint32_t slot)
{
    return {{{BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, -4, static_cast<std::int32_t>(slot)},
             {BPF_LD | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map},
             {0, 0, 0, 0, 0},
             {BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_2, BPF_REG_10, 0, 0},
             {BPF_ALU64 | BPF_ADD, BPF_REG_2, 0, 0, -4},
             {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem},
             {BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 2, 0},
             {BPF_LDX | BPF_MEM | BPF_W, BPF_REG_0, BPF_REG_0, offsetof(bpf_xdp_sock, queue_id), 0},
             {BPF_ALU64 | BPF_ADD, BPF_REG_0, 0, 0, 1},
             {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
}

} // namespace

std::optional<SocketView::Head> SocketView::map_head(int fd, bool fill)
{
    xdp_mmap_offsets offsets{};
    socklen_t size = sizeof offsets;
    if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) != 0)
        return std::nullopt;
    const xdp_ring_offset &place = fill ? offsets.fr : offsets.rx;
    const std::size_t bytes = place.desc; // the kernel rounds up to a page
    void *address = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd,
                         static_cast<off_t>(fill ? XDP_UMEM_PGOFF_FILL_RING : XDP_PGOFF_RX_RING));
    if (address == MAP_FAILED)
        return std::nullopt;
    Head head{xsk::Mapping(address, bytes)};
    const auto at = [&](std::uint64_t offset) {
        return reinterpret_cast<const std::uint32_t *>(head.memory.data() + offset);
    };
    head.producer = at(place.producer);
    head.consumer = at(place.consumer);
    return head;
}

Result<SocketView> SocketView::open(const Registered &entry, const RegisteredSocket &socket)
{
    Result<Fd> fd = borrow_socket(entry, socket.fd);
    if (!fd)
        return std::unexpected(std::move(fd.error()));
    std::optional<Head> rx = map_head(fd->get(), false);
    if (!rx)
        return std::unexpected(system_error(fmt::format("cannot look at the socket of queue {}", socket.queue),
                                            "mmap of its RX ring", errno));
    SocketView out;
    out.registered_ = socket;
    out.rx_ = std::move(*rx);
    // Of sockets that share a queue's UMEM, one alone has the ring.
    if (std::optional<Head> fill = map_head(fd->get(), true))
        out.fill_ = std::move(*fill);
    out.fd_ = std::move(*fd);
    return out;
}

Result<SocketState> SocketView::look() const
{
    const auto counters = xsk::statistics(fd_.get());
    if (!counters)
        return std::unexpected(system_error(fmt::format("cannot read the counters of queue {}", registered_.queue),
                                            counters.error().call, counters.error().code));
    const auto read = [](const std::uint32_t *word) {
        return word == nullptr ? 0 : __atomic_load_n(word, __ATOMIC_ACQUIRE);
    };
    SocketState out;
    out.counters = queue_statistics(*counters);
    out.taken = read(rx_.consumer); // first: it never passes the producer
    out.arrived = read(rx_.producer);
    const std::uint32_t used = read(fill_.consumer);
    out.free = read(fill_.producer) - used;
    return out;
}

Result<SlotView> SlotView::open(MapId map, int fd, std::uint32_t slots)
{
    SlotView out;
    for (std::uint32_t slot = 0; slot < slots; ++slot) {
        Fd &program = out.programs_.emplace_back(doctor::load_xdp(looking_program(fd, slot)));
        if (!program)
            return std::unexpected(system_error("cannot look into an XSKMAP", "bpf(BPF_PROG_LOAD)", errno));
        out.slots_.push_back({map, slot, 0, 0, std::nullopt, false});
    }
    return out;
}

void SlotView::look()
{
    const LibraryLog quiet;
    static constexpr std::array<std::byte, 64> packet{};
    for (std::size_t i = 0; i < programs_.size(); ++i) {
        LIBBPF_OPTS(bpf_test_run_opts, run);
        run.data_in = packet.data();
        run.data_size_in = packet.size();
        run.repeat = 1;
        if (bpf_prog_test_run_opts(programs_[i].get(), &run) != 0)
            continue; // interrupted by a signal
        SlotLooks &slot = slots_[i];
        ++slot.looks;
        slot.empty_now = run.retval == 0;
        slot.empty += slot.empty_now ? 1 : 0;
        if (run.retval != 0 && run.retval != slot.slot + 1)
            slot.other = run.retval - 1;
    }
}

std::string process_state(int pid)
{
    std::ifstream status(fmt::format("/proc/{}/status", pid));
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("State:"))
            return line.substr(line.find_first_not_of(" \t", 6));
    return "";
}

} // namespace xdpf::runtime::why
