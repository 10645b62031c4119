// What a session keeps; private to its own files.
#pragma once

#include "compiler/session.hpp"
#include "compiler/session_text.hpp"
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

    // All pieces, a default last; what is not there but must be is generated.
    [[nodiscard]] static session::Assembly assemble(const Pieces &pieces);
    void adopt(Pieces next, session::Assembly text, Compilation compiled);
    [[nodiscard]] Answer declare(const session::InputPtr &input);
    [[nodiscard]] Answer run(const session::InputPtr &input);
    void run(const TestGroup &group, const Compilation &compiled, Answer &answer);
    [[nodiscard]] PacketAnswer packet_answer(std::size_t program, std::span<const std::byte> packet,
                                             const PacketResult &result) const;
};

// One entry of a map, or what it holds altogether.
[[nodiscard]] std::string entries_text(const MapSpec &map, const Interpreter &interpreter, MapId id);

} // namespace xdpf
