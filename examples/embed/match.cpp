// embed_match RULES: says of packets, which it reads as lines of hexadecimal digits, what a filter does with each and
// by which rule. In this process: no kernel, no root, and nothing to link but the compiler.
#include "compiler/explain.hpp"
#include "compiler/report.hpp"
#include "compiler/test.hpp"

#include <fmt/format.h>

#include <iostream>

int main(int argc, char **argv)
{
    const auto compilation = xdpf::compile(argc == 2 ? argv[1] : "match udp.dport == 53 -> drop", "rules");
    fmt::print(stderr, "{}", xdpf::to_text(compilation.diagnostics(), compilation.sources()));
    if (!compilation.ok())
        return 2;
    xdpf::Explainer explainer(compilation); // its maps go on from packet to packet
    for (std::string line; std::getline(std::cin, line);) {
        std::vector<std::byte> packet;
        for (std::size_t i = 0; i + 1 < line.size(); i += 2)
            packet.push_back(static_cast<std::byte>(std::stoul(line.substr(i, 2), nullptr, 16)));
        const xdpf::Explanation explanation = explainer.run(packet);
        fmt::print("{}: {}\n", verdict_text(compilation.image(), explanation.result),
                   explanation.rule ? explainer.rules()[*explanation.rule].text : "no rule matches");
    }
}
