// Runs packets through a program and says which rule decided, and why the rules in front of it did not.
//
//   xdpf::Explainer explainer(compilation);
//   const auto explanation = explainer.run(packet, {}, xdpf::Detail::reasons);
//   if (explanation.rule)
//       fmt::print("{}\n", explainer.rules()[*explanation.rule].text);
//
// The verdict is the interpreter's. The rule and the reasons come from an evaluation of the source that shares nothing
// with it behind the analysis. Where it has no part of its own to say (instructions, random numbers, tags put on), the
// rule is what the interpreter knows of it, and only the rules in front of that have reasons; where the two disagree,
// none has.
#pragma once

#include "compiler/interpret.hpp"

#include <memory>
#include <string>
#include <vector>

namespace xdpf {

// A rule with an action. Those of nested matches count, the match around them does not.
struct RuleText {
    std::size_t program = 0; // index into Image::programs
    std::size_t number = 0;  // from 1, in source order within its program
    std::string file;
    std::uint32_t line = 0; // from 1
    std::string text;       // its first line: "match udp -> drop"
};

// A rule in front of the one that decided.
struct RuleTried {
    std::size_t rule = 0; // index into Explainer::rules()
    bool matched = false; // and went on to the next
    std::string reason;   // "udp.dport is 80, not 53"; empty where it matched
};

struct Explanation {
    PacketResult result;
    std::optional<std::size_t> rule; // that decided, an index into Explainer::rules(); none: no rule matched
    std::vector<RuleTried> tried;    // in order; only where reasons were asked for
};

enum class Detail : std::uint8_t { rule, reasons };

// A program with its maps, which packets change one after the other. The compilation must outlive it.
class Explainer {
public:
    // Of a compilation that is ok(); `program` counts Image::programs.
    explicit Explainer(const Compilation &compilation, std::size_t program = 0);
    Explainer(Explainer &&) noexcept;
    Explainer &operator=(Explainer &&) noexcept;
    ~Explainer();

    // Of all programs.
    [[nodiscard]] const std::vector<RuleText> &rules() const;
    [[nodiscard]] Explanation run(std::span<const std::byte> packet, PacketContext context = {},
                                  Detail detail = Detail::rule);
    // Its maps.
    [[nodiscard]] Interpreter &interpreter();

private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace xdpf
