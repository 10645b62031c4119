// libbpf and libxdp print to stderr unless told otherwise. As long as a capture lives, what they say on its thread is
// collected in it; without one it is thrown away. Nothing of theirs reaches the terminal.
#pragma once

#include <string>

namespace xdpf::runtime {

class LibraryLog {
public:
    LibraryLog();
    LibraryLog(const LibraryLog &) = delete;
    LibraryLog &operator=(const LibraryLog &) = delete;
    ~LibraryLog();

    [[nodiscard]] const std::string &text() const { return text_; }
    // What stands behind "Kernel error message: " (a netlink extended acknowledgement), without its line end; or empty.
    [[nodiscard]] std::string kernel_message() const;
    // The last line that was a warning, without its library's prefix; or empty.
    [[nodiscard]] std::string last_line() const;

private:
    std::string text_;
    std::string *outer_;
};

} // namespace xdpf::runtime
