// What the kernel can do with AF_XDP sockets: each feature is tried on a socket of its own
// (Documentation/networking/af_xdp.rst).
#include "runtime/doctor_parts.hpp"

#include <fmt/format.h>
#include <linux/if_xdp.h>
#include <net/if.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstddef>
#include <utility>

namespace xdpf::runtime {
namespace {

using namespace doctor;

// Younger than the headers of some distributions: <linux/if_xdp.h> and <asm-generic/socket.h>, kernel 6.18.
constexpr std::uint16_t use_sg = 1U << 4;             // XDP_USE_SG, 6.6
constexpr std::uint32_t tx_metadata_length = 1U << 2; // XDP_UMEM_TX_METADATA_LEN, 6.11
constexpr int max_tx_skb_budget = 9;                  // XDP_MAX_TX_SKB_BUDGET, 6.17
constexpr int prefer_busy_poll = 69;                  // SO_PREFER_BUSY_POLL, 5.11
struct UmemRegistration {                             // struct xdp_umem_reg as it is since 6.8
    std::uint64_t addr, len;
    std::uint32_t chunk_size, headroom, flags, tx_metadata_len;
};

constexpr std::uint32_t ring_size = 64;
constexpr std::size_t area_size = std::size_t{16} * 4096;

// A socket with as much around it as a feature needs to be tried. Functions give 0 or an errno value.
class TrialSocket {
public:
    TrialSocket() : fd_(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0)) {}
    TrialSocket(const TrialSocket &) = delete;
    TrialSocket &operator=(const TrialSocket &) = delete;
    ~TrialSocket()
    {
        fd_.reset();
        if (area_ != nullptr)
            munmap(area_, area_size);
    }

