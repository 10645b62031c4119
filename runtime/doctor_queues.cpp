// An interface's queues: how many, how packets are spread over them, who is interrupted, what was done to packets
// before.
#include "runtime/doctor_parts.hpp"
#include "runtime/ethtool.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

namespace xdpf::runtime::doctor {
namespace {

namespace fs = std::filesystem;

std::string sysfs(const Interface &interface, std::string_view file)
{
    return word_of(fmt::format("/sys/class/net/{}/{}", interface.name, file));
}

// Lines of /proc/interrupts that name the interface or its device (virtio0): the numbers.
std::vector<std::string> interrupts_of(const Interface &interface)
{
    std::error_code failed;
    const fs::path device = fs::read_symlink(fmt::format("/sys/class/net/{}/device", interface.name), failed);
    const std::string device_name = device.filename().string();
    std::vector<std::string> numbers;
    std::ifstream file("/proc/interrupts");
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find(':');
        const auto action = line.find_last_of(" \t");
        if (colon == std::string::npos || action == std::string::npos || action < colon)
            continue;
        const auto about = [&](const std::string &name) { // virtio1 is not virtio10
            const auto at = name.empty() ? std::string::npos : line.find(name, action);
            return at != std::string::npos &&
                   (at + name.size() == line.size() || std::isdigit(line[at + name.size()]) == 0);
        };
        if (about(interface.name) || about(device_name))
            numbers.push_back(line.substr(line.find_first_not_of(' '), colon - line.find_first_not_of(' ')));
    }
    return numbers;
}

} // namespace

std::map<std::uint32_t, std::uint64_t> packets_by_queue(const Interface &interface)
{
    std::map<std::uint32_t, std::uint64_t> packets;
    for (const ethtool::Counter &counter : ethtool::counters_of(interface.name))
        if (const auto queue = ethtool::queue_of_counter(counter.name); queue && *queue < interface.receive_queues)
            packets[*queue] += counter.value;
    return packets;
}

void check_queues(std::vector<Finding> &out, const Interface &interface)
{
    const ethtool::Channels channels = ethtool::channels_of(interface.name);
    const std::uint32_t queues = interface.receive_queues;
    std::string what = fmt::format("{} receive queue{}", queues, queues == 1 ? "" : "s");
    if (channels.most_receive > queues)
        what += fmt::format("; {} can be had: ethtool -L {} {} {}", channels.most_receive, interface.name,
                            channels.combined ? "combined" : "rx", channels.most_receive);
    out.push_back({"interface.queues", Level::ok, what, "", ""});
}

void check_spread(std::vector<Finding> &out, const Interface &interface)
{
    const std::uint32_t queues = interface.receive_queues;
    if (queues < 2)
        return;
    const std::vector<std::uint32_t> table = ethtool::indirection_of(interface.name);
    const std::set<std::uint32_t> named(table.begin(), table.end());
    if (table.empty())
        out.push_back({"interface.spread", Level::note,
                       fmt::format("the driver does not say how it spreads packets over its {} queues", queues),
                       interface.kind == "veth"
                           ? "at a veth pair the sender's queue decides, and a sender may use only "
                             "one: receive on all queues"
                           : "all may arrive on one queue: receive on all of them",
                       fmt::format("ethtool -S {}   (what each queue received)", interface.name)});
    else if (named.size() < queues)
        out.push_back(
            {"interface.spread", Level::warning,
             fmt::format("packets are spread over {} of {} queues: {}", named.size(), queues, fmt::join(named, ", ")),
             "sockets on the other queues receive nothing",
             fmt::format("ethtool -X {} equal {}", interface.name, queues)});
    else
        out.push_back(
            {"interface.spread", Level::ok, fmt::format("packets are spread over its {} queues", queues), "", ""});
    if (ethtool::udp_ports_hashed(interface.name) == false)
        out.push_back({"interface.hash", Level::note, "UDP is spread by addresses, not by ports",
                       "all packets between two hosts arrive on one queue",
                       fmt::format("ethtool -N {} rx-flow-hash udp4 sdfn", interface.name)});

    constexpr std::uint64_t enough = 100;
    std::uint64_t all = 0;
    std::pair<std::uint32_t, std::uint64_t> most{};
    for (const auto &[queue, packets] : packets_by_queue(interface)) {
        all += packets;
        if (packets > most.second)
            most = {queue, packets};
    }
    if (all >= enough && most.second * 20 >= all * 19)
        out.push_back(
            {"interface.one_queue", Level::warning,
             fmt::format("queue {} received {} of {} packets", most.first, most.second, all),
             "one processor does all the work, and sockets on the other queues receive nothing",
             interface.kind == "veth"
                 ? fmt::format("ethtool -S {}   (at a veth pair the sender's queues decide: ethtool -L PEER tx "
                               "{}, and as many senders)",
                               interface.name, queues)
                 : fmt::format("ethtool -X {} equal {}", interface.name, queues)});
}

