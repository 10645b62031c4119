#include "runtime/observer.hpp"

#include "runtime/running.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace xdpf::runtime {
namespace {

using namespace std::chrono_literals;

constexpr auto longest_count = 50ms;
constexpr int pause_factor = 100; // as many times as long as counting took

std::vector<ObservedSocket> follow(const std::vector<SocketView> &views, auto &followed)
{
    std::vector<ObservedSocket> out;
    for (const SocketView &view : views) {
        auto &[taken, sent] = followed[view.queue];
        ObservedSocket &one = out.emplace_back(view, taken.follow(view.taken));
        if (view.sent)
            one.sent = sent.follow(*view.sent);
    }
    return out;
}

} // namespace

Result<std::vector<ObservedMap>> Observer::count_maps(const Running &program, Memory &memory)
{
    std::vector<ObservedMap> out;
    const Registered &entry = program.entry();
    for (std::size_t i = 0; i < entry.image.maps.size(); ++i) {
        if (!is_of_source(entry.image, MapId(i)) || entry.maps[i] == 0)
            continue;
        const MapSpec &spec = entry.image.maps[i];
        ObservedMap &map = out.emplace_back(spec.name, spec.kind, spec.max_entries);
        if (has(spec.kind, map_trait::keyless | map_trait::ring))
            continue;
        if (spec.kind == MapKind::xskmap) { // whose entries the kernel does not tell
            map.entries = std::ranges::count_if(entry.sockets, [&](const RegisteredSocket &socket) {
                return std::ranges::find(socket.maps, spec.name) != socket.maps.end();
            });
            continue;
        }
        Counted &counted = memory.maps[i];
        const Clock::time_point begin = Clock::now();
        if (begin >= counted.next) {
            const auto used = program.maps().map(MapId(i)).used([&] { return Clock::now() - begin > longest_count; });
            if (!used)
                return std::unexpected(used.error());
            const Clock::time_point end = Clock::now();
            counted = {*used, end + pause_factor * (end - begin)};
        }
        map.entries = counted.entries;
    }
    return out;
}

Result<Observed> Observer::look_at(const std::shared_ptr<const Registered> &entry, Memory &memory,
                                   std::vector<Error> &errors)
{
    Observed out{.entry = entry, .at = Clock::now()};
    Result<std::vector<SocketView>> sockets = look_at_sockets(*entry);
    if (sockets)
        out.sockets = follow(*sockets, memory.sockets);
    else // the rest is there without them
        errors.push_back(std::move(sockets.error()));
    const Result<Running> running = Running::open(*entry);
    if (!running)
        return std::unexpected(running.error());
    const auto verdicts = running->maps().verdict_counts();
    if (!verdicts)
        return std::unexpected(verdicts.error());
    out.verdicts = *verdicts;
    Result<std::vector<RuleCount>> rules = running->maps().rule_counts();
    if (!rules)
        return std::unexpected(std::move(rules.error()));
    out.rules = std::move(*rules);
    Result<std::vector<ObservedMap>> maps = count_maps(*running, memory);
    if (!maps)
        return std::unexpected(std::move(maps.error()));
    out.maps = std::move(*maps);
    const Result<Interface> interface =
        find_interface(entry->interface_index, fmt::format("cannot look at '{}'", entry->interface));
    if (!interface)
        return std::unexpected(interface.error());
    out.interface = interface->counters;
    return out;
}

Result<Observation> Observer::look()
{
    Result<Registry> registry = registered(Leftovers::keep);
    if (!registry)
        return std::unexpected(std::move(registry.error()));
    Observation out{{}, std::move(registry->unreadable)};
    std::map<Key, Memory> memory;
    for (Registered &one : registry->programs) {
        if (one.network != current_network() || (!interface_.empty() && one.interface != interface_))
            continue;
        const Key key(one.program_id, one.started);
        Memory &mine = memory[key];
        if (const auto known = memory_.find(key); known != memory_.end())
            mine = std::move(known->second);
        const auto entry = std::make_shared<const Registered>(std::move(one));
        Result<Observed> seen = look_at(entry, mine, out.errors);
        if (seen)
            out.programs.push_back(std::move(*seen));
        else if (is_at_work(*entry)) // else it ended this very moment
            out.errors.push_back(std::move(seen.error()));
    }
    memory_ = std::move(memory);
    return out;
}

} // namespace xdpf::runtime
