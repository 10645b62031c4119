#include "runtime/cli/capture_output.hpp"

#include <cerrno>
#include <cstdio>
#include <unistd.h>
#include <utility>

namespace xdpf::cli {

using namespace xdpf::runtime;

CaptureOutput::CaptureOutput(const CaptureOptions &options, bool json, std::function<void()> ended)
    : options_(options), json_(json), ended_(std::move(ended))
{
}

Result<void> CaptureOutput::open(const std::vector<PcapngInterface> &interfaces)
{
    if (!to_file()) {
        std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ); // each is seen when it comes, through a pipe, too
        return {};
    }
    Result<CaptureWriter> writer = CaptureWriter::open(options_);
    if (!writer)
        return std::unexpected(std::move(writer.error()));
    writer_.emplace(std::move(*writer));
    for (const PcapngInterface &interface : interfaces)
        if (Result<std::uint32_t> added = writer_->add_interface(interface); !added)
            return std::unexpected(std::move(added.error()));
    // Who reads a pipe learns at once what there is to come.
    return to_standard_output() ? writer_->flush() : Result<void>();
}

bool CaptureOutput::write(const PcapngPacket &packet)
{
    const std::lock_guard lock(mutex_);
    if (over_)
        return false;
    const std::uint64_t before = writer_->packets();
    settle(writer_->write(packet));
    return writer_->packets() != before;
}

bool CaptureOutput::print(const Record &record)
{
    const std::lock_guard lock(mutex_);
    if (over_)
        return false;
    const std::string line = (json_ ? to_json(record) : to_text(record)) + "\n";
    if (std::fwrite(line.data(), 1, line.size(), stdout) != line.size()) {
        settle(std::unexpected(system_error("cannot write to standard output", "write", errno)));
        return false;
    }
    ++printed_;
    printed_bytes_ += record.packet.size();
    if (options_.packets && printed_ >= *options_.packets)
        end();
    return true;
}

void CaptureOutput::flush()
{
    const std::lock_guard lock(mutex_);
    if (writer_ && !over_)
        settle(writer_->flush());
}

Result<void> CaptureOutput::finish(const std::vector<CaptureCounts> &counts)
{
    const std::lock_guard lock(mutex_);
    return writer_ && !error_ && !closed_ ? writer_->finish(counts) : Result<void>();
}

void CaptureOutput::settle(const Result<void> &written)
{
    if (!written && written.error().code == EPIPE)
        closed_ = true;
    else if (!written)
        error_ = written.error();
    if (!written || writer_->done())
        end();
}

void CaptureOutput::end()
{
    if (!std::exchange(over_, true))
        ended_();
}

} // namespace xdpf::cli
