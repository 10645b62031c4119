#include "runtime/verifier_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <ranges>
#include <span>
#include <vector>

namespace xdpf::runtime {
namespace {

std::vector<std::string_view> lines_of(std::string_view log)
{
    std::vector<std::string_view> lines;
    while (!log.empty()) {
        const std::size_t end = log.find('\n');
        const std::string_view line = log.substr(0, end);
        if (line.find_first_not_of(" \t\r") != std::string_view::npos)
            lines.push_back(line);
        log.remove_prefix(end == std::string_view::npos ? log.size() : end + 1);
    }
    return lines;
}

std::optional<std::uint32_t> number_at(std::string_view text)
{
    std::uint32_t value = 0;
    const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failed != std::errc() || end == text.data())
        return std::nullopt;
    return value;
}

// "12: (79) r1 = ...", and "from 4 to 12: R0=..." for the state at a jump's target.
std::optional<std::uint32_t> instruction_of(std::string_view line)
{
    if (const auto number = number_at(line)) {
        const std::size_t colon = line.find_first_not_of("0123456789");
        if (colon != std::string_view::npos && line[colon] == ':')
            return number;
    }
    return std::nullopt;
}

bool is_statistics(std::string_view line)
{
    constexpr std::string_view starts[] = {"processed ", "verification time", "stack depth", "mark_precise",
                                           "max_states", "insns processed",   "-- ",         "live regs",
                                           "func#",      "prog load",         "from ",       "; "};
    return std::ranges::any_of(starts, [&](std::string_view start) { return line.starts_with(start); });
}

// The complaint may take two lines, behind the last instruction: what is wrong, and what is known of the register.
std::string closing_words(std::span<const std::string_view> lines)
{
    std::string words;
    for (const std::string_view line : lines.last(std::min<std::size_t>(2, lines.size()))) {
        if (is_statistics(line) || instruction_of(line))
            words.clear();
        else
            words += fmt::format("{}{}", words.empty() ? "" : "; ", line);
    }
    return words;
}

SourcePlace place_of_instruction(const ProgramImage &program, std::uint32_t insn)
{
    const auto after = std::ranges::upper_bound(program.lines, insn, {}, &LineEntry::insn);
    if (after == program.lines.begin())
        return {};
    const LineEntry &entry = *std::prev(after);
    return {entry.file, entry.line, entry.text};
}

// "; TEXT @ file:line" or "; TEXT"; a text may hold " @ " itself, so the last one counts.
SourcePlace place_of_comment(std::string_view comment, const ProgramImage &program)
{
    comment.remove_prefix(std::min<std::size_t>(2, comment.size()));
    const std::size_t at = comment.rfind(" @ ");
    const std::size_t colon = comment.rfind(':');
    if (at != std::string_view::npos && colon != std::string_view::npos && colon > at)
        if (const auto line = number_at(comment.substr(colon + 1)))
            return {std::string(comment.substr(at + 3, colon - at - 3)), *line, std::string(comment.substr(0, at))};
    const auto known = std::ranges::find(program.lines, comment, &LineEntry::text);
    if (known != program.lines.end())
        return {known->file, known->line, known->text};
    return {"", 0, std::string(comment)};
}

// Structural complaints come before any instruction is printed and name it: "unreachable insn 5", "jump out of range
// from insn 1 to 90".
std::optional<std::uint32_t> instruction_in_message(std::string_view message)
{
    const std::size_t at = message.find("insn ");
    return at == std::string_view::npos ? std::nullopt : number_at(message.substr(at + 5));
}

} // namespace

Rejection read_rejection(std::string_view log, const ProgramImage &program)
{
    Rejection rejection;
    const std::vector<std::string_view> lines = lines_of(log);
    std::size_t end = lines.size();
    while (end > 0 && (is_statistics(lines[end - 1]) || instruction_of(lines[end - 1])))
        --end;
    rejection.message = closing_words(std::span(lines).first(end));

    std::optional<std::uint32_t> insn;
    for (const std::string_view line : lines | std::views::take(end) | std::views::reverse) {
        if (line.starts_with("; ")) {
            rejection.place = place_of_comment(line, program);
            break;
        }
        if (!insn)
            insn = instruction_of(line);
    }
    if (!insn && rejection.place.line == 0)
        insn = instruction_in_message(rejection.message);
    if (rejection.place.line == 0 && insn) {
        SourcePlace place = place_of_instruction(program, *insn);
        if (place.line != 0)
            rejection.place = std::move(place);
    }
    return rejection;
}

} // namespace xdpf::runtime
