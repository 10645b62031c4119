#include "runtime/error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>
#include <utility>

namespace xdpf::runtime {
namespace {

struct Capability {
    unsigned bit;
    std::string_view name;
};
// CAP_PERFMON is for the verifier: without it, it takes less arithmetic on pointers.
constexpr std::array<Capability, 4> needed = {{{CAP_BPF, "CAP_BPF"},
                                               {CAP_PERFMON, "CAP_PERFMON"},
                                               {CAP_NET_ADMIN, "CAP_NET_ADMIN"},
                                               {CAP_NET_RAW, "CAP_NET_RAW"}}};

// Effective capabilities as a bit set, from /proc (no libcap needed).
std::uint64_t effective_capabilities()
{
    std::ifstream status("/proc/thread-self/status");
    std::string line;
    while (std::getline(status, line)) {
        unsigned long long bits = 0;
        if (std::sscanf(line.c_str(), "CapEff: %llx", &bits) == 1)
            return bits;
    }
    return ~0ULL;
}

// The first one maps all user ids to themselves: "0 0 4294967295".
bool in_user_namespace()
{
    std::ifstream map("/proc/self/uid_map");
    std::uint64_t inside = 0;
    std::uint64_t outside = 0;
    std::uint64_t count = 0;
    return map >> inside >> outside >> count && (outside != 0 || count != 0xffff'ffff);
}

std::string executable()
{
    std::array<char, 4096> path{};
    const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
    return length > 0 ? std::string(path.data(), static_cast<std::size_t>(length)) : "xdpf";
}

} // namespace

bool has_capability(unsigned capability) { return (effective_capabilities() >> capability & 1) != 0; }

std::string missing_capabilities()
{
    const std::uint64_t have = effective_capabilities();
    const bool admin = (have >> CAP_SYS_ADMIN & 1) != 0; // stands in for the first two
    std::string missing;
    for (const Capability &capability : needed) {
        if ((have >> capability.bit & 1) != 0 ||
            (admin && (capability.bit == CAP_BPF || capability.bit == CAP_PERFMON)))
            continue;
        missing += missing.empty() ? "" : ", ";
        missing += capability.name;
    }
    return missing;
}

std::string how_to_give_capabilities()
{
    return fmt::format("sudo setcap cap_bpf,cap_perfmon,cap_net_admin,cap_net_raw,cap_ipc_lock=ep {}", executable());
}

std::string printable(std::string_view text)
{
    std::string out;
    for (const char c : text)
        if ((static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f)
            out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        else
            out += c;
    return out;
}

std::string errno_name(int code)
{
    const char *name = strerrorname_np(code);
    return name != nullptr ? name : fmt::format("errno {}", code);
}

std::string errno_text(int code)
{
    if (code == 0)
        return {};
    const char *text = strerrordesc_np(code);
    return fmt::format("{} ({})", text != nullptr ? text : "error", errno_name(code));
}

Error system_error(std::string stage, std::string call, int code)
{
    Error error;
    error.stage = std::move(stage);
    error.call = std::move(call);
    error.code = code;
    const char *text = strerrordesc_np(code);
    error.message = text != nullptr ? text : "unknown error";
    if (code == EPERM && error.call.find("GET_FD_BY_ID") != std::string::npos && !has_capability(CAP_SYS_ADMIN)) {
        error.cause = "what other processes loaded is only for CAP_SYS_ADMIN";
        error.remedy = "sudo xdpf …";
    } else if (code == EPERM || code == EACCES) {
        const std::string missing = missing_capabilities();
        if (!missing.empty()) {
            error.cause = fmt::format("this process lacks {}", missing);
            error.remedy = fmt::format("{}   (or run it with sudo)", how_to_give_capabilities());
        } else if (code == EPERM && in_user_namespace()) {
            error.cause = "this process is root only in a user namespace, and BPF wants rights in the first one";
            error.remedy = "cat /proc/self/uid_map   (who it is outside; start it there, with sudo)";
        } else if (code == EPERM) {
            error.cause = "the kernel forbids it although the capabilities are there: a container's "
                          "seccomp filter, or lockdown";
            error.remedy = "grep Seccomp /proc/self/status; cat /sys/kernel/security/lockdown";
        }
    } else if (code == EMFILE) {
        rlimit limit{};
        getrlimit(RLIMIT_NOFILE, &limit);
        error.cause =
            fmt::format("this process has {} files, maps and sockets open, which is all it may", limit.rlim_cur);
        error.remedy = fmt::format("ulimit -n {}   (or fewer --queues)", 4 * std::max<rlim_t>(limit.rlim_cur, 256));
    } else if (code == ENFILE) {
        error.cause = "the whole system has as many files open as it may";
        error.remedy = "sysctl fs.file-nr fs.file-max";
    }
    return error;
}

std::string to_string(const Error &error)
{
    std::string out = fmt::format("error: {}", printable(error.stage));
    if (!error.call.empty())
        out += fmt::format(": {}", printable(error.call));
    if (!error.message.empty())
        out += fmt::format(": {}", printable(error.message));
    if (error.code != 0)
        out += fmt::format(" ({})", errno_name(error.code));
    if (error.place.line != 0) {
        out += fmt::format("\n  at:    {}:{}", printable(error.place.file), error.place.line);
        if (!error.place.text.empty())
            out += fmt::format(": {}", printable(error.place.text));
    } else if (!error.place.text.empty()) {
        out += fmt::format("\n  at:    {}", printable(error.place.text));
    }
    if (!error.cause.empty())
        out += fmt::format("\n  cause: {}", printable(error.cause));
    if (!error.remedy.empty())
        out += fmt::format("\n  try:   {}", printable(error.remedy));
    return out;
}

} // namespace xdpf::runtime
