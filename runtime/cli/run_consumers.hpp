// What `xdpf run` does with the packets of its sockets: writes them into a file, sends them back or on.
#pragma once

#include "runtime/cli/capture_output.hpp"
#include "runtime/cli/run_command.hpp"
#include "runtime/consumers.hpp"

#include <optional>
#include <span>

namespace xdpf::cli {

class Consumers {
public:
    Consumers(std::span<runtime::Session> sessions, const RunOptions &options);

    // Creates the file, where there is to be one.
    [[nodiscard]] runtime::Result<void> open();
    [[nodiscard]] bool any() const { return echo_ || forward_ || writes(); }
    [[nodiscard]] bool writes() const { return output_.to_file(); }

    // As RunCallbacks::batch.
    runtime::Result<void> operator()(std::size_t session, runtime::Queue &queue, runtime::Batch &batch);
    void flush() { output_.flush(); }

    // Completes the file. That its reader is gone is no error.
    [[nodiscard]] runtime::Result<void> finish(std::span<const runtime::Summary> summaries);
    [[nodiscard]] std::uint64_t not_sent() const;
    [[nodiscard]] const CaptureOutput &output() const { return output_; }

private:
    void write(std::size_t session, const runtime::Queue &queue, const runtime::Batch &batch);

    std::span<runtime::Session> sessions_;
    std::optional<runtime::Echo> echo_;
    std::optional<runtime::Forward> forward_;
    CaptureOutput output_;
};

} // namespace xdpf::cli
