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
#include <optional>
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
    std::vector<std::byte> bytes{};
};

// A thing that was entered and is in force.
struct Declaration {
    std::string what; // "rule", "map 'hits'"
    std::string text; // as it was entered
};

// A rule with an action, or a part of one, as it was entered.
struct EnteredRule {
    std::uint64_t id = 0; // stays the same for as long as its declaration stands as it was entered
    std::string source;
    std::uint32_t line = 0; // from 1
    std::string text;       // its first line
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

    // Declarations and rules as a file has them, or statements as a test has them: `packet …`, `> …` for the same,
    // `hex "…"` for `packet hex "…"`, `with …`, `expect …` behind a packet. A declaration replaces an older one of the
    // same name, a `default` the older one; it is tried last wherever it was entered. What `with` says about maps,
    // rx_queue and iface stays; maps keep what they hold as long as their own declarations do not change.
    [[nodiscard]] Answer enter(std::string_view text, const Entry &entry = {});

    // Takes the last accepted input back; false where there is none. Maps whose declarations stay keep what they hold.
    bool undo();
    void clear();

    // In the order of text().
    [[nodiscard]] std::vector<Declaration> declarations() const;
    // Puts what is entered, one declaration or several, in the place of one of those, by its index; an empty text takes
    // it away. Rejected where nothing of it compiles without the old one.
    [[nodiscard]] Answer replace(std::size_t declaration, std::string_view text, const Entry &entry = {});

    // Everything accepted, as a file that compiles alike. Empty for an empty session.
    [[nodiscard]] std::string text() const;
    [[nodiscard]] std::string dump(Stage stage) const;
    [[nodiscard]] const Compilation &compilation() const;                    // of what is in force; always ok()
    [[nodiscard]] Compilation compiled(const CompileOptions &options) const; // the same, otherwise
    // Where the rule of a span of those was entered; nothing for what was not: rules of imports, and the `default` of a
    // session that has none.
    [[nodiscard]] std::optional<EnteredRule> entered(Span rule) const;
    // The line of text() that the rule of that EnteredRule::id begins on; nothing where it is no longer in force.
    [[nodiscard]] std::optional<std::uint32_t> line_of(std::uint64_t id) const;
    // The packets that a statement stands for, with or without `packet`, and without running them; or what is wrong.
    [[nodiscard]] std::expected<std::vector<std::vector<std::byte>>, Answer> packets(std::string_view text) const;
    // Runs the tests that were entered, each with maps of its own.
    struct TestOutcome {
        std::string name;
        std::vector<std::string> failures; // "<shell>:3:5: expected drop, got pass"
    };
    [[nodiscard]] std::vector<TestOutcome> run_tests() const;
    // The entries of a map, one a line: "10.0.0.1 = {packets = 2, bytes = 84}". The error names the map and the others.
    using Text = std::expected<std::string, std::string>;
    [[nodiscard]] Text map_text(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> map_names() const;
    // One entry, with keys and values as text (compiler/map_text.hpp): as a line of map_text(), as it is afterwards.
    // Maps without keys, and sets, have no `key`, or no `value`.
    [[nodiscard]] Text entry(std::string_view map, std::string_view key) const;
    [[nodiscard]] Text set_entry(std::string_view map, std::string_view key, std::string_view value);
    [[nodiscard]] Text erase_entry(std::string_view map, std::string_view key);
    [[nodiscard]] Text parameter(std::string_view name) const;
    [[nodiscard]] Text set_parameter(std::string_view name, std::string_view value);

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

// The parts of a text, for showing it in colour; together they are the text.
struct TextPart {
    enum class Kind : std::uint8_t { plain, comment, keyword, number, string };
    Kind kind{};
    std::string_view text;
};
[[nodiscard]] std::vector<TextPart> parts_of(std::string_view text);

} // namespace xdpf
