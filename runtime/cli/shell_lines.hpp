// Lines from what is no terminal.
#pragma once

#include "runtime/cli/shell_signals.hpp"

#include <cstddef>
#include <functional>
#include <string>

namespace xdpf::cli {

// Borrows the descriptor. A signal ends the waiting, and is seen between lines that are there already.
class LineReader {
public:
    enum class Event : std::uint8_t { line, too_long, end, stopped };

    LineReader(int fd, ShellSignals &signals) : fd_(fd), signals_(signals) {}

    // Without its line end; of one that is longer than `most` bytes nothing is taken. `news` is a descriptor, or -1, at
    // which `on_news` is called meanwhile.
    [[nodiscard]] Event read(std::string &line, std::size_t most, const std::function<int()> &news,
                             const std::function<void()> &on_news);

private:
    bool wait(const std::function<int()> &news, const std::function<void()> &on_news) const;

    int fd_;
    ShellSignals &signals_;
    std::string buffer_;
    std::size_t begin_ = 0;
    bool at_end_ = false;
};

} // namespace xdpf::cli
