#include "runtime/doctor_parts.hpp"

#include "runtime/library_log.hpp"
#include "runtime/test_device.hpp"

#include <bpf/bpf.h>
#include <sched.h>

#include <array>
#include <cerrno>
#include <fstream>

namespace xdpf::runtime {

std::string_view name_of(Level level)
{
    switch (level) {
    case Level::ok: return "ok";
    case Level::note: return "note";
    case Level::warning: return "warning";
    case Level::problem: return "problem";
    }
    return "";
}

namespace doctor {

ProbeNetwork::ProbeNetwork()
{
    missing_ = worker_.call([]() -> std::string {
        if (unshare(CLONE_NEWNET) != 0)
            return "no network namespace to try it in: unshare: " + errno_text(errno);
        const Result<void> made = make_veth({.name = near, .peer = far, .queues = 2, .peer_queues = 2});
        return made ? "" : "no veth pair to try it on: " + errno_text(made.error().code);
    });
}

Fd load_xdp(std::span<const bpf_insn> instructions, std::uint32_t flags)
{
    const LibraryLog quiet;
    DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, options, .prog_flags = flags);
    return Fd(
        bpf_prog_load(BPF_PROG_TYPE_XDP, "xdpf_probe", "GPL", instructions.data(), instructions.size(), &options));
}

std::span<const bpf_insn> pass_program()
{
    static constexpr std::array<bpf_insn, 2> pass = {
        {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
    return pass;
}

std::string word_of(const std::string &path)
{
    std::string word;
    std::ifstream(path) >> word;
    return word;
}

} // namespace doctor
} // namespace xdpf::runtime
