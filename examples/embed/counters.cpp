// embed_counters INTERFACE: what a filter at work decides and counts, in the form that Prometheus reads, every second.
// (`xdpf metrics` serves this and more, of all programs at work.)
#include "compiler/compile.hpp"
#include "runtime/maps.hpp"
#include "runtime/session.hpp"

#include <fmt/format.h>

int main(int argc, char **argv)
{
    const auto compilation = xdpf::compile("defmap senders : percpu_hash<ipv4.src -> counter>[1024]\n"
                                           "match ipv4 -> { count senders[ipv4.src]; continue }\n"
                                           "match udp.dport == 4000 -> drop",
                                           "filter", {.rule_counters = true, .verdict_counters = true});
    auto session = xdpf::runtime::Session::open(compilation.image(), {.interface = argc == 2 ? argv[1] : ""});
    while (session && session->wait(std::chrono::seconds(1))) {
        const auto verdicts = session->verdict_counts();
        const auto rules = session->program().rule_counts();
        const auto map = map_of(session->program(), "senders");
        const auto senders = map ? map->entries() : std::unexpected(map.error());
        if (!verdicts || !rules || !senders)
            break;
        fmt::print("verdict{{is=\"drop\"}} {}\nverdict{{is=\"pass\"}} {}\n", (*verdicts)->dropped, (*verdicts)->passed);
        for (const auto &rule : *rules)
            fmt::print("rule{{number=\"{}\"}} {}\n", rule.rule + 1, rule.packets);
        for (const auto &[sender, count] : *senders) // packets are the first field of a counter
            fmt::print("sender{{address=\"{}\"}} {}\n", key_text(map->spec(), sender),
                       number_of(map->spec().value.fields[0], count));
        std::fflush(stdout);
    }
    fmt::print(stderr, "{}\n", session ? "the interface is gone" : to_string(session.error()));
    return 1;
}
