// A program that is beyond what the kernel's verifier follows, as several that follow each other by tail call, each
// with a budget of its own. It is cut between rules, those of nested matches included: where none of a part's rules has
// decided, the packet goes on in the next part as it is by then.
#pragma once

#include "compiler/sema/typed.hpp"

#include <optional>
#include <span>
#include <string>
#include <vector>

namespace xdpf {

// Most programs that a packet can see one after the other: MAX_TAIL_CALL_CNT (33) of the kernel's linux/bpf.h, and the
// first.
constexpr std::size_t most_in_a_row = 34;
[[nodiscard]] std::string too_many_in_a_row(std::size_t programs);

// What is lowered in place of Unit::programs.
struct SplitPrograms {
    struct Part {
        std::size_t of = 0;    // a program of the unit
        std::size_t begin = 0; // of its rules with an action, in order: [begin, end)
        std::size_t end = 0;
    };
    // At the index of each program of the unit its first part, or all of it; behind these the other parts.
    std::vector<sema::Program> programs;
    std::vector<Part> parts; // of programs, by index
    // Those of one of the unit's programs, in order.
    [[nodiscard]] std::vector<std::size_t> parts_of(std::size_t program) const;
};

class Splitter {
public:
    // How much of what the kernel takes a program needs, 1 being all of it; nothing: it is not known.
    using Share = std::optional<double>;

    // The unit gets the table of programs once there is something to split.
    explicit Splitter(sema::Unit &unit);

    // Makes more parts of those programs of which one is beyond what the kernel takes. `shares` is about result(),
    // before the first time about the unit's programs. False: that cannot be done; why_not() says why.
    [[nodiscard]] bool divide(std::span<const Share> shares);
    [[nodiscard]] const SplitPrograms &result() const { return result_; }
    // To be read behind "it is not split, since".
    [[nodiscard]] const std::string &why_not() const { return why_not_; }

private:
    struct Source {
        std::vector<double> weights; // by rule with an action, in order: its share
        std::size_t parts = 1;
    };

    [[nodiscard]] bool divide(std::size_t program, std::span<const Share> shares);
    void cut();

    sema::Unit &unit_;
    std::vector<Source> sources_; // by program of the unit
    SplitPrograms result_;
    std::string why_not_;
};

} // namespace xdpf
