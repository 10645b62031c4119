// `xdpf doctor`: will it work here, and what helps where not.
#pragma once

#include <chrono>
#include <optional>
#include <string>

namespace xdpf::cli {

struct DoctorOptions {
    std::string interface; // empty: a line for each that there is
    bool json = false;
    // --why: a program at work is watched instead.
    bool why = false;
    std::string program;
    std::optional<std::chrono::milliseconds> duration; // 3 s
};

// Status 0, or 1 where there is a problem.
[[nodiscard]] int doctor(const DoctorOptions &options);
// Where the packets of a program at work go, and where they go missing.
[[nodiscard]] int doctor_why(const DoctorOptions &options);

} // namespace xdpf::cli
