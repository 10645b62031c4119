#include "runtime/metrics/families.hpp"

#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <utility>

namespace xdpf::metrics {
namespace {

using namespace xdpf::runtime;
using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

using Labels = std::vector<ClientMetric::Label>;

Labels with(const Labels &first, Labels more)
{
    more.insert(more.begin(), first.begin(), first.end());
    return more;
}

class Family {
public:
    Family(MetricType type, std::string name, std::string help) : family_{std::move(name), std::move(help), type, {}} {}

    void add(Labels labels, double value)
    {
        ClientMetric &metric = family_.metric.emplace_back();
        metric.label = std::move(labels);
        (family_.type == MetricType::Counter ? metric.counter.value : metric.gauge.value) = value;
    }
    void add(Labels labels, std::uint64_t value) { add(std::move(labels), static_cast<double>(value)); }
    void add(Labels labels, std::optional<std::uint64_t> value)
    {
        if (value)
            add(std::move(labels), *value);
    }
    void move_into(std::vector<MetricFamily> &all)
    {
        if (!family_.metric.empty())
            all.push_back(std::move(family_));
    }

private:
    MetricFamily family_;
};

Family counter(std::string name, std::string help) { return {MetricType::Counter, std::move(name), std::move(help)}; }
Family gauge(std::string name, std::string help) { return {MetricType::Gauge, std::move(name), std::move(help)}; }

// Where the dispatcher has two of one name on an interface, the later one's has the kernel's id behind it: two samples
// of the same labels are none.
Labels labels_of(const Registered &entry, std::set<std::pair<std::string, std::string>> &seen)
{
    std::string name = entry.program();
    if (!seen.emplace(entry.interface, name).second)
        name += fmt::format("#{}", entry.program_id);
    return {{"interface", printable(entry.interface)}, {"program", name}};
}

class Programs {
public:
    void add(const Observed &program, const Labels &labels)
    {
        const Registered &entry = *program.entry;
        info_.add(with(labels, {{"mode", entry.mode}, {"source", printable(entry.origin.source)}}), 1.0);
        start_.add(labels, std::chrono::duration<double>(entry.started.time_since_epoch()).count());
        if (program.verdicts)
            add(*program.verdicts, labels);
        for (const RuleCount &rule : program.rules)
            add(rule, program, labels);
        for (const ObservedMap &map : program.maps) {
            const Labels mine = with(labels, {{"map", map.name}});
            entries_.add(mine, map.entries);
            room_.add(mine, map.room);
        }
    }
    void move_into(std::vector<MetricFamily> &all)
    {
        for (Family *const family : {&info_, &start_, &verdicts_, &rule_packets_, &rule_bytes_, &entries_, &room_})
            family->move_into(all);
    }

private:
    void add(const VerdictCounts &counts, const Labels &labels)
    {
        const std::pair<const char *, std::uint64_t> kinds[] = {{"redirect", counts.redirected},
                                                                {"pass", counts.passed},
                                                                {"drop", counts.dropped},
                                                                {"tx", counts.transmitted},
                                                                {"abort", counts.aborted}};
        for (const auto &[verdict, count] : kinds)
            verdicts_.add(with(labels, {{"verdict", verdict}}), count);
    }
    // Rules are numbered in each program; those of programs that this one goes on with have that one's name.
    void add(const RuleCount &rule, const Observed &program, const Labels &labels)
    {
        const Registered &entry = *program.entry;
        const RulePlace &place = program.place(rule);
        const bool own = rule.program == entry.loaded.front();
        const std::string number = own ? std::to_string(rule.rule + 1)
                                       : fmt::format("{}:{}", entry.image.programs[rule.program].name, rule.rule + 1);
        const Labels mine =
            with(labels, {{"rule", number}, {"file", printable(place.file)}, {"line", std::to_string(place.line)}});
        rule_packets_.add(mine, rule.packets);
        rule_bytes_.add(mine, rule.bytes);
    }

