#include "compiler/base/diagnostic.hpp"

#include <algorithm>
#include <array>
#include <numeric>

namespace xdpf {
namespace {

struct KindInfo {
    std::string_view name;
    Severity severity;
    std::string_view text;
};

constexpr std::array kinds{
#define XDPF_DIAGNOSTIC(name, severity, text) KindInfo{#name, Severity::severity, text},
#include "compiler/base/diagnostics.def"
#undef XDPF_DIAGNOSTIC
};

// Damerau-Levenshtein: insertions, deletions, changes and swaps of neighbours.
std::size_t distance(std::string_view a, std::string_view b)
{
    std::vector<std::vector<std::size_t>> rows(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
    std::iota(rows[0].begin(), rows[0].end(), 0);
    for (std::size_t i = 1; i <= a.size(); ++i) {
        rows[i][0] = i;
        for (std::size_t j = 1; j <= b.size(); ++j) {
            const std::size_t change = a[i - 1] == b[j - 1] ? 0 : 1;
            rows[i][j] = std::min({rows[i - 1][j] + 1, rows[i][j - 1] + 1, rows[i - 1][j - 1] + change});
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                rows[i][j] = std::min(rows[i][j], rows[i - 2][j - 2] + 1);
        }
    }
    return rows[a.size()][b.size()];
}

constexpr std::size_t longest_compared = 64;
constexpr std::size_t most_listed = 12;

} // namespace

std::string_view name_of(Kind kind) { return kinds[static_cast<std::size_t>(kind)].name; }
Severity severity_of(Kind kind) { return kinds[static_cast<std::size_t>(kind)].severity; }
std::string_view template_of(Kind kind) { return kinds[static_cast<std::size_t>(kind)].text; }
std::size_t kind_count() { return kinds.size(); }

Diagnostic &Diagnostics::add(Kind kind, Span span, std::string message)
{
    if (severity_of(kind) == Severity::error)
        ++errors_;
    all_.push_back({kind, span, std::move(message), {}, {}});
    return all_.back();
}

void Diagnostics::settle(std::size_t from, Span where, const std::string &text)
{
    constexpr std::size_t look_back = 16; // what is said twice stands close together
    constexpr std::size_t most_notes = 8;
    for (std::size_t i = from; i < all_.size();) {
        const auto first =
            all_.begin() + static_cast<std::ptrdiff_t>(std::max(from, i > look_back ? i - look_back : 0));
        const auto here = all_.begin() + static_cast<std::ptrdiff_t>(i);
        const bool again = std::any_of(first, here, [&](const Diagnostic &one) {
            return one.kind == here->kind && one.span == here->span && one.message == here->message;
        });
        if (again) {
            if (severity_of(here->kind) == Severity::error)
                --errors_;
            all_.erase(here);
            continue;
        }
        if (here->span != where && here->notes.size() < most_notes)
            here->note(where, text);
        ++i;
    }
}

std::string nearest(std::string_view name, const std::vector<std::string> &candidates)
{
    if (name.size() < 2 || name.size() > longest_compared)
        return {};
    std::string best;
    std::size_t least = std::max<std::size_t>(1, name.size() / 3) + 1;
    for (const auto &candidate : candidates) {
        if (candidate.size() > longest_compared)
            continue;
        if (const auto d = distance(name, candidate); d < least) {
            least = d;
            best = candidate;
        }
    }
    return best;
}

std::string did_you_mean(std::string_view name, const std::vector<std::string> &candidates)
{
    if (const auto near = nearest(name, candidates); !near.empty())
        return fmt::format("did you mean '{}'?", near);
    if (candidates.empty())
        return {};
    const auto shown = std::min(candidates.size(), most_listed);
    const auto rest = candidates.size() > shown ? fmt::format(" and {} more", candidates.size() - shown) : "";
    return fmt::format("one of: {}{}",
                       fmt::join(candidates.begin(), candidates.begin() + static_cast<long>(shown), ", "), rest);
}

Diagnostic &Diagnostic::suggest_near(std::string_view written, const std::vector<std::string> &candidates)
{
    if (auto near = nearest(written, candidates); !near.empty())
        fix = Fix{std::string(written), std::move(near)};
    return suggest(did_you_mean(written, candidates));
}

Diagnostic &Diagnostic::suggest_import(std::string_view module)
{
    auto text = fmt::format("import \"{}\"", module);
    fix = Fix{{}, text};
    return suggest(std::move(text));
}

} // namespace xdpf
