#include "runtime/pcapng.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace xdpf::runtime {
namespace {

constexpr std::size_t buffer_size = 1 << 20;
constexpr std::size_t longest_option = 65'535; // bytes: its length has 16 bits

// Section 4 of the draft.
enum BlockType : std::uint32_t {
    section_header = 0x0a0d0d0a,
    interface_description = 1,
    interface_statistics = 5,
    enhanced_packet = 6,
};
constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
constexpr std::uint16_t ethernet = 1; // LINKTYPE_ETHERNET

enum Option : std::uint16_t {
    opt_endofopt = 0,
    opt_comment = 1,
    shb_hardware = 2,
    shb_os = 3,
    shb_userappl = 4,
    if_name = 2,
    if_description = 3,
    if_tsresol = 9,
    if_filter = 11,
    epb_dropcount = 4,
    epb_queue = 6,
    epb_verdict = 7,
    isb_starttime = 2,
    isb_endtime = 3,
    isb_ifrecv = 4,
    isb_ifdrop = 5,
    isb_filteraccept = 6,
    isb_usrdeliv = 8,
};
constexpr std::uint8_t nanoseconds = 9;    // if_tsresol: 10^-9 s
constexpr std::byte verdict_of_xdp{2};     // epb_verdict's first byte: Linux_eBPF_XDP; 1 is TC's
const std::string filter_is_text(1, '\0'); // if_filter's first byte

// Whole words of 32 bits, in bytes.
constexpr std::size_t to_words(std::size_t size) { return (size + 3) / 4 * 4; }
constexpr std::size_t option_size(std::size_t size) { return 4 + to_words(std::min(size, longest_option)); }

std::string cannot_write(const std::string &path)
{
    return fmt::format("cannot write {}", path == "-" ? "to standard output" : fmt::format("'{}'", path));
}

Error not_created(const std::string &path, int code)
{
    Error error = system_error(cannot_write(path), "open", code);
    if (code == ENOENT)
        error.cause = "there is no such folder";
    else if (code == EISDIR)
        error.cause = "it is a folder";
    else if (code == EACCES)
        error.cause = "the permissions of the file or its folder do not allow it";
    if (!error.cause.empty())
        error.remedy = fmt::format("ls -ld '{}'", path);
    return error;
}

// The beginning of a text that is at most `most` bytes long, without half of a character (UTF-8) at its end.
std::string_view beginning(std::string_view text, std::size_t most)
{
    if (text.size() <= most)
        return text;
    while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80)
        --most;
    return text.substr(0, most);
}

} // namespace

PcapngFile::PcapngFile(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)), buffer_(buffer_size) {}

PcapngFile::~PcapngFile()
{
    if (fd_)
        (void)close();
}

Result<PcapngFile> PcapngFile::create(const std::string &path)
{
    Fd fd(path == "-" ? fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0)
                      : open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
    if (!fd)
        return std::unexpected(not_created(path, errno));
    return PcapngFile(path, std::move(fd));
}

template <class T> void PcapngFile::put(T value)
{
    std::memcpy(buffer_.data() + used_, &value, sizeof value);
    used_ += sizeof value;
}

void PcapngFile::put_bytes(std::span<const std::byte> bytes)
{
    if (!bytes.empty())
        std::memcpy(buffer_.data() + used_, bytes.data(), bytes.size());
    const std::size_t padding = to_words(bytes.size()) - bytes.size();
    std::memset(buffer_.data() + used_ + bytes.size(), 0, padding);
    used_ += bytes.size() + padding;
}

void PcapngFile::put_option(std::uint16_t code, std::span<const std::byte> value)
{
    put(code);
    put(static_cast<std::uint16_t>(value.size()));
    put_bytes(value);
}

void PcapngFile::put_text(std::uint16_t code, std::string_view text)
{
    if (!text.empty())
        put_option(code, std::as_bytes(std::span(beginning(text, longest_option))));
}

void PcapngFile::put_counter(std::uint16_t code, const std::optional<std::uint64_t> &value)
{
    if (value)
        put_option(code, std::as_bytes(std::span(&*value, 1)));
}

// A block of at most `most` bytes, head and end not counted.
Result<void> PcapngFile::begin(std::uint32_t type, std::size_t most)
{
    const std::size_t room = most + 3 * sizeof(std::uint32_t) + sizeof(std::uint32_t); // and opt_endofopt
    if (room > buffer_.size() - used_)
        if (Result<void> flushed = flush(); !flushed)
            return flushed;
    if (room > buffer_.size())
        buffer_.resize(room);
    block_ = used_;
    put(type);
    put(std::uint32_t{0}); // the length, once it is known
    return {};
}

void PcapngFile::end()
{
    put_option(opt_endofopt, {});
    const auto length = static_cast<std::uint32_t>(used_ - block_ + sizeof(std::uint32_t));
    std::memcpy(buffer_.data() + block_ + sizeof(std::uint32_t), &length, sizeof length);
    put(length);
}

Result<void> PcapngFile::section(const PcapngSection &section)
{
    const std::size_t texts =
        option_size(section.hardware.size()) + option_size(section.os.size()) + option_size(section.application.size());
    if (Result<void> begun = begin(section_header, 16 + texts); !begun)
        return begun;
    put(byte_order_magic);
    put(std::uint16_t{1}); // version 1.0
    put(std::uint16_t{0});
    put(std::int64_t{-1}); // the section's length: unknown
    put_text(shb_hardware, section.hardware);
    put_text(shb_os, section.os);
    put_text(shb_userappl, section.application);
    end();
    return {};
}

