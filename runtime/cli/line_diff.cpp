#include "runtime/cli/line_diff.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

namespace xdpf::cli {
namespace {

using Lines = std::vector<std::string_view>;

constexpr std::size_t around = 3;
constexpr long most_edits = 2000;

Lines lines_of(std::string_view text)
{
    Lines out;
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size() - 1) + 1;
        out.push_back(text.substr(0, end));
        text.remove_prefix(end);
    }
    return out;
}

// Lines [before, before_end) became lines [after, after_end).
struct Change {
    std::size_t before, before_end, after, after_end;
};

// Myers, "An O(ND) difference algorithm": furthest[k + offset] is how far the diagonal k is reached with d edits.
class Search {
public:
    Search(const Lines &before, const Lines &after) : before_(before), after_(after) {}

    std::vector<Change> changes()
    {
        const long rows = std::ssize(before_);
        const long columns = std::ssize(after_);
        const long most = std::min(rows + columns, most_edits);
        std::vector<long> furthest(static_cast<std::size_t>(2 * most + 3), 0);
        offset_ = most + 1;
        for (long edits = 0; edits <= most; ++edits) {
            steps_.push_back({furthest.begin() + (offset_ - edits - 1), furthest.begin() + (offset_ + edits + 2)});
            for (long k = -edits; k <= edits; k += 2) {
                long row = start(furthest, offset_, k, edits);
                while (row < rows && row - k < columns && before_[at(row)] == after_[at(row - k)])
                    ++row;
                furthest[at(k + offset_)] = row;
                if (row >= rows && row - k >= columns)
                    return backwards(edits, rows, columns);
            }
        }
        return {{0, before_.size(), 0, after_.size()}};
    }

private:
    static std::size_t at(long i) { return static_cast<std::size_t>(i); }
    static bool comes_from_above(const std::vector<long> &furthest, long offset, long k, long edits)
    {
        return k == -edits || (k != edits && furthest[at(k - 1 + offset)] < furthest[at(k + 1 + offset)]);
    }
    static long start(const std::vector<long> &furthest, long offset, long k, long edits)
    {
        return comes_from_above(furthest, offset, k, edits) ? furthest[at(k + 1 + offset)]
                                                            : furthest[at(k - 1 + offset)] + 1;
    }

    [[nodiscard]] std::vector<Change> backwards(long edits, long row, long column) const
    {
        std::vector<Change> out;
        for (; edits > 0; --edits) {
            const auto &furthest = steps_[at(edits)];
            const long k = row - column;
            const bool added = comes_from_above(furthest, edits + 1, k, edits);
            const long from_k = added ? k + 1 : k - 1;
            const long from = furthest[at(from_k + edits + 1)];
            const Change one{at(from), at(from + (added ? 0 : 1)), at(from - from_k),
                             at(from - from_k + (added ? 1 : 0))};
            if (!out.empty() && out.back().before == one.before_end && out.back().after == one.after_end)
                out.back() = {one.before, out.back().before_end, one.after, out.back().after_end};
            else
                out.push_back(one);
            row = from;
            column = from - from_k;
        }
        std::ranges::reverse(out);
        return out;
    }

    const Lines &before_;
    const Lines &after_;
    std::vector<std::vector<long>> steps_; // `furthest` before each round, diagonals -edits - 1 to edits + 1
    long offset_ = 0;
};

void write_lines(std::string &out, char mark, const Lines &lines, std::size_t first, std::size_t last)
{
    for (auto i = first; i < last; ++i) {
        out += mark;
        out += lines[i];
        if (!lines[i].ends_with('\n'))
            out += "\n\\ No newline at end of file\n";
    }
}

// The place of a hunk, as `diff` counts: an empty one is named after the line in front of it.
std::string place(std::size_t first, std::size_t count)
{
    const auto line = count == 0 ? first : first + 1;
    return count == 1 ? fmt::format("{}", line) : fmt::format("{},{}", line, count);
}

} // namespace

std::string line_diff(std::string_view before, std::string_view after, std::string_view name)
{
    if (before == after)
        return {};
    const Lines old_lines = lines_of(before);
    const Lines new_lines = lines_of(after);
    const auto changes = Search(old_lines, new_lines).changes();
    std::string out = fmt::format("--- {}\n+++ {}, formatted\n", name, name);
    for (std::size_t i = 0; i < changes.size();) {
        auto last = i;
        while (last + 1 < changes.size() && changes[last + 1].before - changes[last].before_end <= 2 * around)
            ++last;
        const auto lead = std::min(changes[i].before, around);
        const auto first = changes[i].before - lead;
        const auto end = std::min(changes[last].before_end + around, old_lines.size());
        const auto new_first = changes[i].after - lead;
        const auto new_end = changes[last].after_end + (end - changes[last].before_end);
        fmt::format_to(std::back_inserter(out), "@@ -{} +{} @@\n", place(first, end - first),
                       place(new_first, new_end - new_first));
        for (auto at = first; i <= last; ++i) {
            write_lines(out, ' ', old_lines, at, changes[i].before);
            write_lines(out, '-', old_lines, changes[i].before, changes[i].before_end);
            write_lines(out, '+', new_lines, changes[i].after, changes[i].after_end);
            at = changes[i].before_end;
        }
        write_lines(out, ' ', old_lines, changes[last].before_end, end);
    }
    return out;
}

} // namespace xdpf::cli
