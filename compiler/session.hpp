// A conversation with the compiler, without a terminal: declarations, rules and packets go in one at a time, and every
// answer is data. `xdpf shell` is one user of it.
//
//   xdpf::Session session;
//   session.enter("match udp.dport == 53 -> drop");
//   auto answer = session.enter("packet ethernet / ipv4 / udp(dport = 53)");
//   use(answer.packets[0].verdict);                                            // "drop"
#pragma once

#include "compiler/interpret.hpp"

#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf {

// What a program did with a packet.
struct PacketAnswer {
    std::string program;
    std::string verdict;    // "drop", "xsk xsks[2]"
    std::string rule;       // as it was entered; empty: no rule matched
    std::string source;     // where the rule was entered
    std::uint32_t line = 0; // from 1
    std::size_t size = 0;   // of the packet, in bytes
};

// What came of one input. Diagnostics refer to the sources beside them, which hold inputs as they were entered.
struct Answer {
    enum class Status : std::uint8_t {
        nothing,    // blanks and comments
        incomplete, // a bracket is open, or an operator waits for its right side: enter it again with what follows
        rejected,   // there are errors; the session is as it was
        accepted,   // there may be warnings
        ran         // packets; an `expect` that does not hold is in `failures`
    };
    Status status = Status::nothing;
    std::vector<std::string>
        changes; // what was accepted, one a declaration: "rule", "map 'hits'", "map 'hits', in place of the older one"
    std::vector<PacketAnswer> packets;
    std::vector<std::string> failures; // "expected drop, got pass"
    Sources sources;
    Diagnostics diagnostics;
};

struct Entry {
    std::string source = "<shell>"; // what messages call the input
    std::uint32_t line = 1;         // the number of its first line
    bool complete = false;          // nothing follows: what is open is an error
};

class Session {
public:
    Session();
    Session(Session &&) noexcept;
    Session &operator=(Session &&) noexcept;
    ~Session();

    // Declarations and rules as a file has them, or statements as a test has them: `packet …`, `hex "…"` for `packet
    // hex "…"`, `with …`, `expect …` behind a packet. A declaration replaces an older one of the same name, a `default`
    // the older one; it is tried last wherever it was entered. What `with` says about maps, rx_queue and iface stays;
    // maps keep what they hold as long as their own declarations do not change.
    [[nodiscard]] Answer enter(std::string_view text, const Entry &entry = {});

    // Takes the last accepted input back; false where there is none. Maps whose declarations stay keep what they hold.
    bool undo();
    void clear();

    // Everything accepted, as a file that compiles alike. Empty for an empty session.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::string dump(Stage stage) const;
    // Runs the tests that were entered, each with maps of its own.
    struct TestOutcome {
        std::string name;
        std::vector<std::string> failures; // "<shell>:3:5: expected drop, got pass"
    };
    [[nodiscard]] std::vector<TestOutcome> run_tests() const;
    // The entries of a map, one a line: "10.0.0.1 = {packets = 2, bytes = 84}". The error names the map and the others.
    [[nodiscard]] std::expected<std::string, std::string> map_text(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> map_names() const;

    // What could stand in place of the word, or of the field behind a dot, that ends `line`: whole words, sorted.
    struct Completions {
        std::size_t begin = 0; // of that word in `line`, in bytes
        std::vector<std::string> words;
    };
    [[nodiscard]] Completions complete(std::string_view line) const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace xdpf
