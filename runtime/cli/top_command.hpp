// `xdpf top`: programs at work, with what they decide and where packets are lost, a second after the other.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace xdpf::cli {

struct TopOptions {
    std::string interface; // empty: all of this network namespace
    std::optional<std::chrono::milliseconds> interval;
    std::optional<std::uint64_t> count; // of looks
    bool json = false;
};

[[nodiscard]] int top(const TopOptions &options);

} // namespace xdpf::cli
