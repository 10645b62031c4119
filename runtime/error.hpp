// What the environment refused: the step, the system call, its errno, why, and a command that helps.
#pragma once

#include "compiler/base/source.hpp"

#include <cstdint>
#include <expected>
#include <initializer_list>
#include <string>
#include <string_view>

namespace xdpf::runtime {

// A place in a .xdpf file that the kernel's verifier pointed at. Line 0: none.
struct SourcePlace {
    std::string file;
    std::uint32_t line = 0;
    std::string text;
};

struct Error {
    std::string stage;   // "cannot attach to 'eth9'"
    std::string call;    // "bpf_link_create"; empty where no call failed
    int code = 0;        // errno value; 0: none
    std::string message; // "No such device", or the verifier's own words
    std::string cause;   // why, in a sentence; may be empty
    std::string remedy;  // a command to type; may be empty
    SourcePlace place;   // of a verifier's rejection
    std::string log;     // the verifier's whole log, only of a rejection
    Span span{};         // of the image's source that it is about, where there is no place; may be invalid
};

template <class T> using Result = std::expected<T, Error>;

// Multi-line text for people, ending without a line end:
//   error: cannot attach to 'eth9': bpf_link_create: No such device (ENODEV)
//     cause: there is no interface of that name in this network namespace
//     try:   ip link show
[[nodiscard]] std::string to_string(const Error &error);

// "No such device (ENODEV)"; 0 gives an empty text.
[[nodiscard]] std::string errno_text(int code);
// "ENODEV"; unknown values give the number.
[[nodiscard]] std::string errno_name(int code);

// An error of a call, with the system's text as its message. EPERM and EACCES get the missing capabilities as cause.
[[nodiscard]] Error system_error(std::string stage, std::string call, int code);

// Whether this thread has a capability, CAP_… of <linux/capability.h>.
[[nodiscard]] bool has_capability(unsigned capability);
// Those that loading, attaching and receiving need and that this thread lacks, as "CAP_BPF, CAP_NET_RAW"; empty: none.
[[nodiscard]] std::string missing_capabilities();
// The command that gives them to this program, with CAP_IPC_LOCK for the memory of sockets.
[[nodiscard]] std::string how_to_give_capabilities();

// Control characters as \x1b, but tabs: names of files and interfaces may have some that drive a terminal.
[[nodiscard]] std::string printable(std::string_view text);

} // namespace xdpf::runtime
