// Messages of the Language Server Protocol: a header with Content-Length, then as many bytes of JSON (LSP 3.17, "Base
// Protocol").
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace xdpf::cli {

class LspStream {
public:
    LspStream(int input, int output) : input_(input), output_(output) {}

    // The next message's bytes; nothing at the end of the input. What is no header is passed over up to the next one.
    // One that is too long is passed over, too, and comes out empty.
    [[nodiscard]] std::optional<std::string> read();
    // Whether there is more to read at once.
    [[nodiscard]] bool pending() const;
    // False: nobody reads any more.
    bool write(std::string_view message);

    static constexpr std::size_t longest_message = 256u << 20; // bytes; a source of 16 MiB in JSON's longest spelling

private:
    bool fill();
    std::optional<std::string> read_line();

    int input_;
    int output_;
    std::string buffer_;
    std::size_t at_ = 0; // of what has not been used
};

} // namespace xdpf::cli
