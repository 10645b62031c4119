// What the programs at work count and hold, looked at again and again from another process: the numbers of `xdpf top`
// and `xdpf metrics`. Programs that come and go are followed.
//
// Nothing is kept open between two looks, so that what ends is gone at once.
#pragma once

#include "runtime/interface.hpp"
#include "runtime/load.hpp"
#include "runtime/registry.hpp"
#include "runtime/socket_view.hpp"

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xdpf::runtime {

class Running; // runtime/running.hpp

struct ObservedSocket {
    SocketView view;
    std::uint64_t taken = 0; // as SocketView's, but do not wrap
    std::optional<std::uint64_t> sent;
};

struct ObservedMap {
    std::string name;
    MapKind kind = MapKind::array;
    std::uint64_t room = 0;               // entries
    std::optional<std::uint64_t> entries; // of arrays those that are not 0; none: not to be counted, or too many
};

// All counts since the program was attached, if not said otherwise.
struct Observed {
    std::shared_ptr<const Registered> entry;
    std::chrono::steady_clock::time_point at;
    std::optional<VerdictCounts> verdicts; // none: they are not counted
    std::vector<RuleCount> rules;          // empty: they are not counted
    std::vector<ObservedSocket> sockets;
    std::vector<ObservedMap> maps;
    InterfaceCounters interface; // since the interface exists

    // Where a counted rule stands in the source.
    [[nodiscard]] const RulePlace &place(const RuleCount &rule) const
    {
        return entry->origin.rules[rule.program][rule.rule];
    }
};

struct Observation {
    std::vector<Observed> programs; // as Registry::programs
    std::vector<Error> errors;      // about programs that are left out, or whose sockets are
};

class Observer {
public:
    // Of the calling thread's network namespace, or one interface there; an interface need not be there yet.
    explicit Observer(std::string interface = {}) : interface_(std::move(interface)) {}

    // To be called more often than indices go round (LongCount). Counting a map's entries means to read them all, so it
    // is done seldom enough to take a hundredth of the time, and left where it takes longer than 50 ms. An error only
    // where nothing can be looked at at all.
    [[nodiscard]] Result<Observation> look();

private:
    using Clock = std::chrono::steady_clock;
    struct Counted {
        std::optional<std::uint64_t> entries;
        Clock::time_point next; // not before
    };
    struct Followed {
        LongCount taken;
        LongCount sent;
    };
    struct Memory {                                // of a program
        std::map<std::uint32_t, Followed> sockets; // by queue
        std::map<std::size_t, Counted> maps;       // by MapId
    };
    using Key = std::pair<std::uint32_t, std::chrono::system_clock::time_point>; // the program's id, and when it began

    [[nodiscard]] Result<Observed> look_at(const std::shared_ptr<const Registered> &entry, Memory &memory,
                                           std::vector<Error> &errors);
    [[nodiscard]] static Result<std::vector<ObservedMap>> count_maps(const Running &program, Memory &memory);

    std::string interface_;
    std::map<Key, Memory> memory_;
};

} // namespace xdpf::runtime
