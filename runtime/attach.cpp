#include "runtime/attach.hpp"

#include "runtime/attached.hpp"
#include "runtime/library_log.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/if_link.h>
#include <xdp/libxdp.h>

#include <algorithm>
#include <cerrno>
#include <utility>
#include <vector>

namespace xdpf::runtime {
namespace {

std::uint32_t flag_of(Mode mode)
{
    switch (mode) {
    case Mode::native: return XDP_FLAGS_DRV_MODE;
    case Mode::skb: return XDP_FLAGS_SKB_MODE;
    case Mode::offload: return XDP_FLAGS_HW_MODE;
    case Mode::automatic: break;
    }
    return 0;
}

// A bpf_link does not carry the driver's words, netlink's extended acknowledgement does: the same request is made that
// way, only to hear them. Should it succeed after all, it is undone at once.
std::string drivers_reason(const Loaded &program, const Interface &interface, Mode mode)
{
    const LibraryLog said;
    const std::uint32_t flags = flag_of(mode) | XDP_FLAGS_UPDATE_IF_NOEXIST;
    if (bpf_xdp_attach(interface.index, program.program_fd(), flags, nullptr) == 0)
        (void)bpf_xdp_detach(interface.index, flag_of(mode), nullptr);
    return said.kernel_message();
}

// As a source calls it.
std::string_view metadata_name(Kfunc kfunc)
{
    switch (kfunc) {
    case Kfunc::rx_hash: return "rx_hash";
    case Kfunc::rx_timestamp: return "rx_timestamp";
    case Kfunc::rx_vlan_tag: return "rx_vlan";
    }
    return {};
}

// The receive metadata that the loaded programs read: "rx_hash, rx_vlan".
std::string metadata_read(const Loaded &program)
{
    std::vector<std::string_view> names;
    for (const std::size_t one : program.programs())
        for (const KfuncReference &reference : program.image().programs[one].kfunc_references)
            if (const auto name = metadata_name(reference.kfunc); std::ranges::find(names, name) == names.end())
                names.push_back(name);
    return fmt::format("{}", fmt::join(names, ", "));
}

void explain(Error &error, const Loaded &program, const Interface &interface, Mode mode)
{
    if (const std::string read = metadata_read(program); error.code == EINVAL && mode == Mode::skb && !read.empty()) {
        error.cause =
            fmt::format("the program reads {}, which only a driver knows; in skb mode there is none to ask", read);
        error.remedy = "the same command with --mode=native";
        return;
    }
    const std::string other = mode == Mode::skb ? "" : "; or attach with --mode=skb";
    switch (error.code) {
    case ENODEV:
        error.cause = "there is no interface of that name in this network namespace";
        error.remedy = "ip link show";
        return;
    case EPERM:
    case EMFILE:
    case ENFILE: return;
    case EBUSY:
    case EEXIST:
        if (const AttachedProgram there = find_attached(interface); there.id != 0) {
            error.cause = describe(there);
            error.remedy = how_to_remove(there, interface);
        }
        return;
    default: break;
    }
    error.cause = drivers_reason(program, interface, mode);
    if (error.code == ERANGE) {
        error.cause =
            fmt::format("{}{}the MTU of {} or of its peer ({} here) does not fit into one page with XDP's headroom",
                        error.cause, error.cause.empty() ? "" : ": ", interface.name, interface.mtu);
        error.remedy =
            fmt::format("ip link set dev {} mtu 1500   (on both ends of a veth pair{})", interface.name, other);
    } else if (error.code == EOPNOTSUPP) {
        if (error.cause.empty())
            error.cause = fmt::format("the driver of {} has no {} XDP", interface.name, name_of(mode));
        error.remedy = fmt::format("ethtool -i {}   (the driver{})", interface.name, other);
    } else {
        error.remedy = fmt::format("ip -details link show dev {}{}", interface.name, other);
    }
}

Result<Fd> make_link(const Loaded &program, const Interface &interface, Mode mode)
{
    const LibraryLog quiet;
    DECLARE_LIBBPF_OPTS(bpf_link_create_opts, options, .flags = flag_of(mode));
    const int fd = bpf_link_create(program.program_fd(), interface.index, BPF_XDP, &options);
    if (fd >= 0)
        return Fd(fd);
    Error error = system_error(fmt::format("cannot attach to '{}' in {} mode", interface.name, name_of(mode)),
                               "bpf_link_create", -fd);
    explain(error, program, interface, mode);
    return std::unexpected(std::move(error));
}

// Another mode would fail for the same reason.
bool final(int code) { return code == ENODEV || code == EPERM || code == EBUSY || code == EEXIST; }

// The id of what is attached in that mode, 0 for none.
std::uint32_t attached_in(const Interface &interface, Mode mode)
{
    const LibraryLog quiet;
    DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, query);
    if (bpf_xdp_query(interface.index, 0, &query) != 0)
        return 0;
    return mode == Mode::native ? query.drv_prog_id : mode == Mode::skb ? query.skb_prog_id : query.hw_prog_id;
}

} // namespace

Error no_interface_program(const ProgramImage &program)
{
    const bool device = program.place == ProgramImage::Place::devmap;
    Error error;
    error.stage = fmt::format("cannot attach '{}'", program.name);
    error.message = fmt::format("it is a program on {}", device ? "devmap" : "cpumap");
    error.cause = "such programs stand at the entries of a map, not at an interface";
    error.remedy = "--program NAME   (another one of the file)";
    return error;
}

