// `xdpf doctor`: will it work here, and what helps where not.
#pragma once

#include <string>

namespace xdpf::cli {

struct DoctorOptions {
    std::string interface; // empty: a line for each that there is
    bool json = false;
};

// Status 0, or 1 where there is a problem.
[[nodiscard]] int doctor(const DoctorOptions &options);

} // namespace xdpf::cli
