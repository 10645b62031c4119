// Where captured packets go: into files, or to standard output as text. Several threads may hand packets over.
#pragma once

#include "runtime/capture_writer.hpp"
#include "runtime/records.hpp"

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace xdpf::cli {

class CaptureOutput {
public:
    // `ended` is called once, when there is to be no more: a limit, or an error.
    CaptureOutput(const runtime::CaptureOptions &options, bool json, std::function<void()> ended);

    // Creates the file, with the interfaces numbered as here.
    [[nodiscard]] runtime::Result<void> open(const std::vector<runtime::PcapngInterface> &interfaces);

    // Whether it was taken: behind the end nothing is.
    bool write(const runtime::PcapngPacket &packet);
    bool print(const runtime::Record &record);
    void flush();
    [[nodiscard]] runtime::Result<void> finish(const std::vector<runtime::CaptureCounts> &counts);

    [[nodiscard]] bool to_file() const { return !options_.path.empty(); }
    [[nodiscard]] bool to_standard_output() const { return options_.path.empty() || options_.path == "-"; }
    // What ended it. That the reader of a pipe is gone is no error to complain about: `closed`.
    [[nodiscard]] const std::optional<runtime::Error> &error() const { return error_; }
    [[nodiscard]] bool closed() const { return closed_; }

    [[nodiscard]] std::uint64_t packets() const { return writer_ ? writer_->packets() : printed_; }
    [[nodiscard]] std::uint64_t bytes() const { return writer_ ? writer_->bytes() : printed_bytes_; }
    [[nodiscard]] std::uint64_t files() const { return writer_ ? writer_->files() : 0; }
    [[nodiscard]] std::string path() const { return writer_ ? writer_->path() : options_.path; }

private:
    void settle(const runtime::Result<void> &written);
    void end();

    runtime::CaptureOptions options_;
    bool json_;
    std::function<void()> ended_;
    std::mutex mutex_;
    std::optional<runtime::CaptureWriter> writer_;
    std::uint64_t printed_ = 0;
    std::uint64_t printed_bytes_ = 0;
    std::optional<runtime::Error> error_;
    bool closed_ = false;
    bool over_ = false;
};

} // namespace xdpf::cli
