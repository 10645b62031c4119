// Packets out of a capture file: pcap and pcapng, compressed or not as libpcap reads them, of Ethernet.
#pragma once

#include "runtime/error.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

namespace xdpf::runtime {

struct CapturedPacket {
    std::span<const std::byte> bytes; // what the file holds of it; good until the next packet is read
    std::uint32_t length = 0;         // in bytes, on the wire: more than bytes.size() where the capture cut it
    std::uint64_t time = 0;           // nanoseconds since 1970
};

class CaptureFile {
public:
    // A path; "-" is standard input. Other links than Ethernet are an error.
    [[nodiscard]] static Result<CaptureFile> open(const std::string &path);
    CaptureFile(CaptureFile &&) noexcept;
    CaptureFile &operator=(CaptureFile &&) noexcept;
    ~CaptureFile();

    // Nothing at the end. An error where the file ends in the middle of a packet, or makes no sense from there on.
    [[nodiscard]] Result<std::optional<CapturedPacket>> next();
    // Bytes of a packet that the capture keeps at most.
    [[nodiscard]] std::uint32_t snap_length() const;

private:
    struct State;
    explicit CaptureFile(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace xdpf::runtime
