// What a session keeps; private to its own files.
#pragma once

#include "compiler/session.hpp"
#include "compiler/session_text.hpp"
#include "compiler/state.hpp"
#include "grammar/ast.hpp"

#include <deque>
#include <optional>

namespace xdpf {

struct Session::State {
    using Pieces = std::vector<session::Piece>;
    struct Warning {
        Kind kind;
        session::Place place;
        bool operator==(const Warning &) const = default;
    };

    Pieces pieces;
    std::deque<Pieces> history;             // the newest last
    session::Assembly assembly;             // of the pieces
    std::optional<Compilation> compilation; // of the assembly; always there, and ok
    std::optional<Interpreter> interpreter; // of the compilation
    std::vector<Warning> warnings;          // that have been shown
    PacketContext context;
    std::uint32_t inputs = 0; // that there have been

    // All pieces, a default last; what is not there but must be is generated.
    [[nodiscard]] static session::Assembly assemble(const Pieces &pieces);
    void adopt(Pieces next, session::Assembly text, Compilation compiled);
    // In place of the piece that `instead` is the index of, if that is given.
    [[nodiscard]] Answer declare(const session::InputPtr &input, std::optional<std::size_t> instead = {});
    [[nodiscard]] session::InputPtr input(std::string_view text, const Entry &entry);
    // The pieces in the order of the text, as indices.
    [[nodiscard]] std::vector<std::size_t> in_order() const;
    // Statements in a test of their own, compiled with everything else; or why not.
    struct Statements {
        Compilation compiled;
        TestImage test;
        bool only_with = false; // there is no packet among them
    };
    [[nodiscard]] std::expected<Statements, Answer> compile_statements(const session::InputPtr &input) const;
    [[nodiscard]] Answer run(const session::InputPtr &input);
    void run(const TestGroup &group, const Compilation &compiled, Answer &answer);
    [[nodiscard]] PacketAnswer packet_answer(std::size_t program, std::span<const std::byte> packet,
                                             const PacketResult &result) const;
};

// The map of that name, or a sentence that there is none.
[[nodiscard]] std::expected<MapId, std::string> map_named(const Image &image, std::string_view name);
// The rule's own text, the first line of it; empty where the span is no rule's head.
[[nodiscard]] std::string rule_text(const Compilation::State &state, Span decided_by);
// What a map holds.
[[nodiscard]] std::string entry_text(const MapSpec &map, std::span<const std::byte> key,
                                     std::span<const std::byte> value);
[[nodiscard]] std::string entries_text(const MapSpec &map, const Interpreter &interpreter, MapId id);

} // namespace xdpf
