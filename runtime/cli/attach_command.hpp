// `xdpf attach` and `xdpf detach`: programs that stay at work without a process.
#pragma once

#include "runtime/attach.hpp"
#include "runtime/cli/source.hpp"

#include <map>
#include <string>

namespace xdpf::cli {

struct AttachOptions {
    SourceOptions source;
    std::string interface;
    std::string program; // empty: the file's first
    runtime::Mode mode = runtime::Mode::automatic;
    std::map<std::string, std::string> parameters;     // as runtime::LoadOptions
    std::map<std::string, std::string> entry_programs; // as runtime::LoadOptions
    bool replace = false;                              // the pinned program that is there
    bool verifier_log = false;
    bool json = false;
};

struct DetachOptions {
    std::string interface;
    bool json = false;
};

[[nodiscard]] int attach(const AttachOptions &options);
[[nodiscard]] int detach(const DetachOptions &options);

} // namespace xdpf::cli
