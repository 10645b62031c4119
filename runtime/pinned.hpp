// Programs that stay at work without a process: their link is pinned in bpffs, and they are in the registry.
#pragma once

#include "runtime/attach.hpp"
#include "runtime/registry.hpp"

#include <map>
#include <string>
#include <vector>

namespace xdpf::runtime {

struct PinnedOptions {
    std::string interface {
    };
    std::string program{}; // its name; empty: the image's first
    Mode mode = Mode::automatic;
    bool verifier_log = false;
    std::map<std::string, std::string> parameters{};     // as LoadOptions
    std::map<std::string, std::string> entry_programs{}; // as LoadOptions
    Origin origin{};
};

struct Pinned {
    Registered entry;
    std::vector<std::string> warnings;
    std::string verifier_log;
    std::string replaced;          // the program that was there before; empty: none
    std::vector<std::string> kept; // maps taken over from it, with what they hold
};

// Loads, attaches, pins the link, registers. What fails leaves nothing behind. Without a bpffs, an error.
[[nodiscard]] Result<Pinned> attach_pinned(const Image &image, const PinnedOptions &options);

// The same in place of the pinned program that is there: its link goes on with the new program from one packet to the
// next (bpf_link_update), in its mode. Maps of the same name, kind, types, size and flags go on with what they hold;
// parameters begin anew. Without a pinned program there, attach_pinned().
[[nodiscard]] Result<Pinned> replace_pinned(const Image &image, const PinnedOptions &options);

struct Detached {
    Registered entry;                  // what was there
    std::vector<std::string> warnings; // what else was cleaned up
};

// Detaches what attach_pinned() did, removes its pins and asks the kernel whether it is gone. Other programs are left
// alone: the error says whose they are.
[[nodiscard]] Result<Detached> detach_pinned(const std::string &interface);

} // namespace xdpf::runtime