std::string_view name_of(Mode mode)
{
    switch (mode) {
    case Mode::automatic: return "auto";
    case Mode::native: return "native";
    case Mode::skb: return "skb";
    case Mode::offload: return "offload";
    }
    return "";
}

Attachment::Attachment(Attachment &&other) noexcept
    : link_(std::move(other.link_)), dispatched_(std::exchange(other.dispatched_, nullptr)),
      interface_(std::move(other.interface_)), program_id_(other.program_id_), mode_(other.mode_),
      fallback_(std::move(other.fallback_))
{
}

Attachment &Attachment::operator=(Attachment &&other) noexcept
{
    if (this != &other) {
        (void)detach();
        link_ = std::move(other.link_);
        dispatched_ = std::exchange(other.dispatched_, nullptr);
        interface_ = std::move(other.interface_);
        program_id_ = other.program_id_;
        mode_ = other.mode_;
        fallback_ = std::move(other.fallback_);
    }
    return *this;
}

Attachment::~Attachment() { (void)detach(); }

Attachment::Hold Attachment::hold() const
{
    bpf_link_info info{};
    std::uint32_t size = sizeof info;
    if (!link_ || bpf_obj_get_info_by_fd(link_.get(), &info, &size) != 0)
        return Hold::attached;
    if (info.xdp.ifindex == 0)
        return Hold::detached;
    return info.prog_id == program_id_ ? Hold::attached : Hold::replaced;
}

std::uint32_t Attachment::link_id() const
{
    bpf_link_info info{};
    std::uint32_t size = sizeof info;
    return link_ && bpf_obj_get_info_by_fd(link_.get(), &info, &size) == 0 ? info.id : 0;
}

Result<void> Attachment::pin(const std::string &path)
{
    const LibraryLog quiet;
    if (bpf_obj_pin(link_.get(), path.c_str()) == 0) {
        link_.reset();
        return {};
    }
    Error error =
        system_error(fmt::format("cannot keep the program on '{}'", interface_.name), "bpf(BPF_OBJ_PIN)", errno);
    if (error.code == EEXIST) {
        error.cause = fmt::format("there is a pin at {} that this xdpf knows nothing of", path);
        error.remedy = fmt::format("rm {}   (detaches what it holds)", path);
    }
    return std::unexpected(std::move(error));
}

Result<void> Attachment::update(const Loaded &program)
{
    const LibraryLog quiet;
    const Fd old(bpf_prog_get_fd_by_id(program_id_));
    DECLARE_LIBBPF_OPTS(bpf_link_update_opts, options, .flags = BPF_F_REPLACE,
                        .old_prog_fd = static_cast<std::uint32_t>(old.get()));
    const int result = old ? bpf_link_update(link_.get(), program.program_fd(), &options) : -errno;
    if (result == 0) {
        program_id_ = program.program_id();
        return {};
    }
    Error error =
        system_error(fmt::format("cannot replace the program on '{}'", interface_.name), "bpf_link_update", -result);
    if (error.cause.empty())
        error.cause = "the driver does not take this program in its place, or somebody else has put another one there";
    error.remedy = fmt::format("bpftool net show dev {}   (what is there now)", interface_.name);
    return std::unexpected(std::move(error));
}

Result<void> Attachment::detach()
{
    if (dispatched_ != nullptr)
        return undispatch();
    if (!link_)
        return {};
    const LibraryLog quiet;
    const std::string stage = fmt::format("cannot detach from '{}'", interface_.name);
    // Closing the descriptor alone would leave the detaching to whoever closes its last copy.
    const int result = bpf_link_detach(link_.get());
    link_.reset();
    const bool gone = result == -ENOLINK || !find_interface(interface_.index, stage);
    if (result < 0 && !gone)
        return std::unexpected(system_error(stage, "bpf_link_detach", -result));
    if (!gone && attached_in(interface_, mode_) == program_id_) {
        Error error = system_error(stage, "bpf_link_detach", EBUSY);
        error.cause = fmt::format("the program (id {}) is still there in {} mode", program_id_, name_of(mode_));
        error.remedy = how_to_remove(find_attached(interface_), interface_);
        return std::unexpected(std::move(error));
    }
    return {};
}

Result<Attachment> attach(Loaded &program, const Interface &interface, Mode mode)
{
    Attachment attachment;
    attachment.interface_ = interface;
    attachment.program_id_ = program.program_id();
    attachment.mode_ = mode == Mode::automatic ? Mode::native : mode;
    Result<Fd> link = make_link(program, interface, attachment.mode_);
    if (!link && mode == Mode::automatic && !final(link.error().code)) {
        const Error &refused = link.error();
        attachment.fallback_ = fmt::format("native mode was refused: {}{}{}", errno_text(refused.code),
                                           refused.cause.empty() ? "" : ": ", refused.cause);
        attachment.mode_ = Mode::skb;
        link = make_link(program, interface, Mode::skb);
    }
    if (!link)
        return std::unexpected(std::move(link.error()));
    attachment.link_ = std::move(*link);
    return attachment;
}

} // namespace xdpf::runtime
