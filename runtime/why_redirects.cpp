// Packets that the kernel could not redirect, by the reasons that its tracepoints tell.
#include "runtime/doctor_parts.hpp"
#include "runtime/why_watch.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/bpf.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

namespace xdpf::runtime::why {
namespace {

enum class Target : std::uint8_t { socket, interface, processor };

struct Place {
    std::optional<MapId> map;
    Target target = Target::interface;
    std::uint32_t slot = 0;
    std::string interface; // that it leads to; empty: not known
};

std::optional<MapId> map_of_id(const Registered &entry, std::uint32_t id)
{
    const auto found = id == 0 ? entry.maps.end() : std::ranges::find(entry.maps, id);
    return found == entry.maps.end() ? std::nullopt : std::optional(MapId(found - entry.maps.begin()));
}

Target target_of(MapKind kind)
{
    return kind == MapKind::xskmap ? Target::socket : kind == MapKind::cpumap ? Target::processor : Target::interface;
}

std::string interface_named(std::uint32_t index)
{
    std::array<char, IF_NAMESIZE> name{};
    return if_indextoname(index, name.data()) == nullptr ? fmt::format("interface {}", index) : name.data();
}

// What an entry of a devmap leads to now.
std::string interface_at(const Watched &watched, MapId map, std::uint32_t slot)
{
    const Map entries = watched.running.maps().map(map);
    const auto key = std::as_bytes(std::span(&slot, 1));
    const auto value = entries.lookup(key);
    if (!value || !*value || (*value)->size() < sizeof(std::uint32_t))
        return "";
    std::uint32_t index = 0;
    std::memcpy(&index, (*value)->data(), sizeof index);
    return index == 0 ? "" : interface_named(index);
}

Place place_of(const Watched &watched, const Lost &lost)
{
    Place out{.map = map_of_id(watched.entry(), lost.subject), .slot = lost.object, .interface = {}};
    if (!out.map) {
        out.interface = interface_named(lost.object);
        return out;
    }
    out.target = target_of(watched.entry().image.maps[out.map->value].kind);
    if (out.target == Target::interface)
        out.interface = interface_at(watched, *out.map, out.slot);
    return out;
}

std::string text_of(const Watched &watched, const Place &place)
{
    const std::string to = place.interface.empty() ? "" : fmt::format(" ({})", place.interface);
    return place.map ? fmt::format("'{}' slot {}{}", watched.entry().image.maps[place.map->value].name, place.slot, to)
                     : place.interface;
}

// The doctor's, of the interface that packets were to go to.
std::optional<Finding> known_of(const std::string &name, std::string_view id)
{
    const auto interface = find_interface(name, "");
    std::vector<Finding> all;
    if (interface) {
        const auto peer = doctor::find_peer(*interface);
        all.push_back(doctor::link_state(*interface, peer));
        doctor::check_peer(all, *interface, xdp_features_of(interface->index), peer);
    }
    const auto found = std::ranges::find(all, id, &Finding::id);
    return found == all.end() || found->level == Level::ok ? std::nullopt : std::optional(*found);
}

struct Explanation {
    std::string id;
    std::string why;
    std::string remedy;
};

Explanation of_interface(const Watched &watched, const std::string &name, int code)
{
    const std::string there = name.empty() ? "INTERFACE" : name;
    const std::string doctor = fmt::format("xdpf doctor {}", there);
    switch (code) {
    case EOPNOTSUPP:
    case ENXIO:
        if (const auto known = known_of(name, "interface.peer_napi"))
            return {"redirect.no_napi", known->why, known->remedy};
        return {"redirect.not_taken", fmt::format("the driver of {} takes no redirected packets now", there), doctor};
    case ENETDOWN:
        if (const auto known = known_of(name, "interface.link"))
            return {"redirect.down", known->what, known->remedy};
        return {"redirect.down", fmt::format("{} was down", there), doctor};
    case EMSGSIZE:
        return {"redirect.too_long", fmt::format("they are longer than the MTU of {}", there),
                fmt::format("ip link set dev {} mtu {}", there, watched.after.interface.mtu)};
    case ENOSPC: return {"redirect.full", fmt::format("the queue that {} sends by is full", there), doctor};
    case EINVAL:
        return {"redirect.no_interface", "the entry was taken out, or there is no such interface any more",
                fmt::format("xdpf map list -i {}", watched.entry().interface)};
    default: return {fmt::format("redirect.{}", errno_name(code)), errno_text(code), doctor};
    }
}

Explanation of_socket(const Watched &watched, int code)
{
    const std::string status = fmt::format("xdpf status -i {}", watched.entry().interface);
    switch (code) {
    case ENXIO: return {"redirect.unbound", "the socket in the slot is not bound, or its interface is down", status};
    case EINVAL:
        return {"redirect.other_socket", "the socket in the slot is bound to another queue or another interface",
                status};
    case ENOBUFS: return {"redirect.ring_full", "the socket's RX ring is full: its process does not keep up", status};
    case ENOMEM: return {"redirect.no_frame", "the socket's fill ring is empty: no frame to put a packet in", status};
    case ENOSPC:
        return {"redirect.frame_too_small", "they are longer than a frame of the socket",
                fmt::format("{} --frame-size 4096", how_to_start(watched.entry()))};
    default: return {fmt::format("redirect.socket_{}", errno_name(code)), errno_text(code), status};
    }
}

// XDP_STATISTICS tells of these, and find_sockets() says more.
bool told_by_socket(const Watched &watched, const Place &place, int code)
{
    return place.target == Target::socket && (code == ENOBUFS || code == ENOMEM || code == ENOSPC) &&
           std::ranges::any_of(watched.sockets,
                               [&](const SocketView &one) { return one.registered().queue == place.slot; });
}

bool is_ours(const Watched &watched, const Lost &lost)
{
    const Registered &entry = watched.entry();
    const bool own_map = map_of_id(entry, lost.subject).has_value();
    switch (lost.event) {
    case Event::redirect_error: return own_map || (lost.subject == 0 && lost.owner == entry.program_id);
    case Event::devmap_drop:
    case Event::tx_drop:
        return lost.owner == entry.network && lost.subject == static_cast<std::uint32_t>(entry.interface_index);
    case Event::cpumap_full:
    case Event::cpumap_drop: return own_map;
    case Event::exception: return false; // find_rules()
    }
    return false;
}

struct Group {
    Explanation explanation;
    std::uint64_t packets = 0;
    int code = 0;
    std::set<std::string> places;
};

Explanation explain(const Watched &watched, const Lost &lost, const Place &place)
{
    switch (lost.event) {
    case Event::redirect_error:
        if (place.target == Target::socket)
            return of_socket(watched, -lost.error);
        if (place.target == Target::interface)
            return of_interface(watched, place.interface, -lost.error);
        return {"redirect.processor", "the entry was taken out, or its processor is not there",
                fmt::format("xdpf map list -i {}", watched.entry().interface)};
    case Event::devmap_drop:
    case Event::tx_drop: {
        if (lost.error == 0)
            return {"redirect.full", fmt::format("the queue that {} sends by was full", place.interface),
                    fmt::format("xdpf doctor {}", place.interface)};
        return of_interface(watched, place.interface, -lost.error);
    }
    case Event::cpumap_full:
        return {"redirect.processor_busy", "the processor's queue was full: it does not keep up",
                place.map
                    ? fmt::format("xdpf map set {} {} 4096 -i {}", watched.entry().image.maps[place.map->value].name,
                                  lost.object, watched.entry().interface)
                    : ""};
    default: return {"redirect.no_skb", "the processor had no memory for socket buffers", "free -m"};
    }
}

void add(std::vector<Group> &groups, const Watched &watched, const Lost &lost)
{
    Place place;
    if (lost.event == Event::devmap_drop)
        place.interface = interface_named(lost.object);
    else if (lost.event == Event::tx_drop)
        place.interface = interface_named(lost.subject);
    else
        place = place_of(watched, lost);
    if (lost.event == Event::redirect_error && told_by_socket(watched, place, -lost.error))
        return;
    Explanation explanation = explain(watched, lost, place);
    auto group = std::ranges::find(groups, explanation.id, [](const Group &one) { return one.explanation.id; });
    if (group == groups.end())
        group = groups.insert(groups.end(), Group{std::move(explanation), 0, -lost.error, {}});
    group->packets += lost.packets;
    group->places.insert(text_of(watched, place));
}

} // namespace

void find_redirects(std::vector<WhyFinding> &out, const Watched &watched)
{
    std::vector<Group> groups;
    for (const Lost &lost : watched.lost)
        if (is_ours(watched, lost))
            add(groups, watched, lost);
    for (const Group &group : groups)
        out.push_back({{group.explanation.id, Level::problem,
                        fmt::format("{} to {} dropped by the kernel{}", packets_text(group.packets),
                                    fmt::join(group.places, ", "),
                                    group.code == 0 ? "" : fmt::format(": {}", errno_text(group.code))),
                        group.explanation.why, group.explanation.remedy},
                       {{"packets", group.packets}, {"errno", static_cast<std::uint64_t>(group.code)}}});
}

} // namespace xdpf::runtime::why
