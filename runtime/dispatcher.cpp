// Attaching through libxdp's dispatcher: a program of libxdp's that calls several others in order of priority. Each of
// them is loaded as an extension (BPF_PROG_TYPE_EXT) of a function in the dispatcher.
#include "runtime/attach.hpp"
#include "runtime/attached.hpp"
#include "runtime/library_log.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <xdp/libxdp.h>

#include <array>
#include <cerrno>
#include <utility>

namespace xdpf::runtime {
namespace {

xdp_attach_mode libxdp_mode(Mode mode)
{
    switch (mode) {
    case Mode::native: return XDP_MODE_NATIVE;
    case Mode::skb: return XDP_MODE_SKB;
    case Mode::offload: return XDP_MODE_HW;
    case Mode::automatic: break;
    }
    return XDP_MODE_UNSPEC;
}

Error failed(const Interface &interface, const std::string &call, int code, const LibraryLog &said)
{
    Error error = system_error(fmt::format("cannot attach to '{}' through the dispatcher", interface.name), call, code);
    if (error.cause.empty())
        error.cause = said.last_line();
    if (error.remedy.empty())
        error.remedy = fmt::format("xdp-loader status {}   (bpffs must be mounted at /sys/fs/bpf)", interface.name);
    return error;
}

// Where the compatibility check inside libxdp fails, it attaches the program alone and says so only in a log line.
bool stands_alone(const Interface &interface)
{
    xdp_multiprog *there = xdp_multiprog__get_from_ifindex(interface.index);
    if (there == nullptr || libxdp_get_error(there) != 0)
        return true;
    const bool alone = xdp_multiprog__is_legacy(there);
    xdp_multiprog__close(there);
    return alone;
}

// When the program runs among the others, and after which of its verdicts they run. What the source leaves open is
// libxdp's to choose.
int order(xdp_program *handle, const ProgramImage &program)
{
    int result = program.priority ? xdp_program__set_run_prio(handle, *program.priority) : 0;
    for (unsigned verdict = XDP_ABORTED; program.chain && result >= 0 && verdict <= XDP_REDIRECT; ++verdict)
        result = xdp_program__set_chain_call_enabled(handle, verdict, (*program.chain >> verdict & 1) != 0);
    return result;
}

} // namespace

Result<void> dispatcher_possible()
{
    const LibraryLog quiet;
    const std::array<bpf_insn, 2> nothing = {
        {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
    // Without a program to extend a kernel that knows them answers EINVAL, after it has looked at our rights.
    DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options, .attach_btf_id = 1);
    const Fd fd(bpf_prog_load(BPF_PROG_TYPE_EXT, "xdpf_probe", "GPL", nothing.data(), nothing.size(), &options));
    const int code = fd ? 0 : errno;
    if (fd || code == EINVAL)
        return {};
    Error error = system_error("cannot use the dispatcher", "bpf(BPF_PROG_LOAD, BPF_PROG_TYPE_EXT)", code);
    if (missing_capabilities().empty()) {
        error.cause = "this kernel does not let programs extend others, which is what libxdp's dispatcher is made of";
        error.remedy = "the same command without --dispatcher: the program then has the interface to itself";
    }
    return std::unexpected(std::move(error));
}

Result<Attachment> attach_by_dispatcher(Loaded &program, const Interface &interface, Mode mode)
{
    if (Result<void> possible = dispatcher_possible(); !possible)
        return std::unexpected(std::move(possible.error()));
    const LibraryLog said;
    DECLARE_LIBXDP_OPTS(xdp_program_opts, options, .obj = program.object(), .prog_name = program.name().c_str());
    xdp_program *handle = xdp_program__create(&options);
    if (const long code = libxdp_get_error(handle); code != 0)
        return std::unexpected(failed(interface, "xdp_program__create", static_cast<int>(-code), said));

    if (const int code = order(handle, program.program()); code < 0) {
        xdp_program__close(handle);
        return std::unexpected(failed(interface, "xdp_program__set_run_prio", -code, said));
    }

    Attachment attachment;
    attachment.interface_ = interface;
    attachment.mode_ = mode == Mode::automatic ? Mode::native : mode;
    int result = xdp_program__attach(handle, interface.index, libxdp_mode(attachment.mode_), 0);
    if (result == -EOPNOTSUPP && mode == Mode::automatic) {
        attachment.fallback_ = fmt::format("native mode was refused: {}", said.last_line());
        attachment.mode_ = Mode::skb;
        result = xdp_program__attach(handle, interface.index, XDP_MODE_SKB, 0);
    }
    if (result < 0) {
        xdp_program__close(handle);
        return std::unexpected(failed(interface, "xdp_program__attach", -result, said));
    }
    attachment.dispatched_ = handle;
    attachment.program_id_ = xdp_program__id(handle);
    if (stands_alone(interface))
        return std::unexpected(failed(interface, "xdp_program__attach", EOPNOTSUPP, said));
    return attachment;
}

Result<void> Attachment::undispatch()
{
    const LibraryLog said;
    xdp_program *handle = std::exchange(dispatched_, nullptr);
    const int result = xdp_program__detach(handle, interface_.index, libxdp_mode(mode_), 0);
    xdp_program__close(handle);
    if (result < 0)
        return std::unexpected(failed(interface_, "xdp_program__detach", -result, said));
    return {};
}

} // namespace xdpf::runtime
