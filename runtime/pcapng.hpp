// Writes one pcapng file (draft-ietf-opsawg-pcapng) of Ethernet, in this machine's byte order, through a buffer of its
// own. Files are whole once close() was called; until then what was flushed can be read.
#pragma once

#include "runtime/error.hpp"
#include "runtime/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::runtime {

// Empty texts are left out; of those longer than an option holds (65,535 bytes) the beginning is written.
struct PcapngSection {
    std::string hardware;    // shb_hardware
    std::string os;          // shb_os
    std::string application; // shb_userappl
};

struct PcapngInterface {
    std::string name;              // if_name
    std::string description;       // if_description
    std::string filter;            // if_filter, as text
    std::uint32_t snap_length = 0; // bytes that are kept of a packet at most; 0: all
};

struct PcapngPacket {
    std::uint32_t interface = 0;          // the number that the interface has in the file
    std::uint64_t time = 0;               // nanoseconds since 1970
    std::span<const std::byte> bytes;     // what is kept of it
    std::uint32_t length = 0;             // in bytes, on the wire
    std::optional<std::uint32_t> queue;   // epb_queue: the receive queue
    std::optional<std::uint32_t> verdict; // epb_verdict: XDP_… of <linux/bpf.h>
    std::uint64_t dropped = 0;            // epb_dropcount: packets lost since the interface's last one; 0 is left out
    std::string_view comment{};           // empty: none
};

struct PcapngStatistics {
    std::uint64_t start = 0;                // nanoseconds since 1970
    std::uint64_t end = 0;                  // as start
    std::optional<std::uint64_t> received;  // isb_ifrecv: packets that the interface received
    std::optional<std::uint64_t> dropped;   // isb_ifdrop: packets lost for want of room
    std::optional<std::uint64_t> accepted;  // isb_filteraccept: packets that the filter let through
    std::optional<std::uint64_t> delivered; // isb_usrdeliv: packets that got into the capture
};

class PcapngFile {
public:
    // "-" is standard output. A file that is there already is overwritten.
    [[nodiscard]] static Result<PcapngFile> create(const std::string &path);
    PcapngFile(PcapngFile &&) noexcept = default;
    PcapngFile &operator=(PcapngFile &&) = delete;
    ~PcapngFile(); // as close(), without telling of failures

    // Blocks, in the order of calls: a section first, interfaces (numbered from 0) before what is about them. Errors
    // are those of writing: a full disk, EPIPE where the reader of a pipe is gone. What a file holds then ends with a
    // whole block, as far as it can be cut.
    [[nodiscard]] Result<void> section(const PcapngSection &section);
    [[nodiscard]] Result<void> interface(const PcapngInterface &interface);
    [[nodiscard]] Result<void> packet(const PcapngPacket &packet);
    [[nodiscard]] Result<void> statistics(std::uint32_t interface, const PcapngStatistics &statistics);

    [[nodiscard]] Result<void> flush();                                   // what lies in the buffer goes into the file
    [[nodiscard]] Result<void> close();                                   // flushes
    [[nodiscard]] std::uint64_t size() const { return written_ + used_; } // bytes, with those in the buffer

private:
    PcapngFile(std::string path, Fd fd);
    template <class T> void put(T value);
    void put_bytes(std::span<const std::byte> bytes);
    void put_option(std::uint16_t code, std::span<const std::byte> value);
    void put_text(std::uint16_t code, std::string_view text);
    void put_counter(std::uint16_t code, const std::optional<std::uint64_t> &value);
    [[nodiscard]] Result<void> begin(std::uint32_t type, std::size_t most);
    void end();
    [[nodiscard]] Error failed(const char *call, int code) const;
    void cut_to_whole_blocks(std::size_t written);

    std::string path_;
    Fd fd_;
    std::vector<std::byte> buffer_;
    std::size_t used_ = 0;      // of the buffer
    std::size_t block_ = 0;     // where in it the block begins that is being written
    std::uint64_t written_ = 0; // bytes in the file
};

} // namespace xdpf::runtime