void check_interrupts(std::vector<Finding> &out, const Interface &interface)
{
    const std::vector<std::string> interrupts = interrupts_of(interface);
    std::set<std::string> processors;
    for (const std::string &number : interrupts)
        if (const auto list = word_of(fmt::format("/proc/irq/{}/effective_affinity_list", number)); !list.empty())
            processors.insert(list);
    if (processors.empty())
        return;
    const std::string where =
        fmt::format("processor{} {}", processors.size() == 1 ? "" : "s", fmt::join(processors, ", "));
    if (processors.size() == 1 && interface.receive_queues > 1)
        out.push_back({"interface.interrupts", Level::warning,
                       fmt::format("the interrupts of all {} queues go to {}", interface.receive_queues, where),
                       "one processor does all the work",
                       fmt::format("echo 1 > /proc/irq/{}/smp_affinity_list   (another for each; irqbalance undoes it)",
                                   interrupts.back())});
    else
        out.push_back({"interface.interrupts", Level::ok, fmt::format("its interrupts go to {}", where), "", ""});
}

void check_napi(std::vector<Finding> &out, const Interface &interface)
{
    const std::string threaded = sysfs(interface, "threaded");
    const std::string deferred = sysfs(interface, "napi_defer_hard_irqs");
    const std::string timeout = sysfs(interface, "gro_flush_timeout");
    if (deferred.empty() || timeout.empty())
        return;
    const bool polled = deferred != "0" && timeout != "0";
    out.push_back(
        {"interface.napi", Level::ok,
         fmt::format("NAPI runs in {}; busy polling is {}set up (napi_defer_hard_irqs {}, gro_flush_timeout {})",
                     threaded == "1" ? "threads of its own" : "soft interrupts", polled ? "" : "not ", deferred,
                     timeout),
         "", ""});
}

void check_offloads(std::vector<Finding> &out, const Interface &interface)
{
    const ethtool::Offloads offloads = ethtool::offloads_of(interface.name);
    if (offloads.lro.value_or(false))
        out.push_back({"interface.lro", Level::warning, "the card joins packets before programs see them (LRO)",
                       "drivers refuse native mode, or packets are longer than they were sent",
                       fmt::format("ethtool -K {} lro off", interface.name)});
    if (offloads.rx_vlan.value_or(false) && interface.kind != "veth")
        out.push_back({"interface.rx_vlan", Level::note, "the card takes VLAN tags off before programs see them",
                       "`vlan` matches nothing, and rules see the packet as if it had no tag",
                       fmt::format("ethtool -K {} rxvlan off", interface.name)});
    if (offloads.gro.value_or(false))
        out.push_back(
            {"interface.gro", Level::ok,
             "GRO is on: in skb mode, programs see packets that were joined, in native mode as they were sent", "",
             ""});
}

} // namespace xdpf::runtime::doctor
