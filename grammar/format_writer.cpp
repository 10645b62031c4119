#include "grammar/format_writer.hpp"

#include <algorithm>
#include <utility>

namespace xdpf::format {
namespace {

// A bracket shorter than this is no reason to end it on a line of its own.
constexpr std::size_t long_bracket = 60;

} // namespace

// ---- Lines and comments ----------------------------------------------------------------------------------------

void Writer::new_line(std::size_t indent, bool blank)
{
    const bool separate = std::exchange(separate_, false);
    const bool first = std::exchange(block_begins_, false);
    const bool blank_before = (blank || separate) && !first;
    lines_.push_back({.indent = indent, .cells = {""}, .blank_before = blank_before});
}

std::size_t Writer::comments_end(std::size_t at) const
{
    return at + 1 < all_.size() ? all_[at + 1].first_comment : comments_.size();
}

void Writer::comments(std::size_t before, std::size_t indent)
{
    for (; next_comment_ < before; ++next_comment_) {
        const auto &comment = comments_[next_comment_];
        if (comment.trailing && !lines_.empty() && lines_.back().comment.empty()) {
            lines_.back().comment = comment.text;
            continue;
        }
        const bool continued = comment.continued && !lines_.empty() && !lines_.back().comment.empty() &&
                               (!lines_.back().is_comment() || lines_.back().continued);
        new_line(indent, comment.blank_before);
        lines_.back().cells.clear();
        lines_.back().comment = comment.text;
        lines_.back().continued = continued;
    }
}

void Writer::begin(std::size_t at, std::size_t indent, bool blank)
{
    // An empty line that is there already, in front of one of the comments, is enough.
    const auto end = comments_end(at);
    for (auto i = next_comment_; i < end; ++i)
        separate_ = separate_ && !comments_[i].blank_before;
    separate_ = separate_ && (next_comment_ == end || !blank);
    comments(end, indent);
    new_line(indent, blank);
    continuation_ = indent + indent_step;
    first_line_ = lines_.size() - 1;
}

void Writer::start(std::size_t at, std::size_t indent) { begin(at, indent, all_[at].blank_before); }
void Writer::start_without_blank(std::size_t at, std::size_t indent) { begin(at, indent, false); }

void Writer::token(std::size_t at)
{
    if (next_comment_ < comments_end(at)) {
        comments(comments_end(at), continuation_);
        new_line(continuation_);
    }
    auto &cell = lines_.back().cells.back();
    if (!cell.empty())
        cell.append(all_[at].spaces, ' ');
    cell += all_[at].text;
}

std::string Writer::finish()
{
    comments(comments_.size(), 0);
    return to_text(std::move(lines_));
}

// ---- What fits -------------------------------------------------------------------------------------------------

bool Writer::comments_within(Range range) const
{
    return range.first + 1 < range.last && all_[range.first + 1].first_comment != all_[range.last].first_comment;
}

std::optional<std::size_t> Writer::width_of(Range range, std::size_t most) const
{
    if (comments_within(range))
        return std::nullopt;
    std::size_t out = 0;
    for (auto i = range.first; i != range.last; ++i) {
        const auto &token = all_[i];
        if (token.broken || token.kind == Token::Kind::assembly)
            return std::nullopt;
        if (token.dropped)
            continue;
        out += width(token.text) + (i == range.first ? 0 : token.spaces);
        out += token.separator != 0 && i + 1 != range.last ? 1 : 0;
        if (out > most)
            return std::nullopt;
    }
    return out;
}

std::size_t Writer::column() const { return lines_.back().width(); }

// For what begins with the next token, behind a blank.
std::size_t Writer::room(std::size_t reserve) const
{
    const auto used = column() + reserve + (lines_.back().cells.back().empty() ? 0 : 1);
    return used < max_columns ? max_columns - used : 0;
}

bool Writer::fits(Range range) const { return width_of(range, room(0)).has_value(); }

std::size_t Writer::past(std::size_t at) const
{
    const auto partner = all_[at].partner;
    const bool opens = all_[at].kind == Token::Kind::symbol && partner != no_partner && partner > at;
    return opens ? partner + std::size_t{1} : at + 1;
}

Joint Writer::loosest(Range range) const
{
    auto out = Joint::none;
    for (auto i = range.first; i < range.last; i = past(i))
        out = i == range.first ? out : std::max(out, all_[i].joint);
    return out;
}

// ---- Statements ------------------------------------------------------------------------------------------------

void Writer::separator(std::size_t at, Range range)
{
    if (all_[at].separator != 0 && at + 1 < range.last)
        lines_.back().cells.back() += all_[at].separator;
}

void Writer::flat(Range range)
{
    for (auto i = range.first; i < range.last; ++i)
        if (!all_[i].dropped) {
            token(i);
            separator(i, range);
        }
}

void Writer::write_cells(Range range, Sort sort, Begins begins)
{
    lines_.back().sort = sort;
    auto first = range.first;
    for (const auto next : begins)
        if (next != 0) {
            flat({first, next});
            lines_.back().cells.emplace_back();
            first = next;
        }
    flat({first, range.last});
}

bool Writer::cells(Range range, Sort sort, Begins begins, std::size_t reserve)
{
    if (!width_of(range, room(reserve)))
        return false;
    write_cells(range, sort, begins);
    return true;
}

void Writer::statement(Range range, Sort sort, Begins begins)
{
    if (cells(range, sort, begins))
        return;
    const auto open = huggable(range, 0);
    if (!open || std::max(begins) > *open)
        return layout(range);
    write_cells({range.first, *open}, sort, begins);
    hug_bracket(range, *open);
}

void Writer::hug_bracket(Range range, std::size_t open)
{
    const auto behind = past(open);
    broken_list(open);
    separator(behind - 1, range);
    flat({behind, range.last});
}

void Writer::layout(Range range, std::size_t reserve, bool hug)
{
    if (range.first >= range.last)
        return;
    if (width_of(range, room(reserve)))
        return flat(range);
    if (const auto open = hug ? huggable(range, reserve) : std::nullopt) {
        flat({range.first, *open});
        return hug_bracket(range, *open);
    }
    const auto joint = loosest(range);
    if (joint > Joint::operation)
        return split(range, joint, reserve);
    fill(range, reserve);
}

// The last long bracket, if what is in front of it and what is behind it fit on their lines.
std::optional<std::size_t> Writer::huggable(Range range, std::size_t reserve) const
{
    // What holds one word is no better off on a line of its own.
    const auto holds_several = [&](std::size_t open) {
        const auto close = past(open) - 1;
        return close > open + 1 && past(open + 1) < close - (all_[close - 1].dropped ? 1 : 0);
    };
    std::optional<std::size_t> out;
    for (auto i = range.first; i < range.last; i = past(i))
        if (holds_several(i) && !width_of({i, past(i)}, long_bracket))
            out = i;
    if (!out)
        return out;
    const auto behind = past(*out);
    const auto base = lines_.back().indent + 2 + reserve;
    const bool before_fits = width_of({range.first, *out + 1}, room(0)).has_value();
    const bool behind_fits = base < max_columns && width_of({behind - 1, range.last}, max_columns - base).has_value();
    return before_fits && behind_fits ? out : std::nullopt;
}

// A line for each part, beginning with what joins it to the one in front. An arrow ends a predicate, however loose.
void Writer::split(Range range, Joint joint, std::size_t reserve)
{
    if (joint == Joint::arrow) {
        joint = Joint::none;
        for (auto i = range.first + 1; i < range.last; i = past(i))
            joint = all_[i].joint == Joint::arrow ? joint : std::max(joint, all_[i].joint);
        joint = joint > Joint::operation ? joint : Joint::arrow;
    }
    const auto splits = [&](std::size_t i) { return all_[i].joint == joint || all_[i].joint == Joint::arrow; };
    for (auto i = range.first; i < range.last;) {
        auto end = past(i);
        while (end < range.last && !splits(end))
            end = past(end);
        if (i != range.first) {
            comments(comments_end(i), continuation_);
            new_line(continuation_);
        }
        layout({i, end}, end == range.last ? reserve : 0);
        if (end < range.last)
            separator(end - 1, range);
        i = end;
    }
}

// As much on a line as fits.
void Writer::fill(Range range, std::size_t reserve)
{
    for (auto i = range.first; i < range.last;) {
        if (all_[i].dropped) {
            ++i;
            continue;
        }
        auto end = past(i);
        while (end < range.last && all_[end].joint == Joint::none)
            end = past(end);
        const Range part{i, end};
        const auto rest = end == range.last ? reserve : 1;
        if (i != range.first && !width_of(part, room(rest)) && lines_.back().cells.back().size() > indent_step) {
            comments(comments_end(i), continuation_);
            new_line(continuation_);
        }
        for (auto k = i; k < end; k = past(k)) {
            if (all_[k].dropped)
                continue;
            const Range bracket{k, past(k)};
            if (bracket.last > k + 2 && !width_of(bracket, room(rest)))
                broken_list(k);
            else
                flat(bracket);
            separator(bracket.last - 1, range);
        }
        i = end;
    }
}

// ---- Braces ----------------------------------------------------------------------------------------------------

void Writer::open_brace(std::size_t at)
{
    if (several_lines()) {
        start_without_blank(at, lines_[first_line_].indent);
        token(at);
    } else {
        token(at);
    }
    block_begins_ = true;
}

void Writer::close_brace(std::size_t at, std::size_t indent)
{
    const bool empty = block_begins_ && lines_.back().comment.empty() && next_comment_ == comments_end(at);
    comments(comments_end(at), indent + indent_step);
    block_begins_ = false;
    if (!empty)
        new_line(indent);
    text(all_[at].text);
}

// Lines as they are, as deep as the place demands; how deep they are against one another stays.
void Writer::verbatim(std::string_view text, std::size_t indent)
{
    struct Piece {
        std::size_t indent;
        std::string_view text;
    };
    std::vector<Piece> pieces;
    for (std::size_t begin = 0; begin <= text.size();) {
        const auto end = std::min(text.find('\n', begin), text.size());
        const auto line = text.substr(begin, end - begin);
        const auto first = std::min(line.find_first_not_of(" \t\v\f\r"), line.size());
        const auto last = line.find_last_not_of(" \t\v\f\r");
        std::size_t depth = 0;
        for (const char c : line.substr(0, first))
            depth = c == '\t' ? depth / 8 * 8 + 8 : depth + 1;
        pieces.push_back({depth, first == line.size() ? std::string_view{} : line.substr(first, last + 1 - first)});
        begin = end + 1;
    }
    std::size_t common = std::string_view::npos; // the first line stands behind the brace
    for (std::size_t i = 1; i < pieces.size(); ++i)
        common = pieces[i].text.empty() ? common : std::min(common, pieces[i].indent);
    pieces.front().indent = common;
    block_begins_ = true;
    bool blank = false;
    for (const auto &piece : pieces) {
        if (!piece.text.empty()) {
            new_line(indent + piece.indent - (common == std::string_view::npos ? piece.indent : common), blank);
            this->text(piece.text);
        }
        blank = piece.text.empty();
    }
}

} // namespace xdpf::format
