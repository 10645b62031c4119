#include "runtime/cli/trace_report.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <ctime>

namespace xdpf::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint64_t second = 1'000'000'000; // in nanoseconds

// By the numbers of <linux/bpf.h>.
constexpr std::array<const char *, 5> json_names{"aborted", "drop", "pass", "tx", "redirect"};
constexpr std::array<const char *, 5> text_names{"abort", "drop", "pass", "tx", "redirect"};
constexpr std::array<std::size_t, 5> shown_order{2, 1, 3, 4, 0};

std::string dump(const Json &object) { return object.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::string counted(std::uint64_t count, std::string_view what)
{
    return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

} // namespace

TraceReport::TraceReport(const TraceOptions &options, const Compilation &compilation, const Explainer &explainer,
                         std::size_t program)
    : options_(options), compilation_(compilation), rules_(explainer.rules()), program_(program)
{
    totals_.by_rule.resize(rules_.size());
    if (options.placed)
        std::ranges::for_each(rules_, options.placed);
    const auto own = std::ranges::find(rules_, program, &RuleText::program);
    if (own != rules_.end())
        main_file_ = own->file;
    if (options_.json && options_.packets)
        fmt::print(options_.output, "{{\"trace\": [");
}

void TraceReport::packet(const TracedPacket &packet)
{
    if (options_.json && options_.packets)
        json_packet(packet);
    else if (!options_.json && !options_.summary)
        text_line(packet);
    count(packet);
}

void TraceReport::count(const TracedPacket &packet)
{
    totals_.cut += packet.captured < packet.length ? 1 : 0;
    if (!packet.skipped.empty()) {
        if (totals_.skipped++ == 0)
            totals_.first_skipped = packet.skipped;
        return;
    }
    ++totals_.packets;
    ++totals_.verdicts[packet.verdict < totals_.verdicts.size() ? packet.verdict : 0]; // others abort, as in the kernel
    if (!packet.rule_known)
        ++totals_.unknown;
    else if (is_rule(packet.explanation.rule))
        ++totals_.by_rule[*packet.explanation.rule];
    else
        ++totals_.unmatched;
}

bool TraceReport::is_rule(std::optional<std::size_t> rule) const { return rule && rules_[*rule].number != 0; }

// ---- Text ----------------------------------------------------------------------------------------------------------

std::string TraceReport::clock(std::uint64_t time)
{
    if (time / second != clock_second_) {
        clock_second_ = time / second;
        const auto seconds = static_cast<std::time_t>(clock_second_);
        std::tm local{};
        localtime_r(&seconds, &local);
        clock_text_ = fmt::format("{:%H:%M:%S}", local);
    }
    return fmt::format("{}.{:06}", clock_text_, time % second / 1000);
}

// "rule 2, line 3"
std::string TraceReport::place(std::size_t rule) const
{
    const RuleText &text = rules_[rule];
    const auto program =
        text.program == program_ ? "" : fmt::format("{} ", compilation_.image().programs[text.program].name);
    const auto file = text.file == main_file_ ? "" : fmt::format("{} ", text.file);
    return fmt::format("{}rule {}, {}line {}", program, text.number, file, text.line);
}

void TraceReport::text_line(const TracedPacket &packet)
{
    const auto length = packet.captured < packet.length ? fmt::format("{}/{}", packet.captured, packet.length)
                                                        : fmt::format("{}", packet.length);
    if (!packet.skipped.empty())
        return fmt::print(options_.output, "{:>5}  {}  {:>5}  not run: {}\n", packet.number, clock(packet.time), length,
                          packet.skipped);
    const auto &rule = packet.explanation.rule;
    const auto by = !packet.rule_known ? "the interpreter does not say so"
                    : is_rule(rule)    ? fmt::format("{}: {}", place(*rule), rules_[*rule].text)
                                       : "no rule matched";
    fmt::print(options_.output, "{:>5}  {}  {:>5}  {:<5}  {}\n", packet.number, clock(packet.time), length,
               packet.verdict_text, by);
    if (packet.rule_known)
        for (const auto &tried : packet.explanation.tried)
            fmt::print(options_.output, "         {}: {}\n", place(tried.rule),
                       tried.matched ? "matched, and went on" : tried.reason);
}

void TraceReport::text_totals() const
{
    std::vector<std::string> verdicts;
    for (const std::size_t verdict : shown_order)
        if (totals_.verdicts[verdict] != 0)
            verdicts.push_back(fmt::format("{} {}", totals_.verdicts[verdict], text_names[verdict]));
    fmt::print(options_.output, "{}{}{}\n", counted(totals_.packets, "packet"), verdicts.empty() ? "" : ": ",
               fmt::join(verdicts, ", "));
    std::vector<std::pair<std::uint64_t, std::string>> lines;
    std::size_t idle = 0;
    for (std::size_t rule = 0; rule < rules_.size(); ++rule) {
        if (totals_.by_rule[rule] != 0)
            lines.emplace_back(totals_.by_rule[rule], fmt::format("{}: {}", place(rule), rules_[rule].text));
        else if (rules_[rule].program == program_ && is_rule(rule))
            ++idle;
    }
    if (totals_.unmatched != 0)
        lines.emplace_back(totals_.unmatched, "no rule matched");
    if (totals_.unknown != 0)
        lines.emplace_back(totals_.unknown, "a rule that the interpreter does not know");
    for (const auto &[packets, what] : lines)
        fmt::print(options_.output, "  {:>7}  {}\n", packets, what);
    if (idle != 0 && totals_.packets != 0)
        fmt::print(options_.output, "  {} decided nothing\n", counted(idle, "rule"));
}

void TraceReport::text_notes(std::uint32_t snap_length) const
{
    // tcpdump's own snap length is beyond every packet: then something else cut them.
    constexpr std::uint32_t longest_packet = 65'535;
    const auto snapped = snap_length < longest_packet ? fmt::format(" ({} of each)", counted(snap_length, "byte")) : "";
    if (totals_.cut != 0)
        fmt::print(options_.errors,
                   "note: the capture holds only the beginning of {}{}; what is missing counts as absent\n"
                   "  try:   tcpdump -s 0, which keeps whole packets\n",
                   counted(totals_.cut, "packet"), snapped);
    if (totals_.skipped != 0)
        fmt::print(options_.errors, "note: {} did not run in the kernel; the first: {}\n  try:   without --kernel\n",
                   counted(totals_.skipped, "packet"), totals_.first_skipped);
}

// ---- JSON ----------------------------------------------------------------------------------------------------------

void TraceReport::json_packet(const TracedPacket &packet)
{
    Json object;
    object["number"] = packet.number;
    object["time"] = fmt::format("{}.{:09}", packet.time / second, packet.time % second);
    object["length"] = packet.length;
    object["captured"] = packet.captured;
    if (!packet.skipped.empty()) {
        object["skipped"] = packet.skipped;
    } else {
        object["verdict"] = json_names[packet.verdict < json_names.size() ? packet.verdict : 0];
        object["action"] = packet.verdict_text;
        object["rule"] = nullptr;
        object["line"] = nullptr;
        if (packet.rule_known && packet.explanation.rule) {
            object["rule"] = rules_[*packet.explanation.rule].number;
            object["line"] = rules_[*packet.explanation.rule].line;
        }
        if (options_.why) {
            object["tried"] = Json::array();
            for (const auto &tried : packet.explanation.tried)
                object["tried"].push_back(
                    {{"rule", rules_[tried.rule].number}, {"matched", tried.matched}, {"reason", tried.reason}});
        }
    }
    fmt::print(options_.output, "{}\n{}", totals_.packets + totals_.skipped == 0 ? "" : ",", dump(object));
}

void TraceReport::json_totals(const runtime::Error *error) const
{
    Json object;
    object["packets"] = totals_.packets;
    for (const std::size_t verdict : shown_order)
        object["verdicts"][json_names[verdict]] = totals_.verdicts[verdict];
    object["rules"] = Json::array();
    for (std::size_t rule = 0; rule < rules_.size(); ++rule)
        object["rules"].push_back({{"program", compilation_.image().programs[rules_[rule].program].name},
                                   {"rule", rules_[rule].number},
                                   {"file", rules_[rule].file},
                                   {"line", rules_[rule].line},
                                   {"text", rules_[rule].text},
                                   {"packets", totals_.by_rule[rule]}});
    object["unmatched"] = totals_.unmatched;
    object["unknown"] = totals_.unknown;
    object["cut"] = totals_.cut;
    object["skipped"] = totals_.skipped;
    object["error"] = nullptr;
    if (error != nullptr)
        object["error"] = {{"stage", error->stage}, {"message", error->message}};
    const std::string text = dump(object);
    if (options_.packets)
        fmt::print(options_.output, "\n],\n{}\n", text.substr(1)); // goes on with the object that was begun
    else
        fmt::print(options_.output, "{}\n", text);
}

void TraceReport::finish(const runtime::Error *error, std::uint32_t snap_length)
{
    if (options_.json)
        return json_totals(error);
    const bool any = totals_.packets + totals_.skipped != 0;
    if (any && !options_.summary)
        fmt::print(options_.output, "\n");
    if (any || error == nullptr)
        text_totals();
    (void)std::fflush(options_.output); // so that the notes come behind
    text_notes(snap_length);
}

} // namespace xdpf::cli
