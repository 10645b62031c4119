// Who else has a program on an interface.
#pragma once

#include "runtime/interface.hpp"

#include <cstdint>
#include <string>

namespace xdpf::runtime {

struct AttachedProgram {
    std::uint32_t id = 0; // of the program; 0: none is attached
    std::string name;
    std::string mode;          // "native", "skb", "offload"
    std::uint32_t link_id = 0; // 0: attached without a bpf_link
    int pid = 0;               // of a process that holds the link; 0: none found
    std::string process;       // its name
    bool pinned = false;       // by xdpf attach: it needs no process
    bool seen = false;         // without CAP_SYS_ADMIN: only its id and mode are known
};

// The first program on the interface, in any mode. The search for the link's owner reads /proc: for errors only.
[[nodiscard]] AttachedProgram find_attached(const Interface &interface);
// "XDP program 'x' (id 4, native mode) is attached, by process 12 (xdpf)".
[[nodiscard]] std::string describe(const AttachedProgram &program);
// The command that removes it.
[[nodiscard]] std::string how_to_remove(const AttachedProgram &program, const Interface &interface);

} // namespace xdpf::runtime