    Family info_ = gauge("xdpf_program_info", "Programs at work, with the mode that they are attached in; always 1.");
    Family start_ = gauge("xdpf_program_start_time_seconds", "When the program was attached, since the Unix epoch.");
    Family verdicts_ = counter("xdpf_verdicts_total", "Packets that the program decided about, by what it decided.");
    Family rule_packets_ = counter("xdpf_rule_packets_total", "Packets that a rule met.");
    Family rule_bytes_ = counter("xdpf_rule_bytes_total", "Bytes of the packets that a rule met.");
    Family entries_ =
        gauge("xdpf_map_entries", "Entries of a map; of arrays those that are not 0. Not of very large maps.");
    Family room_ = gauge("xdpf_map_max_entries", "Entries that a map has room for.");
};

class Sockets {
public:
    void add(const ObservedSocket &socket, const Labels &program)
    {
        const SocketView &view = socket.view;
        const Labels labels = with(program, {{"queue", std::to_string(view.queue)}});
        received_.add(labels, socket.taken);
        waiting_.add(labels, std::uint64_t{view.waiting});
        free_.add(labels, view.free_frames);
        sent_.add(labels, socket.sent);
        outstanding_.add(labels, view.tx_outstanding);
        const QueueStatistics &counters = view.counters;
        lost_.add(with(labels, {{"reason", "no_free_frame"}}), counters.no_free_frame());
        lost_.add(with(labels, {{"reason", "rx_ring_full"}}), counters.rx_ring_full);
        lost_.add(with(labels, {{"reason", "other"}}), counters.other());
        invalid_.add(with(labels, {{"ring", "fill"}}), counters.rx_invalid_descs);
        invalid_.add(with(labels, {{"ring", "tx"}}), counters.tx_invalid_descs);
    }
    void move_into(std::vector<MetricFamily> &all)
    {
        for (Family *const family : {&received_, &sent_, &lost_, &invalid_, &waiting_, &free_, &outstanding_})
            family->move_into(all);
    }

private:
    Family received_ = counter("xdpf_socket_received_packets_total",
                               "Packets (multi-buffer: frames) that user space took out of the RX ring.");
    Family sent_ = counter("xdpf_socket_sent_packets_total", "Packets of the TX ring that the kernel is done with.");
    Family lost_ = counter("xdpf_socket_lost_packets_total", "Packets redirected to the socket that it did not get.");
    Family invalid_ = counter("xdpf_socket_invalid_descriptors_total", "Entries of a ring that the kernel refused.");
    Family waiting_ = gauge("xdpf_socket_waiting_packets", "Packets in the RX ring that user space has not taken.");
    Family free_ = gauge("xdpf_socket_free_frames", "Frames in the fill ring, for packets to come.");
    Family outstanding_ =
        gauge("xdpf_socket_tx_outstanding_packets", "Packets put into the TX ring that the kernel is not done with.");
};

class Interfaces {
public:
    void add(const Observed &program)
    {
        if (!seen_.insert(program.entry->interface_index).second)
            return;
        const Labels labels{{"interface", printable(program.entry->interface)}};
        packets_.add(labels, program.interface.rx_packets);
        bytes_.add(labels, program.interface.rx_bytes);
        dropped_.add(labels, program.interface.rx_dropped);
    }
    void move_into(std::vector<MetricFamily> &all)
    {
        for (Family *const family : {&packets_, &bytes_, &dropped_})
            family->move_into(all);
    }

private:
    std::set<int> seen_;
    Family packets_ = counter("xdpf_interface_received_packets_total", "The interface's own counter of packets.");
    Family bytes_ = counter("xdpf_interface_received_bytes_total", "The interface's own counter of bytes.");
    Family dropped_ =
        counter("xdpf_interface_dropped_packets_total", "The interface's own counter of drops on receive.");
};

} // namespace

std::vector<MetricFamily> families_of(const Result<Observation> &observed)
{
    std::vector<MetricFamily> all;
    Family up = gauge("xdpf_up", "1 where the programs at work could be looked at, else 0.");
    up.add({}, observed ? 1.0 : 0.0);
    up.move_into(all);
    if (!observed)
        return all;
    Family errors = gauge("xdpf_errors", "Programs at work of which something could not be looked at.");
    errors.add({}, std::uint64_t{observed->errors.size()});
    errors.move_into(all);
    Programs programs;
    Sockets sockets;
    Interfaces interfaces;
    std::set<std::pair<std::string, std::string>> names;
    for (const Observed &program : observed->programs) {
        const Labels labels = labels_of(*program.entry, names);
        programs.add(program, labels);
        for (const ObservedSocket &socket : program.sockets)
            sockets.add(socket, labels);
        interfaces.add(program);
    }
    programs.move_into(all);
    sockets.move_into(all);
    interfaces.move_into(all);
    return all;
}

} // namespace xdpf::metrics
