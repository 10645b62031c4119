// `xdpf status`: which XDP programs are on the interfaces, whose they are, and what xdpf knows of its own.
#pragma once

#include <string>

namespace xdpf::cli {

struct StatusOptions {
    std::string interface; // empty: all of this network namespace
    bool json = false;
};

// Status 0, also where there are none; 1 where something could not be read.
[[nodiscard]] int status(const StatusOptions &options);

} // namespace xdpf::cli