    [[nodiscard]] int get() const { return fd_.get(); }
    int set(int option, const void *value, std::size_t size, int level = SOL_XDP)
    {
        return setsockopt(fd_.get(), level, option, value, static_cast<socklen_t>(size)) == 0 ? 0 : errno;
    }
    int register_umem(std::uint32_t flags = 0, std::uint32_t metadata = 0)
    {
        void *area = mmap(nullptr, area_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (area == MAP_FAILED)
            return errno;
        area_ = area;
        const UmemRegistration umem{.addr = reinterpret_cast<std::uint64_t>(area_),
                                    .len = area_size,
                                    .chunk_size = 4096,
                                    .headroom = 0,
                                    .flags = flags,
                                    .tx_metadata_len = metadata};
        return set(XDP_UMEM_REG, &umem, sizeof umem);
    }
    int make_rings()
    {
        int code = 0;
        for (const int ring : {XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING})
            code = code != 0 ? code : set(ring, &ring_size, sizeof ring_size);
        return code;
    }
    int bind_to(const char *interface, std::uint32_t queue, std::uint16_t flags, int shares_with = 0)
    {
        sockaddr_xdp address{};
        address.sxdp_family = AF_XDP;
        address.sxdp_flags = flags;
        address.sxdp_ifindex = if_nametoindex(interface);
        address.sxdp_queue_id = queue;
        address.sxdp_shared_umem_fd = static_cast<std::uint32_t>(shares_with);
        return bind(fd_.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0 ? 0 : errno;
    }

private:
    Fd fd_;
    void *area_ = nullptr;
};

struct Trial {
    std::string id;
    std::string there;   // what is said where it works
    std::string missing; // and where it does not
    std::string why;
};

void tell(std::vector<Finding> &out, const Trial &trial, int code)
{
    if (code == 0)
        out.push_back({trial.id, Level::ok, trial.there, "", ""});
    else
        out.push_back({trial.id, Level::note, fmt::format("{}: {}", trial.missing, errno_text(code)), trial.why,
                       code == EPERM ? "sudo xdpf doctor" : newer_kernel});
}

// The kernel answers with the flags of the rings where it has them.
int need_wakeup()
{
    TrialSocket socket;
    xdp_mmap_offsets offsets{};
    socklen_t size = sizeof offsets;
    if (getsockopt(socket.get(), SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &size) != 0)
        return errno;
    return size == sizeof offsets ? 0 : EOPNOTSUPP;
}

int umem_with(std::uint32_t flags, std::uint32_t metadata)
{
    TrialSocket socket;
    return socket.register_umem(flags, metadata);
}

int busy_polling()
{
    TrialSocket socket;
    constexpr int on = 1;
    return socket.set(prefer_busy_poll, &on, sizeof on, SOL_SOCKET);
}

// It may be as much as the ring for sending holds.
int sending_budget()
{
    TrialSocket socket;
    const int code = socket.set(XDP_TX_RING, &ring_size, sizeof ring_size);
    return code != 0 ? code : socket.set(max_tx_skb_budget, &ring_size, sizeof ring_size);
}

void check_options(std::vector<Finding> &out)
{
    tell(out,
         {"sockets.need_wakeup", "the driver says when it wants to be woken (need-wakeup)", "no need-wakeup",
          "the driver must be woken for each batch, which takes time"},
         need_wakeup());
    tell(out,
         {"sockets.unaligned", "frames may lie anywhere (unaligned chunks)", "no unaligned chunks",
          "frames must be of 2048 or 4096 bytes, which is what xdpf uses"},
         umem_with(XDP_UMEM_UNALIGNED_CHUNK_FLAG, 0));
    tell(out,
         {"sockets.tx_metadata", "sent packets may ask for checksums and timestamps (TX metadata)", "no TX metadata",
          "a driver cannot be asked to fill in checksums of packets that are sent"},
         umem_with(tx_metadata_length, 16));
    tell(out,
         {"sockets.busy_poll", "a socket may do the driver's work on its own thread (preferred busy polling)",
          "no preferred busy polling", "receiving and interrupts share processors, which costs latency"},
         busy_polling());
    tell(out,
         {"sockets.tx_budget", "how much one call sends can be set (XDP_MAX_TX_SKB_BUDGET)",
          "how much one call sends cannot be set (XDP_MAX_TX_SKB_BUDGET)",
          "where packets are copied, one call sends 32 of them at most"},
         sending_budget());
}

// Binding in earnest: on one end of a veth pair a socket, and another that shares its memory; on the other end one that
// takes packets in pieces.
struct Bound {
    int plain = 0;
    int shared = 0;
    int pieces = 0;
};

Bound bind_sockets()
{
    Bound codes;
    const auto ready = [](TrialSocket &socket) {
        const int code = socket.register_umem();
        return code != 0 ? code : socket.make_rings();
    };
    TrialSocket first;
    codes.plain = ready(first);
    if (codes.plain == 0)
        codes.plain = first.bind_to(ProbeNetwork::near, 0, XDP_COPY | XDP_USE_NEED_WAKEUP);
    TrialSocket second;
    codes.shared = codes.plain != 0 ? codes.plain : second.make_rings();
    if (codes.shared == 0)
        codes.shared = second.bind_to(ProbeNetwork::near, 1, XDP_SHARED_UMEM, first.get());
    TrialSocket third;
    codes.pieces = ready(third);
    if (codes.pieces == 0)
        codes.pieces = third.bind_to(ProbeNetwork::far, 0, XDP_COPY | use_sg);
    return codes;
}

void check_binding(std::vector<Finding> &out)
{
    ProbeNetwork network;
    if (!network.missing().empty()) {
        out.push_back(
            {"sockets.bind", Level::note, "not tried to bind a socket", network.missing(), "sudo xdpf doctor"});
        return;
    }
    const Bound codes = network.in(bind_sockets);
    if (codes.plain != 0) {
        const Error error = system_error("", "", codes.plain);
        out.push_back({"sockets.bind", Level::problem,
                       fmt::format("a socket cannot be bound to a veth pair: {}", errno_text(codes.plain)),
                       error.cause.empty() ? "`xdpf run` receives nothing" : error.cause,
                       error.remedy.empty() ? "dmesg | tail" : error.remedy});
        return;
    }
    out.push_back({"sockets.bind", Level::ok, "a socket was bound to a veth pair", "", ""});
    tell(out,
         {"sockets.shared_umem", "sockets of several queues may share their memory (shared UMEM)", "no shared UMEM",
          "each queue needs memory of its own"},
         codes.shared);
    tell(out,
         {"sockets.multi_buffer", "a packet may lie in several frames (multi-buffer)", "no multi-buffer (XDP_USE_SG)",
          "packets longer than a frame are dropped"},
         codes.pieces);
}

void check_huge_pages(std::vector<Finding> &out)
{
    constexpr std::size_t huge = std::size_t{2} << 20;
    void *area = mmap(nullptr, huge, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
    if (area != MAP_FAILED) {
        munmap(area, huge);
        out.push_back({"sockets.huge_pages", Level::ok, "huge pages are to be had", "", ""});
    } else {
        out.push_back({"sockets.huge_pages", Level::note, "no huge page is free",
                       "the memory of sockets lies in small pages, which is a little slower on real cards",
                       "sysctl vm.nr_hugepages=64"});
    }
}

} // namespace

std::vector<Finding> check_sockets()
{
    std::vector<Finding> out;
    const TrialSocket socket;
    const int code = socket.get() >= 0 ? 0 : errno;
    if (code == EAFNOSUPPORT) {
        out.push_back({"sockets.af_xdp", Level::problem, "the kernel has no AF_XDP sockets",
                       "it is built without CONFIG_XDP_SOCKETS; filters can drop, pass and count, but not deliver",
                       "grep XDP_SOCKETS /boot/config-$(uname -r)"});
    } else if (code != 0) {
        const Error error = system_error("", "", code);
        out.push_back(
            {"sockets.af_xdp", missing_capabilities().empty() ? Level::problem : Level::note,
             fmt::format("no AF_XDP socket can be opened, so that the rest was not tried: {}", errno_text(code)),
             error.cause, error.remedy.empty() ? "sudo xdpf doctor" : error.remedy});
    } else {
        out.push_back({"sockets.af_xdp", Level::ok, "an AF_XDP socket was opened", "", ""});
        check_binding(out);
        check_options(out);
    }
    check_huge_pages(out);
    return out;
}

} // namespace xdpf::runtime
