#include "runtime/ethtool.hpp"

#include "runtime/fd.hpp"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstring>

namespace xdpf::runtime::ethtool {
namespace {

// `command` begins with its number, ETHTOOL_G…; the kernel writes the answer over it.
bool ask(const std::string &interface, void *command)
{
    const Fd fd(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_data = static_cast<char *>(command);
    return fd && ioctl(fd.get(), SIOCETHTOOL, &request) == 0;
}

std::optional<std::uint32_t> value_of(const std::string &interface, std::uint32_t command)
{
    ethtool_value value{.cmd = command, .data = 0};
    return ask(interface, &value) ? std::optional(value.data) : std::nullopt;
}

std::optional<bool> is_on(const std::string &interface, std::uint32_t command, std::uint32_t bits = ~0U)
{
    const auto value = value_of(interface, command);
    return value ? std::optional((*value & bits) != 0) : std::nullopt;
}

// A command with an array behind it, in memory that is aligned for it.
template <class Head> struct Variable {
    explicit Variable(std::size_t tail) : words((sizeof(Head) + tail + 7) / 8) {}
    Head *operator->() { return reinterpret_cast<Head *>(words.data()); }
    void *address() { return words.data(); }
    template <class T> T at(std::size_t index) const
    {
        T value;
        std::memcpy(&value, reinterpret_cast<const std::byte *>(words.data()) + sizeof(Head) + index * sizeof(T),
                    sizeof value);
        return value;
    }
    std::vector<std::uint64_t> words;
};

std::uint32_t counter_count(const std::string &interface)
{
    Variable<ethtool_sset_info> info(sizeof(std::uint32_t));
    info->cmd = ETHTOOL_GSSET_INFO;
    info->sset_mask = 1ULL << ETH_SS_STATS;
    return ask(interface, info.address()) && info->sset_mask != 0 ? info.at<std::uint32_t>(0) : 0;
}

} // namespace

std::string driver_of(const std::string &interface)
{
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    return ask(interface, &info) ? std::string(info.driver, strnlen(info.driver, sizeof info.driver)) : std::string();
}

Channels channels_of(const std::string &interface)
{
    ethtool_channels channels{};
    channels.cmd = ETHTOOL_GCHANNELS;
    if (!ask(interface, &channels))
        return {};
    return {.receive = channels.combined_count + channels.rx_count,
            .send = channels.combined_count + channels.tx_count,
            .most_receive = std::max(channels.max_combined, channels.max_rx),
            .combined = channels.max_combined != 0};
}

Offloads offloads_of(const std::string &interface)
{
    return {.tx_checksum = is_on(interface, ETHTOOL_GTXCSUM),
            .gro = is_on(interface, ETHTOOL_GGRO),
            .lro = is_on(interface, ETHTOOL_GFLAGS, ETH_FLAG_LRO),
            .rx_vlan = is_on(interface, ETHTOOL_GFLAGS, ETH_FLAG_RXVLAN),
            .tx_vlan = is_on(interface, ETHTOOL_GFLAGS, ETH_FLAG_TXVLAN)};
}

std::vector<std::uint32_t> indirection_of(const std::string &interface)
{
    ethtool_rxfh_indir size{};
    size.cmd = ETHTOOL_GRXFHINDIR;
    if (!ask(interface, &size) || size.size == 0)
        return {};
    Variable<ethtool_rxfh_indir> table(size.size * sizeof(std::uint32_t));
    table->cmd = ETHTOOL_GRXFHINDIR;
    table->size = size.size;
    if (!ask(interface, table.address()))
        return {};
    std::vector<std::uint32_t> queues(size.size);
    for (std::size_t i = 0; i < queues.size(); ++i)
        queues[i] = table.at<std::uint32_t>(i);
    return queues;
}

std::optional<bool> udp_ports_hashed(const std::string &interface)
{
    ethtool_rxnfc fields{};
    fields.cmd = ETHTOOL_GRXFH;
    fields.flow_type = UDP_V4_FLOW;
    if (!ask(interface, &fields) || fields.data == 0)
        return std::nullopt;
    return (fields.data & (RXH_L4_B_0_1 | RXH_L4_B_2_3)) != 0;
}

std::vector<Counter> counters_of(const std::string &interface)
{
    const std::uint32_t count = counter_count(interface);
    if (count == 0)
        return {};
    using Name = std::array<char, ETH_GSTRING_LEN>;
    Variable<ethtool_gstrings> names(count * sizeof(Name));
    names->cmd = ETHTOOL_GSTRINGS;
    names->string_set = ETH_SS_STATS;
    names->len = count;
    Variable<ethtool_stats> values(count * sizeof(std::uint64_t));
    values->cmd = ETHTOOL_GSTATS;
    values->n_stats = count;
    // Queues may have come in between: what is not of the size that was asked for is left alone.
    if (!ask(interface, names.address()) || !ask(interface, values.address()) || names->len != count ||
        values->n_stats != count)
        return {};
    std::vector<Counter> counters(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto name = names.at<Name>(i);
        counters[i] = {std::string(name.data(), strnlen(name.data(), name.size())), values.at<std::uint64_t>(i)};
    }
    return counters;
}

std::optional<std::uint32_t> queue_of_counter(std::string_view name)
{
    const auto skip = [&name](std::string_view text) {
        const bool there = name.starts_with(text);
        name.remove_prefix(there ? text.size() : 0);
        return there;
    };
    if (!skip("rx"))
        return std::nullopt;
    skip("_") || skip("-");
    skip("queue_");
    std::uint32_t queue = 0;
    const auto [end, failed] = std::from_chars(name.data(), name.data() + name.size(), queue);
    if (failed != std::errc())
        return std::nullopt;
    name.remove_prefix(static_cast<std::size_t>(end - name.data()));
    return name == "_packets" || name == ".packets" || name == "_xdp_packets" ? std::optional(queue) : std::nullopt;
}

} // namespace xdpf::runtime::ethtool