Result<void> PcapngFile::interface(const PcapngInterface &interface)
{
    const std::size_t texts = option_size(interface.name.size()) + option_size(interface.description.size()) +
                              option_size(1 + interface.filter.size());
    if (Result<void> begun = begin(interface_description, 8 + texts + option_size(1)); !begun)
        return begun;
    put(ethernet);
    put(std::uint16_t{0});
    put(interface.snap_length);
    put_text(if_name, interface.name);
    put_text(if_description, interface.description);
    put_option(if_tsresol, std::as_bytes(std::span(&nanoseconds, 1)));
    if (!interface.filter.empty())
        put_text(if_filter, filter_is_text + interface.filter);
    end();
    return {};
}

Result<void> PcapngFile::packet(const PcapngPacket &packet)
{
    constexpr std::size_t numbers = 20 + 2 * option_size(8) + option_size(9);
    const std::size_t most = numbers + to_words(packet.bytes.size()) + option_size(packet.comment.size());
    if (Result<void> begun = begin(enhanced_packet, most); !begun)
        return begun;
    put(packet.interface);
    put(static_cast<std::uint32_t>(packet.time >> 32));
    put(static_cast<std::uint32_t>(packet.time));
    put(static_cast<std::uint32_t>(packet.bytes.size()));
    put(packet.length);
    put_bytes(packet.bytes);
    put_text(opt_comment, packet.comment);
    if (packet.dropped != 0)
        put_counter(epb_dropcount, packet.dropped);
    if (packet.queue)
        put_option(epb_queue, std::as_bytes(std::span(&*packet.queue, 1)));
    if (packet.verdict) {
        const std::uint64_t verdict = *packet.verdict;
        std::array<std::byte, 1 + sizeof verdict> value{verdict_of_xdp};
        std::memcpy(&value[1], &verdict, sizeof verdict);
        put_option(epb_verdict, value);
    }
    end();
    return {};
}

Result<void> PcapngFile::statistics(std::uint32_t interface, const PcapngStatistics &statistics)
{
    if (Result<void> begun = begin(interface_statistics, 12 + 6 * option_size(8)); !begun)
        return begun;
    const auto put_time = [this](std::uint64_t time) { // the upper half first, in either byte order
        put(static_cast<std::uint32_t>(time >> 32));
        put(static_cast<std::uint32_t>(time));
    };
    put(interface);
    put_time(statistics.end);
    for (const auto &[code, time] : {std::pair(isb_starttime, statistics.start), {isb_endtime, statistics.end}}) {
        put(static_cast<std::uint16_t>(code));
        put(static_cast<std::uint16_t>(sizeof time));
        put_time(time);
    }
    put_counter(isb_ifrecv, statistics.received);
    put_counter(isb_ifdrop, statistics.dropped);
    put_counter(isb_filteraccept, statistics.accepted);
    put_counter(isb_usrdeliv, statistics.delivered);
    end();
    return {};
}

Result<void> PcapngFile::flush()
{
    std::size_t done = 0;
    while (done < used_) {
        const ssize_t wrote = write(fd_.get(), buffer_.data() + done, used_ - done);
        if (wrote >= 0) {
            done += static_cast<std::size_t>(wrote);
        } else if (errno == EAGAIN) { // a pipe that somebody else made non-blocking
            pollfd writable{fd_.get(), POLLOUT, 0};
            (void)poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            const int code = errno;
            cut_to_whole_blocks(done);
            used_ = 0;
            return std::unexpected(failed("write", code));
        }
    }
    written_ += used_;
    used_ = 0;
    return {};
}

// Of the buffer `done` bytes are in the file: takes out again what is a part of a block.
void PcapngFile::cut_to_whole_blocks(std::size_t done)
{
    std::size_t whole = 0;
    while (whole < done) {
        std::uint32_t length = 0;
        std::memcpy(&length, buffer_.data() + whole + sizeof length, sizeof length);
        if (whole + length > done)
            break;
        whole += length;
    }
    written_ += whole;
    struct stat status {};
    if (whole != done && fstat(fd_.get(), &status) == 0 && S_ISREG(status.st_mode) && path_ != "-")
        (void)!ftruncate(fd_.get(), static_cast<off_t>(written_));
}

Result<void> PcapngFile::close()
{
    Result<void> flushed = flush();
    if (const int code = ::close(fd_.release()) == 0 ? 0 : errno; flushed && code != 0)
        return std::unexpected(failed("close", code));
    return flushed;
}

Error PcapngFile::failed(const char *call, int code) const
{
    Error error = system_error(cannot_write(path_), call, code);
    if (code == ENOSPC || code == EDQUOT) {
        error.cause = code == ENOSPC ? "the file system is full" : "the user's quota of the file system is used up";
        error.remedy = path_ == "-" ? "df -h" : fmt::format("df -h '{}'", path_);
    } else if (code == EFBIG) {
        error.cause = "the file has the largest size that the process may write";
        error.remedy = "ulimit -f unlimited";
    } else if (code == EPIPE) {
        error.cause = "the program at the other end of the pipe has ended";
        error.remedy = "xdpf capture … -w capture.pcapng   (a file instead)";
    }
    return error;
}

} // namespace xdpf::runtime
