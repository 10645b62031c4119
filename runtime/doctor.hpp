// Everything that decides whether programs and AF_XDP sockets will work here, looked at before they are wanted. What
// can be tried is tried: programs are loaded, maps made, sockets bound in a network namespace that is gone afterwards.
// Nothing that others see is changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::runtime {

enum class Level : std::uint8_t {
    ok,
    note,    // works, and somebody may want to know: a feature that there is not, a thing that could not be looked at
    warning, // works, and some packets, or some filters, will not
    problem  // does not work
};
[[nodiscard]] std::string_view name_of(Level level); // "ok", "note", "warning", "problem"

struct Finding {
    std::string id; // "kernel.jit", stable; what is in front of the dot is its group
    Level level = Level::ok;
    std::string what;   // was found, in a line
    std::string why;    // it matters; may be empty where all is well
    std::string remedy; // a command to type; may be empty
};

// BPF in this kernel: "kernel.…". Without the rights to try, one finding says so.
[[nodiscard]] std::vector<Finding> check_kernel();
// AF_XDP in this kernel: "sockets.…".
[[nodiscard]] std::vector<Finding> check_sockets();
// What this process may: "rights.…".
[[nodiscard]] std::vector<Finding> check_rights();
// Of an interface of the calling thread's network namespace: "interface.…".
[[nodiscard]] std::vector<Finding> check_interface(const std::string &name);
// A line for each interface there: "interfaces.NAME".
[[nodiscard]] std::vector<Finding> list_interfaces();

} // namespace xdpf::runtime
