// Another program in place of the one at work.
#include "runtime/map_reuse.hpp"
#include "runtime/session.hpp"

#include <fmt/format.h>

#include <ranges>
#include <utility>

namespace xdpf::runtime {
namespace {

Error not_replaced(const Interface &interface, std::string cause)
{
    Error error;
    error.stage = fmt::format("cannot replace the program on '{}'", interface.name);
    error.message = "the new one needs a session of its own";
    error.cause = std::move(cause);
    error.remedy = "end this one and start it anew";
    return error;
}

VerdictCounts sum(const VerdictCounts &a, const VerdictCounts &b)
{
    return {a.aborted + b.aborted, a.dropped + b.dropped, a.passed + b.passed, a.transmitted + b.transmitted,
            a.redirected + b.redirected};
}

} // namespace

Result<std::optional<VerdictCounts>> Session::verdict_counts() const
{
    Result<std::optional<VerdictCounts>> now = program_.verdict_counts();
    if (now && *now && earlier_)
        return sum(*earlier_, **now);
    return now && !*now && earlier_ ? earlier_ : now;
}

// The link changes programs when the kernel is done with the old one (a grace period), so its counters are final then.
Result<void> Session::swap_programs(Loaded &now)
{
    std::swap(program_, now);
    Result<void> done = fill_maps();
    if (done)
        done = attachment_->update(program_);
    if (!done)
        std::swap(program_, now);
    return done;
}

// The program at work has no sockets, and the one that is to take its place wants some.
Result<void> Session::bind_late(const Loaded &now, SessionOptions options)
{
    if (!options.late_sockets)
        return std::unexpected(not_replaced(interface_, "it redirects into sockets, and the old one had none"));
    options.socket.multi_buffer = now.program().frags;
    if (attachment_->mode() == Mode::skb)
        options.socket.copy = CopyMode::copy;
    choose_frame_size(options.socket);
    Result<void> done = bind_queues(now, options);
    for (std::size_t i = 0; done && i < queues_.size(); ++i)
        done = listen(queues_[i].fd(), has_packet);
    if (!done) {
        queues_.clear();
        slots_.clear();
    }
    return done;
}

Result<std::vector<std::string>> Session::replace(const Image &image, const SessionOptions &options)
{
    if (!attachment_ || attachment_->by_dispatcher())
        return std::unexpected(not_replaced(interface_, "programs of the dispatcher are not replaced"));
    std::map<std::string, int> kept = maps_to_keep(program_.at_work(), image);
    std::vector<std::string> names;
    for (const MapSpec &map : image.maps)
        if (!map.internal && kept.contains(map.name))
            names.push_back(map.name);
    Result<Loaded> loaded = load_program(image, options, std::move(kept));
    if (!loaded)
        return std::unexpected(std::move(loaded.error()));
    if (queues_.empty() && !loaded->used_maps(MapKind::xskmap).empty())
        if (Result<void> bound = bind_late(*loaded, options); !bound)
            return std::unexpected(std::move(bound.error()));
    if (!queues_.empty() && loaded->program().frags && !program_.program().frags)
        return std::unexpected(not_replaced(interface_, "its packets have several frames ('frags'), and the sockets "
                                                        "were not made for that"));
    if (Result<void> swapped = swap_programs(*loaded); !swapped)
        return std::unexpected(std::move(swapped.error()));
    if (const auto before = loaded->verdict_counts(); before && *before)
        earlier_ = earlier_ ? sum(*earlier_, **before) : **before;
    replaced_rules_ = loaded->rule_counts().value_or(std::vector<RuleCount>());
    if (Result<void> listening = listen_to_records(); !listening)
        return std::unexpected(std::move(listening.error()));
    if (options.publish)
        publish(options);
    return names;
}

} // namespace xdpf::runtime
