// A capture as pcapng files: one, or one after the other as tcpdump's -C, -G and -W have them. Each file is whole: it
// has the section's header and all interfaces. Not thread-safe.
#pragma once

#include "runtime/pcapng.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace xdpf::runtime {

struct CaptureOptions {
    std::string path{};                     // "-": standard output, which does not go with rotation
    std::uint32_t snap_length = 262'144;    // bytes that are kept of a packet
    std::optional<std::uint64_t> packets{}; // done() behind so many
    // A packet goes into a new file where the file is larger than so many bytes, buffered ones with it: PATH, PATH1,
    // PATH2, … With `files` they are numbered from 0, with as many digits as the last one has, and begin anew behind
    // it.
    std::optional<std::uint64_t> file_bytes{};
    // A packet goes into a new file so long after the file was begun. PATH is strftime()'s format, of local time;
    // without one in it, the file is overwritten. With `files` (and no `file_bytes`), done() where a further one would
    // begin; with `file_bytes` numbers stand behind the time, and `files` only says how many digits they have.
    std::optional<std::chrono::seconds> file_time{};
    std::optional<std::uint32_t> files{};
    bool packet_buffered = false; // every packet is in the file when write() returns
};

// What the writer does not know itself; nothing of what is not known.
struct CaptureCounts {
    std::optional<std::uint64_t> received; // packets, by the interface
    std::optional<std::uint64_t> accepted; // packets that should have been captured
    std::optional<std::uint64_t> dropped;  // of those, lost
};

class CaptureWriter {
public:
    // Creates the first file, so that what is wrong with it is known before packets are.
    [[nodiscard]] static Result<CaptureWriter> open(const CaptureOptions &options);

    // The number that its packets have; interfaces can be added at any time. The snap length is the capture's unless
    // the interface's own is shorter.
    [[nodiscard]] Result<std::uint32_t> add_interface(PcapngInterface interface);

    // Cuts the packet to the snap length. Where done() is true nothing is written; behind an error, too, it is.
    [[nodiscard]] Result<void> write(const PcapngPacket &packet);
    [[nodiscard]] bool done() const { return done_; }

    [[nodiscard]] Result<void> flush();
    // Writes the interfaces' statistics, by their number, into the last file and closes it; once. The destructor closes
    // it, too, without statistics.
    [[nodiscard]] Result<void> finish(const std::vector<CaptureCounts> &counts = {});

    [[nodiscard]] std::uint64_t packets() const { return packets_; } // written, as the next ones
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }     // that were kept of packets
    [[nodiscard]] std::uint64_t files() const { return files_; }     // begun so far
    [[nodiscard]] const std::string &path() const { return path_; }  // of the file that is being written

private:
    struct Interface {
        PcapngInterface description;
        std::uint64_t delivered = 0; // packets
    };
    CaptureWriter(const CaptureOptions &options, std::uint64_t now);
    [[nodiscard]] Result<void> begin_file(std::uint64_t now);
    [[nodiscard]] Result<void> rotate(std::uint64_t now);
    [[nodiscard]] Result<void> settle(Result<void> written);
    [[nodiscard]] std::string file_path(std::uint64_t now) const;

    CaptureOptions options_;
    std::vector<Interface> interfaces_;
    std::optional<PcapngFile> file_; // none behind the end, or an error
    std::string path_;
    std::uint64_t started_;     // ns since 1970: the capture
    std::uint64_t period_;      // as started_: the file that file_time counts from
    std::uint64_t periods_ = 1; // of file_time, this one counted
    std::uint32_t number_ = 0;  // of the file in its period, or in the ring
    std::uint64_t files_ = 0;
    std::uint64_t packets_ = 0;
    std::uint64_t bytes_ = 0;
    bool done_ = false;
};

} // namespace xdpf::runtime
