// `xdpf top --json`: counts as they are, and how fast they grew since the look before.
#include "runtime/cli/top_view.hpp"

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;
using cli::as_json;

Json or_null(const auto &value) { return value ? Json(*value) : Json(nullptr); }

Json verdicts_json(const Pace &pace)
{
    if (!pace.now().verdicts)
        return nullptr;
    const auto rate_of = [&](std::uint64_t VerdictCounts::*count) {
        return or_null(pace.per_second([&](const Observed &look) {
            return look.verdicts ? std::optional((*look.verdicts).*count) : std::nullopt;
        }));
    };
    Json out = as_json(*pace.now().verdicts);
    out["per_second"] = {{"redirected", rate_of(&VerdictCounts::redirected)},
                         {"passed", rate_of(&VerdictCounts::passed)},
                         {"dropped", rate_of(&VerdictCounts::dropped)},
                         {"tx", rate_of(&VerdictCounts::transmitted)},
                         {"aborted", rate_of(&VerdictCounts::aborted)}};
    return out;
}

Json socket_json(const Pace &pace, std::size_t index)
{
    const ObservedSocket &socket = pace.now().sockets[index];
    const SocketView &view = socket.view;
    const QueueStatistics &counters = view.counters;
    const auto lost = [](const ObservedSocket &one) { return one.view.counters.lost(); };
    return {{"queue", view.queue},
            {"taken", socket.taken},
            {"taken_per_second", or_null(pace.of_socket(index, [](const ObservedSocket &one) { return one.taken; }))},
            {"waiting", view.waiting},
            {"free_frames", or_null(view.free_frames)},
            {"to_send", or_null(view.to_send)},
            {"sent", or_null(socket.sent)},
            {"tx_outstanding", or_null(view.tx_outstanding)},
            {"lost",
             {{"no_free_frame", counters.no_free_frame()},
              {"rx_ring_full", counters.rx_ring_full},
              {"other", counters.other()}}},
            {"lost_per_second", or_null(pace.of_socket(index, lost))},
            {"invalid", {{"fill", counters.rx_invalid_descs}, {"tx", counters.tx_invalid_descs}}}};
}

Json rules_json(const Pace &pace)
{
    Json out = Json::array();
    for (std::size_t i = 0; i < pace.now().rules.size(); ++i) {
        const RuleCount &rule = pace.now().rules[i];
        const RulePlace &place = pace.now().place(rule);
        out.push_back({{"program", pace.now().entry->image.programs[rule.program].name},
                       {"rule", rule.rule + 1},
                       {"packets", rule.packets},
                       {"packets_per_second", or_null(pace.of_rule(i))},
                       {"bytes", rule.bytes},
                       {"file", place.file},
                       {"line", place.line},
                       {"text", place.text}});
    }
    return out;
}

Json program_json(const Pace &pace)
{
    const Observed &now = pace.now();
    const Registered &entry = *now.entry;
    Json sockets = Json::array();
    for (std::size_t i = 0; i < now.sockets.size(); ++i)
        sockets.push_back(socket_json(pace, i));
    Json maps = Json::array();
    for (const ObservedMap &map : now.maps)
        maps.push_back(
            {{"name", map.name}, {"kind", name_of(map.kind)}, {"used", or_null(map.entries)}, {"entries", map.room}});
    const auto received = [](const Observed &look) { return std::optional(look.interface.rx_packets); };
    const auto dropped = [](const Observed &look) { return std::optional(look.interface.rx_dropped); };
    return {{"interface", entry.interface},
            {"program", entry.program()},
            {"program_id", entry.program_id},
            {"mode", entry.mode},
            {"pid", entry.pid == 0 ? Json(nullptr) : Json(entry.pid)},
            {"source", entry.origin.source},
            {"seconds", std::chrono::duration<double>(std::chrono::system_clock::now() - entry.started).count()},
            {"verdicts", verdicts_json(pace)},
            {"sockets", std::move(sockets)},
            {"rules", rules_json(pace)},
            {"maps", std::move(maps)},
            {"interface_counters",
             {{"rx_packets", now.interface.rx_packets},
              {"rx_packets_per_second", or_null(pace.per_second(received))},
              {"rx_dropped", now.interface.rx_dropped},
              {"rx_dropped_per_second", or_null(pace.per_second(dropped))}}}};
}

} // namespace

Json top_json(const Observation &now, const Observation &before)
{
    Json programs = Json::array();
    for (const Observed &program : now.programs)
        programs.push_back(program_json(Pace(program, before)));
    Json errors = Json::array();
    for (const Error &error : now.errors)
        errors.push_back(as_json(error));
    return {{"programs", std::move(programs)}, {"errors", std::move(errors)}};
}

} // namespace xdpf::cli
