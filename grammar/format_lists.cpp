#include "grammar/format_writer.hpp"

#include <algorithm>

namespace xdpf::format {

// How the elements of a bracket are spread over lines.
struct Writer::List {
    std::vector<Range> items;
    bool each = false; // a line for each; otherwise as many on a line as fit
};

Writer::List Writer::list_of(std::size_t open) const
{
    List out;
    const std::size_t close = all_[open].partner;
    const auto indent = lines_.back().indent + indent_step;
    const auto most = max_columns - std::min(max_columns, indent + 1);
    for (auto i = open + 1; i < close;) {
        const auto first = i;
        auto end = i;
        bool arrow = false;
        do {
            arrow = arrow || all_[i].joint == Joint::arrow;
            end = past(i);
            i = end;
        } while (i < close && all_[end - 1].separator == 0);
        while (i < close && all_[i].dropped)
            ++i;
        end = end > first + 1 && all_[end - 1].dropped ? end - 1 : end;
        out.items.push_back({first, end});
        out.each = out.each || arrow || !width_of(out.items.back(), most);
    }
    for (auto i = all_[open + 1].first_comment; i < comments_end(close); ++i)
        out.each = out.each || comments_[i].trailing;
    return out;
}

void Writer::broken_list(std::size_t open)
{
    const std::size_t close = all_[open].partner;
    const auto list = list_of(open);
    const auto base = lines_.back().indent;
    const auto continuation = continuation_;
    const auto first_line = first_line_;
    token(open);
    block_begins_ = true;
    for (const auto &range : list.items) {
        const bool last = &range == &list.items.back();
        const bool comments_before = next_comment_ < comments_end(range.first);
        const bool follows =
            &range != list.items.data() && !list.each && !comments_before && width_of(range, room(1)).has_value();
        if (follows) {
            flat(range);
        } else {
            begin(range.first, base + indent_step, list.each && all_[range.first].blank_before);
            item(range);
        }
        if (!last || (list.each && all_[open].set))
            text(",");
    }
    comments(comments_end(close), base + indent_step);
    block_begins_ = false;
    new_line(base);
    text(all_[close].text);
    continuation_ = continuation;
    first_line_ = first_line;
}

void Writer::item(Range range)
{
    auto arrow = range.first;
    while (arrow < range.last && all_[arrow].joint != Joint::arrow)
        arrow = past(arrow);
    if (arrow == range.last || !cells(range, Sort::entry, {arrow}, 1))
        layout(range, 1);
}

} // namespace xdpf::format
