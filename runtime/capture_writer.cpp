#include "runtime/capture_writer.hpp"

#include "compiler/version.hpp"
#include "runtime/wall_clock.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <sys/utsname.h>
#include <utility>

namespace xdpf::runtime {
namespace {

constexpr std::uint64_t second = 1'000'000'000; // ns

PcapngSection this_section()
{
    PcapngSection section{.hardware{}, .os{}, .application = "xdpf " XDPF_VERSION};
    utsname system{};
    if (uname(&system) == 0) {
        section.hardware = system.machine;
        section.os = fmt::format("{} {}", system.sysname, system.release);
    }
    return section;
}

// Of the last file of so many that are numbered from 0; a single one has no number.
int digits_of(std::uint32_t files)
{
    int digits = 0;
    for (std::uint32_t last = files - 1; last > 0; last /= 10)
        ++digits;
    return digits;
}

Error cannot_rotate()
{
    return {.stage = "cannot write to standard output",
            .message = "new files, by size or time, need a name",
            .remedy = "xdpf capture … -w capture.pcapng"};
}

} // namespace

CaptureWriter::CaptureWriter(const CaptureOptions &options, std::uint64_t now)
    : options_(options), started_(now), period_(now)
{
}

Result<CaptureWriter> CaptureWriter::open(const CaptureOptions &options)
{
    if (options.path == "-" && (options.file_bytes || options.file_time))
        return std::unexpected(cannot_rotate());
    const std::uint64_t now = WallClock::now();
    CaptureWriter writer(options, now);
    if (Result<void> begun = writer.begin_file(now); !begun)
        return std::unexpected(std::move(begun.error()));
    return writer;
}

// As tcpdump names its files.
std::string CaptureWriter::file_path(std::uint64_t now) const
{
    std::string path = options_.path;
    if (options_.file_time) {
        const auto time = static_cast<std::time_t>(now / second);
        std::tm local{};
        localtime_r(&time, &local);
        std::string name(path.size() + 4096, '\0');
        name.resize(std::strftime(name.data(), name.size(), path.c_str(), &local));
        if (!name.empty()) // else it is too long, which creating the file will say
            path = name;
    }
    const int digits = options_.file_bytes && options_.files ? digits_of(*options_.files) : 0;
    return number_ == 0 && digits == 0 ? path : fmt::format("{}{:0{}}", path, number_, std::max(digits, 1));
}

Result<void> CaptureWriter::begin_file(std::uint64_t now)
{
    path_ = file_path(now);
    Result<PcapngFile> file = PcapngFile::create(path_);
    if (!file)
        return std::unexpected(std::move(file.error()));
    file_.emplace(std::move(*file));
    ++files_;
    if (Result<void> written = file_->section(this_section()); !written)
        return written;
    for (const Interface &interface : interfaces_)
        if (Result<void> written = file_->interface(interface.description); !written)
            return written;
    return {};
}

Result<std::uint32_t> CaptureWriter::add_interface(PcapngInterface interface)
{
    interface.snap_length =
        interface.snap_length == 0 ? options_.snap_length : std::min(interface.snap_length, options_.snap_length);
    if (Result<void> written = file_->interface(interface); !written)
        return std::unexpected(std::move(written.error()));
    interfaces_.push_back({std::move(interface)});
    return static_cast<std::uint32_t>(interfaces_.size() - 1);
}

// A new file where it is time for one, which is looked at when there is a packet for it.
Result<void> CaptureWriter::rotate(std::uint64_t now)
{
    const bool late =
        options_.file_time && now >= period_ + static_cast<std::uint64_t>(options_.file_time->count()) * second;
    const bool full = options_.file_bytes && file_->size() > *options_.file_bytes;
    if (!late && !full)
        return {};
    if (late) {
        if (options_.files && !options_.file_bytes && periods_ >= *options_.files) {
            done_ = true;
            return {};
        }
        period_ = now;
        ++periods_;
        number_ = 0;
    } else {
        ++number_;
        if (options_.files && !options_.file_time && number_ >= *options_.files)
            number_ = 0;
    }
    Result<void> closed = file_->close();
    file_.reset();
    return closed ? begin_file(now) : closed;
}

Result<void> CaptureWriter::write(const PcapngPacket &packet)
{
    if (done_)
        return {};
    if (Result<void> rotated = rotate(packet.time); !rotated || done_)
        return settle(std::move(rotated));
    Interface &interface = interfaces_[packet.interface];
    PcapngPacket kept = packet;
    kept.bytes = packet.bytes.first(std::min<std::size_t>(packet.bytes.size(), interface.description.snap_length));
    if (Result<void> written = file_->packet(kept); !written)
        return settle(std::move(written));
    ++interface.delivered;
    ++packets_;
    bytes_ += kept.bytes.size();
    done_ = options_.packets && packets_ >= *options_.packets;
    return options_.packet_buffered ? flush() : Result<void>();
}

// Behind an error there is no more to write into.
Result<void> CaptureWriter::settle(Result<void> written)
{
    if (!written) {
        file_.reset();
        done_ = true;
    }
    return written;
}

Result<void> CaptureWriter::flush() { return file_ ? settle(file_->flush()) : Result<void>(); }

Result<void> CaptureWriter::finish(const std::vector<CaptureCounts> &counts)
{
    if (!file_)
        return {};
    const std::uint64_t now = WallClock::now();
    for (std::uint32_t i = 0; i < interfaces_.size(); ++i) {
        const CaptureCounts known = i < counts.size() ? counts[i] : CaptureCounts{};
        const PcapngStatistics statistics{
            started_, now, known.received, known.dropped, known.accepted, interfaces_[i].delivered};
        if (Result<void> written = file_->statistics(i, statistics); !written)
            return settle(std::move(written));
    }
    Result<void> closed = file_->close();
    file_.reset();
    done_ = true;
    return closed;
}

} // namespace xdpf::runtime
