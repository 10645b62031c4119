// embed_receive INTERFACE: takes UDP to port 4000 away from the kernel's stack and counts it, until Ctrl-C.
#include "compiler/compile.hpp"
#include "compiler/report.hpp"
#include "runtime/session.hpp"

#include <fmt/format.h>

int main(int argc, char **argv)
{
    const auto compilation = xdpf::compile("match udp.dport == 4000 -> xsk");
    fmt::print(stderr, "{}", xdpf::to_text(compilation.diagnostics(), compilation.sources()));
    if (!compilation.ok() || argc != 2)
        return 2;
    auto session = xdpf::runtime::Session::open(compilation.image(), {.interface = argv[1]});
    auto error = session ? std::nullopt : std::optional(session.error());
    for (std::uint64_t packets = 0; !error;) {
        if (auto woken = session->wait(std::chrono::milliseconds(-1)); !woken)
            error = woken.error();
        session->receive([&](std::uint32_t queue, std::span<std::byte> packet) {
            fmt::print("packet {} from queue {}: {} bytes\n", ++packets, queue, packet.size());
        });
        std::fflush(stdout);
    }
    fmt::print(stderr, "{}\n", to_string(*error));
    return 1;
}
