// embed_swap INTERFACE: each line that it reads is a filter that takes the place of the one at work, from one packet to
// the next; what maps of one name hold stays. A line that does not compile changes nothing.
#include "compiler/compile.hpp"
#include "compiler/report.hpp"
#include "runtime/session.hpp"

#include <fmt/ranges.h>

#include <iostream>

int main(int argc, char **argv)
{
    using xdpf::runtime::Session;
    const xdpf::runtime::SessionOptions options{.interface = argc == 2 ? argv[1] : ""};
    std::optional<Session> session;
    for (std::string rules; std::getline(std::cin, rules);) {
        const auto compilation = xdpf::compile(rules, "filter");
        fmt::print(stderr, "{}", xdpf::to_text(compilation.diagnostics(), compilation.sources()));
        if (!compilation.ok())
            continue;
        if (session) {
            const auto kept = session->replace(compilation.image(), options);
            fmt::print("{}\n",
                       kept ? fmt::format("replaced, kept: {}", fmt::join(*kept, ", ")) : to_string(kept.error()));
        } else if (auto opened = Session::open(compilation.image(), options); opened) {
            session = std::move(*opened);
            fmt::print("attached\n");
        } else {
            return fmt::print(stderr, "{}\n", to_string(opened.error())), 1;
        }
        std::fflush(stdout);
    }
}
