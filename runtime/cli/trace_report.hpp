// How `xdpf trace` shows what it found: lines as tcpdump has them, or JSON.
#pragma once

#include "compiler/explain.hpp"
#include "runtime/cli/trace_command.hpp"
#include "runtime/error.hpp"

#include <array>

namespace xdpf::cli {

// One packet of the capture.
struct TracedPacket {
    std::uint64_t number = 0;  // from 1
    std::uint64_t time = 0;    // nanoseconds since 1970
    std::size_t captured = 0;  // bytes
    std::uint32_t length = 0;  // bytes, on the wire
    std::string skipped;       // why the kernel cannot run it; then the rest says nothing
    bool rule_known = true;    // the kernel does not tell; where the interpreter says otherwise, nobody knows
    std::uint32_t verdict = 2; // XDP_… of <linux/bpf.h>
    std::string verdict_text;  // "xsk xsks[2]"
    Explanation explanation;
};

struct TraceTotals {
    std::uint64_t packets = 0; // that ran
    std::array<std::uint64_t, 5> verdicts{};
    std::vector<std::uint64_t> by_rule; // of Explainer::rules()
    std::uint64_t unmatched = 0;        // no rule matched
    std::uint64_t unknown = 0;          // no one knows which rule
    std::uint64_t cut = 0;              // the capture holds less than there was
    std::uint64_t skipped = 0;          // not run
    std::string first_skipped;          // why
};

class TraceReport {
public:
    TraceReport(const TraceOptions &options, const Compilation &compilation, const Explainer &explainer,
                std::size_t program);

    void packet(const TracedPacket &packet);
    // Everything has been read, or `error` came in between.
    void finish(const runtime::Error *error, std::uint32_t snap_length);

private:
    void count(const TracedPacket &packet);
    [[nodiscard]] bool is_rule(std::optional<std::size_t> rule) const; // and not what stands for none
    void text_line(const TracedPacket &packet);
    void json_packet(const TracedPacket &packet);
    void text_totals() const;
    void text_notes(std::uint32_t snap_length) const;
    void json_totals(const runtime::Error *error) const;
    [[nodiscard]] std::string clock(std::uint64_t time);
    [[nodiscard]] std::string place(std::size_t rule) const;

    const TraceOptions &options_;
    const Compilation &compilation_;
    std::vector<RuleText> rules_;
    std::size_t program_;
    std::string main_file_;
    TraceTotals totals_;
    std::uint64_t clock_second_ = UINT64_MAX;
    std::string clock_text_; // of clock_second_
};

} // namespace xdpf::cli
