// What the kernel can do with programs and maps.
#include "compiler/maps.hpp"
#include "runtime/attach.hpp"
#include "runtime/doctor_parts.hpp"
#include "runtime/library_log.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>

namespace xdpf::runtime {
namespace {

using namespace doctor;

constexpr std::uint32_t live_frames = 1U << 1; // BPF_F_TEST_XDP_LIVE_FRAMES, <linux/bpf.h> since kernel 5.18
constexpr const char *vmlinux_btf = "/sys/kernel/btf/vmlinux";

Finding kernel_version()
{
    utsname names{};
    uname(&names);
    return {"kernel.version", Level::ok, fmt::format("{} {}, {}", names.sysname, names.release, names.machine), "", ""};
}

// By trying, as /proc/sys/net/core has it only in the first network namespace.
Finding compiled_to_machine_code(const Fd &program)
{
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    const bool known = bpf_obj_get_info_by_fd(program.get(), &info, &size) == 0;
    if (known && info.jited_prog_len == 0)
        return {"kernel.jit", Level::warning, "programs are interpreted: the JIT compiler is off",
                "each packet takes several times as long", "sysctl net.core.bpf_jit_enable=1"};
    return {"kernel.jit", Level::ok, "programs are compiled to machine code (JIT)", "", ""};
}

Finding who_may_load()
{
    if (word_of("/proc/sys/kernel/unprivileged_bpf_disabled") == "0")
        return {"kernel.unprivileged", Level::note, "everybody may load some kinds of BPF programs",
                "it makes attacks on the kernel easier; xdpf does not need it",
                "sysctl kernel.unprivileged_bpf_disabled=1"};
    return {"kernel.unprivileged", Level::ok, "only processes with CAP_BPF may load programs", "", ""};
}

// "none [integrity] confidentiality"; kernels without it have no such file.
void check_lockdown(std::vector<Finding> &out)
{
    std::string line;
    std::ifstream file("/sys/kernel/security/lockdown");
    if (std::getline(file, line) && line.find("[confidentiality]") != std::string::npos)
        out.push_back({"kernel.lockdown", Level::note, "the kernel is locked down (confidentiality)",
                       "programs that read the kernel's memory are refused; filters are not among them",
                       "cat /sys/kernel/security/lockdown"});
}

bool has_map(MapKind kind)
{
    const LibraryLog quiet;
    const bool keyless = has(kind, map_trait::keyless);
    const bool ring = has(kind, map_trait::ring);
    const std::uint32_t key = keyless || ring ? 0 : has(kind, map_trait::prefix) ? 8 : 4;
    const std::uint32_t entries = ring ? static_cast<std::uint32_t>(sysconf(_SC_PAGESIZE)) : 1;
    DECLARE_LIBBPF_OPTS(bpf_map_create_opts, options,
                        .map_flags = has(kind, map_trait::no_prealloc) ? std::uint32_t{BPF_F_NO_PREALLOC} : 0U);
    const auto type = static_cast<bpf_map_type>(bpf_type_of(kind));
    return static_cast<bool>(Fd(bpf_map_create(type, "xdpf_probe", key, ring ? 0 : 4, entries, &options)));
}

void check_maps(std::vector<Finding> &out)
{
    constexpr std::array kinds = {
#define XDPF_MAP_KIND(name, bpf_type, traits) MapKind::name,
#include "compiler/map_kinds.def"
#undef XDPF_MAP_KIND
    };
    std::vector<std::string_view> missing;
    for (const MapKind kind : kinds)
        if (!has_map(kind))
            missing.push_back(name_of(kind));
    if (std::ranges::find(missing, "xskmap") != missing.end())
        out.push_back({"kernel.xskmap", Level::problem, "there are no maps of sockets (xskmap)",
                       "no packet can be sent to an AF_XDP socket; the kernel is built without CONFIG_XDP_SOCKETS, or "
                       "older than 4.18",
                       newer_kernel});
    std::erase(missing, "xskmap");
    if (missing.empty())
        out.push_back(
            {"kernel.maps", Level::ok, fmt::format("all {} kinds of maps can be made", kinds.size()), "", ""});
    else
        out.push_back({"kernel.maps", Level::warning, fmt::format("no maps of kind {}", fmt::join(missing, ", ")),
                       "filters that declare such maps cannot be loaded", newer_kernel});
}

// Those that kernels have had since 4.18 at the latest are left out.
struct NeededHelper {
    bpf_func_id id;
    std::string_view name;
    std::string_view use;
};
constexpr std::array needed_helpers = {
    NeededHelper{BPF_FUNC_redirect_map, "bpf_redirect_map", "redirect, xsk"},
    NeededHelper{BPF_FUNC_xdp_adjust_tail, "bpf_xdp_adjust_tail", "shorter and longer packets"},
    NeededHelper{BPF_FUNC_map_push_elem, "bpf_map_push_elem", "queues, stacks and Bloom filters"},
    NeededHelper{BPF_FUNC_ringbuf_reserve, "bpf_ringbuf_reserve", "emit"},
    NeededHelper{BPF_FUNC_ringbuf_output, "bpf_ringbuf_output", "sample"},
    NeededHelper{BPF_FUNC_xdp_get_buff_len, "bpf_xdp_get_buff_len", "the length of packets in several pieces"},
    NeededHelper{BPF_FUNC_xdp_load_bytes, "bpf_xdp_load_bytes", "the bytes of packets in several pieces"},
};

void check_helpers(std::vector<Finding> &out)
{
    const LibraryLog quiet;
    std::vector<std::string_view> missing;
    std::vector<std::string_view> uses;
    for (const NeededHelper &helper : needed_helpers)
        if (libbpf_probe_bpf_helper(BPF_PROG_TYPE_XDP, helper.id, nullptr) == 0) {
            missing.push_back(helper.name);
            uses.push_back(helper.use);
        }
    if (missing.empty())
        out.push_back({"kernel.helpers", Level::ok, "the kernel's functions that filters call are all there", "", ""});
    else
        out.push_back({"kernel.helpers", Level::warning, fmt::format("the kernel lacks {}", fmt::join(missing, ", ")),
                       fmt::format("filters cannot be loaded that need {}", fmt::join(uses, ", ")), newer_kernel});
}

void check_verifier(std::vector<Finding> &out)
{
    constexpr std::array<bpf_insn, 5> loop = {{{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0},
                                               {BPF_ALU64 | BPF_ADD, 0, 0, 0, 1},
                                               {BPF_JMP | BPF_JLT | BPF_K, 0, 0, -2, 4},
                                               {BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_PASS},
                                               {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
    if (load_xdp(loop))
        out.push_back({"kernel.loops", Level::ok, "the verifier follows loops that end", "", ""});
    else
        out.push_back({"kernel.loops", Level::warning, "the verifier refuses loops",
                       "filters that walk through lists of options or headers cannot be loaded", newer_kernel});
    if (load_xdp(pass_program(), BPF_F_XDP_HAS_FRAGS))
        out.push_back({"kernel.frags", Level::ok, "programs may take packets in several pieces (frags)", "", ""});
    else
        out.push_back({"kernel.frags", Level::note, "programs cannot take packets in several pieces (frags)",
                       "filters that say `frags`, for an MTU above a page, cannot be loaded", newer_kernel});
}

// The verdict of a program for a packet of zeros, or -errno.
int verdict_of_run(const Fd &program, std::uint32_t flags = 0)
{
    std::array<std::byte, 64> packet{};
    LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet.data(), .data_size_in = packet.size(), .repeat = 1);
    run.flags = flags;
    const int result = bpf_prog_test_run_opts(program.get(), &run);
    return result < 0 ? result : static_cast<int>(run.retval);
}

// Before 5.14 the kernel's function answers "aborted" to the flag.
bool broadcasts()
{
    const LibraryLog quiet;
    const Fd map(bpf_map_create(BPF_MAP_TYPE_DEVMAP, "xdpf_probe", 4, 4, 1, nullptr));
    const std::array<bpf_insn, 6> program = {{{BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, map.get()},
                                              {},
                                              {BPF_ALU64 | BPF_MOV | BPF_K, 2, 0, 0, 0},
                                              {BPF_ALU64 | BPF_MOV | BPF_K, 3, 0, 0, BPF_F_BROADCAST},
                                              {BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_redirect_map},
                                              {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
    const Fd loaded = load_xdp(program);
    return loaded && verdict_of_run(loaded) == XDP_REDIRECT;
}

bool makes_live_frames()
{
    constexpr std::array<bpf_insn, 2> drop = {
        {{BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, XDP_DROP}, {BPF_JMP | BPF_EXIT, 0, 0, 0, 0}}};
    const Fd program = load_xdp(drop);
    return program && verdict_of_run(program, live_frames) >= 0;
}

void check_runs(std::vector<Finding> &out)
{
    if (broadcasts())
        out.push_back({"kernel.broadcast", Level::ok, "a packet may be redirected to many interfaces (m[*])", "", ""});
    else
        out.push_back({"kernel.broadcast", Level::note, "a packet cannot be redirected to many interfaces (m[*])",
                       "the kernel drops packets that filters redirect so", newer_kernel});
    if (makes_live_frames())
        out.push_back(
            {"kernel.live_frames", Level::ok, "the kernel makes packets by itself (xdpf send --live)", "", ""});
    else
        out.push_back({"kernel.live_frames", Level::note, "the kernel makes no packets by itself (live frames)",
                       "xdpf send --live is refused; without --live it sends through a socket", newer_kernel});
}

Finding attach_by_link(const Fd &program)
{
    const std::string why = "xdpf attaches in no other way: the kernel then detaches when the process ends";
    ProbeNetwork network;
    if (!network.missing().empty())
        return {"kernel.link", Level::note, "not tried whether programs can be attached through a bpf_link",
                network.missing(), "sudo xdpf doctor"};
    const int code = network.in([&] {
        const LibraryLog quiet;
        DECLARE_LIBBPF_OPTS(bpf_link_create_opts, options, .flags = XDP_FLAGS_DRV_MODE);
        const int index = static_cast<int>(if_nametoindex(ProbeNetwork::near));
        const int fd = bpf_link_create(program.get(), index, BPF_XDP, &options);
        const Fd link(fd);
        return fd < 0 ? -fd : 0;
    });
    if (code != 0)
        return {"kernel.link", Level::problem,
                fmt::format("a program cannot be attached through a bpf_link: {}", errno_text(code)), why,
                newer_kernel};
    return {"kernel.link", Level::ok, "a program was attached to a veth pair in native mode, through a bpf_link", "",
            ""};
}

void check_dispatcher(std::vector<Finding> &out)
{
    if (const Result<void> possible = dispatcher_possible(); possible)
        out.push_back(
            {"kernel.dispatcher", Level::ok, "several programs can share an interface (--dispatcher)", "", ""});
    else
        out.push_back({"kernel.dispatcher", Level::note,
                       fmt::format("no dispatcher: programs that extend others are refused: {}",
                                   errno_text(possible.error().code)),
                       "an interface takes one program; --dispatcher does not work, nor do xdp-loader's lists",
                       "xdp-loader features lo   (what libxdp says of it)"});
}

struct CloseBtf {
    void operator()(btf *types) const { btf__free(types); }
};

void check_types(std::vector<Finding> &out)
{
    const LibraryLog quiet;
    const std::unique_ptr<btf, CloseBtf> types(btf__load_vmlinux_btf());
    if (!types) {
        const std::string reason = access(vmlinux_btf, R_OK) == 0 ? "cannot be made sense of" : errno_text(errno);
        out.push_back(
            {"kernel.btf", Level::note, fmt::format("no types of the kernel: {}: {}", vmlinux_btf, reason),
             "filters that read receive metadata (rx_hash, rx_timestamp, rx_vlan) cannot be loaded; the kernel "
             "is built without CONFIG_DEBUG_INFO_BTF",
             newer_kernel});
        return;
    }
    out.push_back({"kernel.btf", Level::ok, fmt::format("the kernel describes its types ({})", vmlinux_btf), "", ""});
    std::vector<std::string_view> missing;
    for (const char *function :
         {"bpf_xdp_metadata_rx_hash", "bpf_xdp_metadata_rx_timestamp", "bpf_xdp_metadata_rx_vlan_tag"})
        if (btf__find_by_name_kind(types.get(), function, BTF_KIND_FUNC) < 0)
            missing.push_back(function);
    if (missing.empty())
        out.push_back({"kernel.metadata", Level::ok,
                       "receive metadata can be asked for (rx_hash, rx_timestamp, rx_vlan)", "", ""});
    else
        out.push_back({"kernel.metadata", Level::note, fmt::format("the kernel has no {}", fmt::join(missing, ", ")),
                       "filters that read that receive metadata cannot be loaded", newer_kernel});
}

} // namespace

std::vector<Finding> check_kernel()
{
    std::vector<Finding> out{kernel_version()};
    const Fd program = load_xdp(pass_program());
    const int code = program ? 0 : errno;
    if (code == ENOSYS) {
        out.push_back({"kernel.bpf", Level::problem, "the kernel has no BPF",
                       "it is built without CONFIG_BPF_SYSCALL, or a sandbox hides the system call", newer_kernel});
        return out;
    }
    out.push_back(who_may_load());
    check_lockdown(out);
    if (code != 0) {
        const Error error = system_error("", "", code);
        out.push_back({"kernel.bpf", missing_capabilities().empty() ? Level::problem : Level::note,
                       fmt::format("no program can be loaded, so that the rest was not tried: {}", errno_text(code)),
                       error.cause, error.remedy.empty() ? "sudo xdpf doctor" : error.remedy});
        return out;
    }
    out.push_back({"kernel.bpf", Level::ok, "a program was loaded", "", ""});
    out.push_back(compiled_to_machine_code(program));
    check_maps(out);
    check_helpers(out);
    check_verifier(out);
    check_runs(out);
    out.push_back(attach_by_link(program));
    check_dispatcher(out);
    check_types(out);
    return out;
}

} // namespace xdpf::runtime
