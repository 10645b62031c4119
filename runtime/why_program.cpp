// Whether the program sees packets at all, and does anything with them.
#include "runtime/doctor_parts.hpp"
#include "runtime/why_watch.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/bpf.h>

#include <algorithm>
#include <numeric>

namespace xdpf::runtime::why {
namespace {

std::string name_of_program(const Registered &entry)
{
    return fmt::format("'{}' (id {})", entry.program(), entry.program_id);
}

void find_ended(std::vector<WhyFinding> &out, const Watched &watched)
{
    const Registered &entry = watched.entry();
    out.push_back({{"program.ended", Level::problem,
                    fmt::format("{} ended after {:.1f} s of the watch", name_of_program(entry), watched.seconds),
                    entry.pid == 0 ? "somebody detached or replaced it"
                                   : fmt::format("process {}, which attached it, ended it or is gone: it said why on "
                                                 "its standard error",
                                                 entry.pid),
                    how_to_start(entry)}});
}

void find_detached(std::vector<WhyFinding> &out, const Watched &watched)
{
    const Registered &entry = watched.entry();
    const AttachedProgram &there = watched.attached;
    const bool own = entry.link_id == 0 ? there.id != 0 : there.id == entry.program_id;
    if (own)
        return;
    // xdpf attach clears away what is left of the one that was detached.
    std::string remedy = how_to_start(entry);
    if (there.id != 0)
        remedy = how_to_remove(there, watched.after.interface) + "; then " + remedy;
    else if (entry.pid != 0)
        remedy = fmt::format("kill {}; {}", entry.pid, remedy);
    const std::uint64_t arrived =
        watched.after.interface.counters.rx_packets - watched.before.interface.counters.rx_packets;
    const std::string what = fmt::format("{} is not attached to {} any more, and {} passed it by",
                                         name_of_program(entry), entry.interface, packets_text(arrived));
    out.push_back({{there.id == 0 ? "program.detached" : "program.replaced", Level::problem, what,
                    there.id == 0 ? "somebody detached it: all packets go to the stack" : describe(there), remedy},
                   {{"packets", arrived}}});
}

// The other interface that got most.
std::pair<std::string, std::uint64_t> busiest_other(const Watched &watched)
{
    std::pair<std::string, std::uint64_t> best;
    for (const auto &[name, packets] : watched.after.interfaces)
        if (const auto before = watched.before.interfaces.find(name); name != watched.after.interface.name &&
                                                                      before != watched.before.interfaces.end() &&
                                                                      packets - before->second > best.second)
            best = {name, packets - before->second};
    return best;
}

std::uint64_t aborted(const Watched &watched)
{
    if (const auto verdicts = watched.verdicts())
        return verdicts->aborted;
    std::uint64_t packets = 0;
    for (const Lost &lost : watched.lost)
        if (lost.event == Event::exception && lost.owner == watched.entry().program_id && lost.subject == XDP_ABORTED)
            packets += lost.packets;
    return packets;
}

// What was done to packets before the program saw them, as the doctor tells it of the interface.
void find_changed_before(std::vector<WhyFinding> &out, const Watched &watched)
{
    const Interface &interface = watched.after.interface;
    std::vector<Finding> known;
    doctor::check_offloads(known, interface);
    doctor::check_peer(known, interface, std::nullopt, doctor::find_peer(interface));
    for (Finding &one : known) {
        if (one.id == "interface.gro" && watched.entry().mode == "skb") {
            one.level = Level::note;
            one.why = "a rule on lengths, or on what each packet has, sees several as one";
            one.remedy = fmt::format("ethtool -K {} gro off", interface.name);
        }
        const bool hides = one.id == "interface.lro" || one.id == "interface.rx_vlan" || one.id == "interface.gro" ||
                           one.id == "interface.peer_vlan";
        if (hides && one.level != Level::ok)
            out.push_back({std::move(one)});
    }
}

std::string how_to_trace(const Watched &watched)
{
    const Registered &entry = watched.entry();
    const bool file = entry.origin.source.starts_with('/');
    return fmt::format("tcpdump -i {0} -c 100 -w {0}.pcap && xdpf trace {1} {0}.pcap --why", entry.interface,
                       file ? entry.origin.source : "-e 'RULES'");
}

void find_unmet_rules(std::vector<WhyFinding> &out, const Watched &watched)
{
    const Registered &entry = watched.entry();
    std::vector<std::string> unmet;
    for (std::size_t i = 0; i < watched.after.rules.size() && i < watched.before.rules.size(); ++i) {
        const RuleCount &rule = watched.after.rules[i];
        if (rule.packets != watched.before.rules[i].packets)
            continue;
        const auto &places = entry.origin.rules;
        const bool known = rule.program < places.size() && rule.rule < places[rule.program].size();
        unmet.push_back(known ? fmt::format("line {}: {}", places[rule.program][rule.rule].line,
                                            places[rule.program][rule.rule].text)
                              : fmt::format("rule {}", rule.rule + 1));
    }
    if (unmet.empty() || watched.packets() == 0)
        return;
    const std::size_t all = unmet.size();
    unmet.resize(std::min<std::size_t>(all, 5));
    out.push_back(
        {{"rules.unmet", Level::note,
          fmt::format("of {}, none met {} of {} rules", packets_text(watched.packets()), all,
                      watched.after.rules.size()),
          fmt::format("{}{}", fmt::join(unmet, "; "), all > unmet.size() ? "; …" : ""), how_to_trace(watched)},
         {{"packets", watched.packets()}, {"rules", all}}});
}

} // namespace

void find_program(std::vector<WhyFinding> &out, const Watched &watched)
{
    if (watched.ended)
        find_ended(out, watched);
    else
        find_detached(out, watched);
}

void find_traffic(std::vector<WhyFinding> &out, const Watched &watched)
{
    const Interface &interface = watched.after.interface;
    if (Finding link = doctor::link_state(interface, doctor::find_peer(interface)); link.level != Level::ok) {
        out.push_back({std::move(link)});
        return;
    }
    const std::uint64_t arrived = interface.counters.rx_packets - watched.before.interface.counters.rx_packets;
    if (watched.packets() != 0 || arrived != 0)
        return;
    const auto [other, elsewhere] = busiest_other(watched);
    out.push_back({{"interface.no_traffic", Level::warning,
                    fmt::format("no packet arrived at {} in {:.1f} s: its own counters stand still", interface.name,
                                watched.seconds),
                    elsewhere == 0 ? "nobody sends there, or packets are lost on their way"
                                   : fmt::format("{} received {} meanwhile", other, packets_text(elsewhere)),
                    elsewhere == 0 ? fmt::format("ip -stats link show dev {}", interface.name)
                                   : fmt::format("xdpf doctor {}", other)},
                   {{"packets", 0}, {"elsewhere", elsewhere}}});
}

void find_rules(std::vector<WhyFinding> &out, const Watched &watched)
{
    if (const std::uint64_t packets = aborted(watched); packets != 0)
        out.push_back(
            {{"rules.aborted", Level::warning,
              fmt::format("the program ended {} as aborted, which drops them", packets_text(packets)),
              "a rule says so, or a redirect whose `else` is `abort` found nobody in its slot", how_to_trace(watched)},
             {{"packets", packets}}});
    const auto verdicts = watched.verdicts();
    const bool idle = verdicts && watched.packets() != 0 && verdicts->passed == watched.packets();
    if (idle) {
        out.push_back(
            {{"rules.all_pass", Level::warning,
              fmt::format("{} came, and all passed: no rule did anything with one", packets_text(verdicts->passed)),
              "no rule matches what comes, those that do say `pass`, or nobody is in the slot of a redirect",
              how_to_trace(watched)},
             {{"packets", verdicts->passed}}});
        find_changed_before(out, watched);
    }
    find_unmet_rules(out, watched);
}

void tell_flow(std::vector<WhyFinding> &out, const Watched &watched)
{
    const double seconds = watched.seconds;
    if (const auto verdicts = watched.verdicts(); verdicts && watched.packets() != 0) {
        std::vector<std::string> parts;
        std::vector<std::pair<std::string, std::uint64_t>> numbers{{"packets", watched.packets()}};
        for (const auto &[word, packets] :
             {std::pair("redirected", verdicts->redirected), std::pair("passed", verdicts->passed),
              std::pair("dropped", verdicts->dropped), std::pair("sent back (tx)", verdicts->transmitted),
              std::pair("aborted", verdicts->aborted)})
            if (packets != 0) {
                parts.push_back(fmt::format("{} {} ({})", packets, word, per_second(packets, seconds)));
                numbers.emplace_back(word == std::string_view("sent back (tx)") ? "transmitted" : word, packets);
            }
        out.push_back(
            {{"flow.verdicts", Level::ok,
              fmt::format("{} in {:.1f} s: {}", packets_text(watched.packets()), seconds, fmt::join(parts, ", ")), "",
              ""},
             std::move(numbers)});
    } else if (!verdicts) {
        out.push_back({{"flow.verdicts", Level::note,
                        fmt::format("{} came to {}; what became of them is not counted",
                                    packets_text(watched.packets()), watched.entry().interface),
                        "the program was built without verdict counters", how_to_start(watched.entry())},
                       {{"packets", watched.packets()}}});
    }
    for (std::size_t i = 0; i < watched.sockets.size(); ++i) {
        const auto &before = watched.before.sockets[i];
        const auto &after = watched.after.sockets[i];
        if (!before || !after || after->arrived == before->arrived)
            continue;
        const std::uint32_t arrived = after->arrived - before->arrived; // modulo 2^32
        const std::uint32_t taken = after->taken - before->taken;
        const std::uint32_t queue = watched.sockets[i].registered().queue;
        out.push_back({{fmt::format("flow.queue_{}", queue), Level::ok,
                        fmt::format("queue {}: {} into its socket ({}), of which {} were taken out; {} wait", queue,
                                    packets_text(arrived), per_second(arrived, seconds), taken, after->waiting()),
                        "", ""},
                       {{"arrived", arrived}, {"taken", taken}, {"waiting", after->waiting()}}});
    }
    if (!watched.no_traces.empty())
        out.push_back(
            {{"flow.tracepoints", Level::note, "some of what the kernel drops was not counted",
              fmt::format("tracepoints are missing: {}", fmt::join(watched.no_traces, "; ")), doctor::newer_kernel}});
}

} // namespace xdpf::runtime::why
