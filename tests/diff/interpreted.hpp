// Without the kernel: a compilation's programs as IR or as instructions, over maps of their own.
#pragma once

#include "compiler/bpf/interpret.hpp"
#include "compiler/compile.hpp"
#include "compiler/ir/interpret.hpp"
#include "tests/diff/engines.hpp"

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace xdpf::diff {

// What came of a packet. The target of a redirect counts where the verdict is one.
struct Answer {
    std::uint32_t verdict = 0;
    std::optional<ir::RedirectTarget> redirect;
    Bytes left;                                         // metadata and packet
    std::vector<std::pair<std::size_t, Bytes>> records; // number of the map, bytes
    bool operator==(const Answer &) const = default;
};

using Outcome = std::expected<Answer, std::string>;

[[nodiscard]] std::string text_of(const Outcome &outcome);

// How many slots of a map of devices or processors the tests fill, from 0 on.
[[nodiscard]] std::uint32_t slots_to_fill(const MapSpec &map);

class Interpreted {
public:
    Interpreted(const Compilation &compilation, bool bytecode, const Subject &subject, ir::Context context);

    // Follows `goto` as the kernel does: at most 33 times.
    [[nodiscard]] Outcome run(const Bytes &packet);
    [[nodiscard]] const ir::MapStore &maps() const { return maps_; }

private:
    void fill(MapId map);
    template <class Result> std::optional<ir::TailCall> take(Result &result, Answer &answer);

    const Compilation &compilation_;
    ir::MapStore maps_;
    std::vector<std::unique_ptr<ir::Interpreter>> interpreters_; // of the IR, one a program; none: bytecode
    ir::Context context_;
};

} // namespace xdpf::diff
