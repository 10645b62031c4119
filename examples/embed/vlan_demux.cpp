// embed_vlan_demux FILE INTERFACE VLAN…: a socket for each of these VLANs, in its slot of the XSKMAP of
// examples/vlan_demux.xdpf. They are on one queue, 0, and share its memory. Counts what each gets, until Ctrl-C.
#include "compiler/compile.hpp"
#include "compiler/report.hpp"
#include "runtime/session.hpp"

#include <fmt/ranges.h>

int main(int argc, char **argv)
{
    const auto compilation = xdpf::compile_file(argc > 3 ? argv[1] : "");
    fmt::print(stderr, "{}", xdpf::to_text(compilation.diagnostics(), compilation.sources()));
    if (!compilation.ok())
        return 2;
    xdpf::runtime::SessionOptions options{.interface = argv[2]};
    for (int i = 3; i < argc; ++i)
        options.sockets.push_back({.queue = 0, .slot = static_cast<std::uint32_t>(std::stoul(argv[i]))});
    auto session = xdpf::runtime::Session::open(compilation.image(), options);
    std::vector<std::uint64_t> packets(options.sockets.size());
    while (session && session->wait(std::chrono::milliseconds(-1))) {
        for (std::size_t i = 0; i < packets.size(); ++i)
            packets[i] += session->queues()[i].receive().size();
        fmt::print("{}\n", fmt::join(packets, " "));
        std::fflush(stdout);
    }
    fmt::print(stderr, "{}\n", session ? "the interface is gone" : to_string(session.error()));
    return 1;
}
