// What the programs that tests/bench/run measures with have in common.
#pragma once

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string_view>
#include <vector>

namespace xdpf::bench {

inline volatile std::sig_atomic_t stop = 0;

// A system call that waits ends with EINTR.
inline void stop_on_sigint()
{
    struct sigaction action {};
    action.sa_handler = [](int) { stop = 1; };
    sigaction(SIGINT, &action, nullptr);
}

[[noreturn]] inline void fail(const char *call, int code)
{
    fmt::print(stderr, "bench: {}: {}\n", call, std::strerror(code < 0 ? -code : code));
    std::exit(1);
}

inline std::optional<std::uint32_t> number(std::string_view text)
{
    std::uint32_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    return failed == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

constexpr std::size_t udp_payload = 42; // where it begins

// Ethernet, IPv4 10.9.0.2 to 10.9.0.1, UDP 4096 to 8192 without a checksum; lengths as the size says.
inline std::vector<std::byte> udp_packet(std::size_t size)
{
    constexpr std::array<std::uint8_t, udp_payload> headers{2,    0, 0,  0, 0, 1, 2,    0, 0,    0,  0, 2, 8,  0,
                                                            0x45, 0, 0,  0, 0, 0, 0,    0, 64,   17, 0, 0, 10, 9,
                                                            0,    2, 10, 9, 0, 1, 0x10, 0, 0x20, 0,  0, 0, 0,  0};
    std::vector<std::byte> packet(size);
    std::memcpy(packet.data(), headers.data(), headers.size());
    const auto put = [&](std::size_t at, std::size_t value) {
        packet[at] = static_cast<std::byte>(value >> 8);
        packet[at + 1] = static_cast<std::byte>(value);
    };
    put(16, size - 14);
    put(38, size - 34);
    std::uint32_t sum = 0;
    for (std::size_t at = 14; at < 34; at += 2)
        sum += std::to_integer<std::uint32_t>(packet[at]) << 8 | std::to_integer<std::uint32_t>(packet[at + 1]);
    put(24, ~(sum + (sum >> 16)) & 0xffff);
    return packet;
}

} // namespace xdpf::bench
