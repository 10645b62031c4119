#include "grammar/format_document.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace xdpf::format {
namespace {

// Declarations that stand alone, an empty line before and behind.
bool stands_alone(std::string_view word)
{
    constexpr std::array<std::string_view, 4> words{"header", "union", "defprogram", "test"};
    return std::ranges::find(words, word) != words.end();
}

std::string_view kind_of(const Token &token) { return token.is("default") ? "match" : token.text; }

} // namespace

std::string Document::text()
{
    std::string_view before;
    for (std::size_t i = 0; at(i).kind != Token::Kind::end;) {
        const auto kind = kind_of(at(i));
        if (!before.empty() && (kind != before || stands_alone(kind)))
            writer_.separate();
        before = kind;
        i = declaration(i);
    }
    return writer_.finish();
}

std::size_t Document::declaration(std::size_t i)
{
    if (is(i, "match") || is(i, "default") || is(i, "asm"))
        return rule(i, 0);
    constexpr std::array<std::pair<std::string_view, std::size_t (Document::*)(std::size_t)>, 8> declarations{{
        {"const", &Document::constant},
        {"param", &Document::parameter},
        {"def", &Document::definition},
        {"defmap", &Document::map},
        {"header", &Document::header},
        {"union", &Document::union_of},
        {"defprogram", &Document::program},
        {"test", &Document::test},
    }};
    for (const auto &[word, print] : declarations)
        if (is(i, word))
            return (this->*print)(i);
    return plain(i, is(i, "import") ? i + 2 : i + 1);
}

std::size_t Document::plain(std::size_t i, std::size_t end)
{
    writer_.start(i, 0);
    writer_.layout({i, end});
    return end;
}

// The first line of what a brace follows.
void Document::head(Range range, Sort sort, std::size_t begin)
{
    if (!writer_.cells(range, sort, {begin}, 2))
        writer_.layout(range, 2);
}

std::size_t Document::constant(std::size_t i)
{
    const auto end = shape_.expression(i + 3, false);
    writer_.start(i, 0);
    writer_.statement({i, end}, Sort::constant, {i + 2});
    return end;
}

std::size_t Document::parameter(std::size_t i)
{
    tokens_.all[i + 2].spaces = 1;
    const auto equals = shape_.type(i + 3);
    const auto end = is(equals, "=") ? shape_.expression(equals + 1, false) : equals;
    writer_.start(i, 0);
    writer_.statement({i, end}, Sort::parameter, {i + 2, is(equals, "=") ? equals : 0});
    return end;
}

std::size_t Document::definition(std::size_t i)
{
    std::size_t equals = i + 2;
    std::vector<std::string_view> names;
    if (is(equals, "(")) {
        for (auto k = equals + 1; in_block(k, i + 2); k += 2)
            names.push_back(at(k).text);
        equals = shape_.arguments(equals);
    }
    shape_.set_parameters(std::move(names));
    const auto body = equals + 1;
    const bool is_action = shape_.begins_action(body);
    const auto end = is_action ? shape_.action(body) : shape_.expression(body, true);
    shape_.set_parameters({});
    writer_.start(i, 0);
    if (!is_action)
        writer_.statement({i, end}, Sort::definition, {equals});
    else if (!writer_.cells({i, end}, Sort::definition, {equals})) {
        head({i, body}, Sort::definition, equals);
        action(body, 0);
    }
    return end;
}

std::size_t Document::attributes(std::size_t i)
{
    if (!is(i, "("))
        return i;
    const auto end = shape_.arguments(i);
    tokens_.all[i].spaces = 1;
    return end;
}

// percpu_hash<ipv4.src -> counter>[65_536]
std::size_t Document::map_kind(std::size_t i)
{
    ++i;
    if (is(i, "<")) {
        tokens_.all[i].spaces = tokens_.all[i + 1].spaces = 0;
        i = shape_.type(i + 1);
        if (is(i, "->"))
            i = shape_.type(i + 1);
        tokens_.all[i++].spaces = 0;
    }
    return is(i, "[") ? shape_.arguments(i) : i;
}

std::size_t Document::map(std::size_t i)
{
    const auto contents = attributes(map_kind(i + 3));
    auto end = contents;
    if (is(contents, "="))
        end = shape_.expression(contents + 1, false);
    else if (is(contents, "from"))
        end = contents + 2;
    writer_.start(i, 0);
    writer_.statement({i, end}, Sort::map, {i + 2, contents == end ? 0 : contents});
    return end;
}

// ---- Headers ---------------------------------------------------------------------------------------------------

// What gets a line of its own; how a header is reached stays with its name.
bool Document::is_clause(std::size_t i) const
{
    return is(i, "where") || is(i, "size") || is(i, "payload") || is(i, "end") || is(i, "pad") || is(i, "inner");
}

std::size_t Document::clause(std::size_t i)
{
    if (is(i, "on") || is(i, "where"))
        return shape_.expression(i + 1, true);
    if (is(i, "size"))
        return shape_.expression(i + 2, false);
    if (is(i, "payload") || is(i, "end") || is(i, "pad"))
        return shape_.expression(i + 2, true);
    if (is(i, "then"))
        return shape_.dotted(i + 1);
    if (is(i, "in")) {
        const auto most = shape_.dotted(i + 1);
        return is(most, "at") ? shape_.expression(most + 2, false) : most;
    }
    for (bool more = is(i, "inner"); more;) {
        i = shape_.dotted(i + 1);
        if (is(i, "when"))
            i = shape_.expression(i + 1, true);
        more = is(i, ",");
        if (more) {
            tokens_.all[i].spaces = 0;
            tokens_.all[i + 1].joint = Joint::operation;
        }
    }
    return i;
}

std::size_t Document::header(std::size_t i)
{
    std::vector<std::size_t> begins{i}; // of the first line, and of each clause below it
    auto open = shape_.dotted(i + 1);
    while (!is(open, "{")) {
        if (is_clause(open))
            begins.push_back(open);
        open = std::max(clause(open), open + 1);
    }
    begins.push_back(open);
    writer_.start(i, 0);
    writer_.layout({i, begins[1]}, 2);
    for (std::size_t k = 1; k + 1 < begins.size(); ++k) {
        writer_.start_without_blank(begins[k], indent_step);
        writer_.layout({begins[k], begins[k + 1]});
    }
    if (begins.size() > 2)
        writer_.start_without_blank(open, 0);
    return fields(open, 0);
}

std::size_t Document::union_of(std::size_t i)
{
    const auto open = shape_.dotted(i + 1);
    writer_.start(i, 0);
    writer_.layout({i, open}, 2);
    writer_.open_brace(open);
    for (auto k = open + 1; in_block(k, open);) {
        const auto end = std::max(shape_.expression(k + 2, false), k + 1);
        writer_.start(k, indent_step);
        writer_.statement({k, end}, Sort::field, {k + 1});
        k = shape_.drop_separator(end);
    }
    writer_.close_brace(at(open).partner, 0);
    return at(open).partner + std::size_t{1};
}

std::size_t Document::fields(std::size_t open, std::size_t indent)
{
    writer_.open_brace(open);
    for (auto i = open + 1; in_block(i, open);)
        i = shape_.drop_separator(std::max(field(i, indent + indent_step), i + 1));
    writer_.close_brace(at(open).partner, indent);
    return at(open).partner + std::size_t{1};
}

std::size_t Document::field(std::size_t i, std::size_t indent)
{
    const auto shape = shape_.field(i);
    writer_.start(i, indent);
    if (shape.parts == 0) {
        writer_.statement({i, shape.end}, Sort::field, {shape.colon, shape.equals});
        return shape.end;
    }
    if (writer_.cells({i, shape.end}, Sort::field, {shape.colon, shape.equals}))
        return shape.end;
    head({i, shape.parts}, Sort::field, shape.colon);
    const auto behind = fields(shape.parts, indent);
    for (auto k = behind; k < shape.end; ++k)
        writer_.token(k);
    return shape.end;
}

// ---- Programs and rules ----------------------------------------------------------------------------------------

std::size_t Document::program(std::size_t i)
{
    auto open = i + 2;
    if (is(open, "on"))
        open += 2;
    open = attributes(open);
    writer_.start(i, 0);
    return nested_rules(i, open, 0);
}

std::size_t Document::nested_rules(std::size_t i, std::size_t brace, std::size_t indent)
{
    writer_.layout({i, brace}, 2);
    writer_.open_brace(brace);
    for (auto k = brace + 1; in_block(k, brace);)
        k = std::max(rule(k, indent + indent_step), k + 1);
    writer_.close_brace(at(brace).partner, indent);
    return at(brace).partner + std::size_t{1};
}

std::size_t Document::rule(std::size_t i, std::size_t indent)
{
    if (is(i, "asm")) {
        writer_.start(i, indent);
        const auto past = shape_.action(i);
        action(i, indent);
        return past;
    }
    if (is(i, "match") && is(i + 1, "from") && at(i + 2).kind == Token::Kind::string) {
        writer_.start(i, indent);
        writer_.statement({i, i + 3}, Sort::other, {});
        return i + 3;
    }
    const auto arrow = is(i, "match") ? shape_.expression(i + 1, true) : i + 1;
    writer_.start(i, indent);
    if (is(arrow, "{"))
        return nested_rules(i, arrow, indent);
    tokens_.all[arrow].joint = Joint::arrow;
    const auto blocks = shape_.blocks();
    const auto end = shape_.action(arrow + 1);
    if (blocks == shape_.blocks()) {
        writer_.statement({i, end}, Sort::rule, {arrow});
        return end;
    }
    if (writer_.cells({i, end}, Sort::rule, {arrow}))
        return end;
    head({i, arrow + 1}, Sort::rule, arrow);
    action(arrow + 1, indent);
    return end;
}

// ---- Actions ---------------------------------------------------------------------------------------------------

void Document::action(std::size_t i, std::size_t indent)
{
    const auto end = shape_.action_end(i);
    if (writer_.fits({i, end}))
        return writer_.flat({i, end});
    if (is(i, "{"))
        return steps(i, indent);
    if (is(i, "asm")) {
        writer_.flat({i, i + 2});
        writer_.verbatim(at(i + 2).text, indent + indent_step);
        return writer_.close_brace(end - 1, indent);
    }
    if (is(i, "if"))
        return conditional(i, end, indent);
    auto otherwise = i;
    while (otherwise < end && !is(otherwise, "else"))
        ++otherwise;
    writer_.layout({i, std::min(otherwise + 1, end)}, 2);
    if (otherwise < end)
        action(otherwise + 1, indent);
}

// Where one of its blocks is broken, all are.
void Document::conditional(std::size_t i, std::size_t end, std::size_t indent)
{
    const auto branch = [&](std::size_t first) {
        if (is(first, "{"))
            steps(first, indent);
        else if (is(first, "if"))
            conditional(first, end, indent);
        else
            action(first, indent);
    };
    const auto then = shape_.expression(i + 1, true);
    writer_.layout({i, then}, 2);
    branch(then);
    const auto otherwise = shape_.action_end(then);
    if (otherwise >= end)
        return;
    writer_.token(otherwise);
    branch(otherwise + 1);
}

void Document::steps(std::size_t open, std::size_t indent)
{
    writer_.token(open);
    writer_.begin_block();
    for (auto i = open + 1; in_block(i, open);) {
        writer_.start(i, indent + indent_step);
        const auto end = shape_.action_end(i);
        action(i, indent + indent_step);
        // `xsk` alone would take the name of the next step for its map.
        if (at(end - 1).is("xsk") && at(end - 1).separator != 0)
            writer_.text(";");
        i = shape_.drop_separator(end);
    }
    writer_.close_brace(at(open).partner, indent);
}

// ---- Tests -----------------------------------------------------------------------------------------------------

std::size_t Document::test(std::size_t i)
{
    const auto open = is(i + 2, "for") ? i + 4 : i + 2;
    writer_.start(i, 0);
    writer_.layout({i, open}, 2);
    writer_.open_brace(open);
    for (auto k = open + 1; in_block(k, open);) {
        writer_.start(k, indent_step);
        k = shape_.drop_separator(std::max(statement(k), k + 1));
    }
    writer_.close_brace(at(open).partner, 0);
    return at(open).partner + std::size_t{1};
}

std::size_t Document::statement(std::size_t i)
{
    if (is(i, "with"))
        return with(i);
    return is(i, "expect") ? expect(i) : packet(i);
}

std::size_t Document::packet(std::size_t i)
{
    const bool one_string = (is(i + 1, "hex") || is(i + 1, "pcap")) && at(i + 2).kind == Token::Kind::string;
    auto end = one_string ? i + 3 : shape_.expression(i + 1, false);
    if (is(end, "times"))
        end = shape_.expression(end + 1, false);
    writer_.layout({i, end}, 0, false);
    return end;
}

// The names of `with` stand below those of `packet` and `expect`.
std::size_t Document::with(std::size_t i)
{
    const auto equals = i + 2;
    const auto end = is(equals, "=") ? shape_.expression(equals + 1, false) : equals;
    tokens_.all[i + 1].spaces = 3;
    writer_.statement({i, end}, Sort::with, {is(equals, "=") ? equals : 0});
    return end;
}

std::size_t Document::expect(std::size_t i)
{
    const auto what = i + 1;
    if (is(what, "packet") && at(what + 1).kind == Token::Kind::word && !is(what + 1, "in")) {
        const bool hex = at(what + 2).kind == Token::Kind::string;
        const auto end = hex ? what + 3 : shape_.expression(what + 1, false);
        writer_.layout({i, end}, 0, false);
        return end;
    }
    if (is(what, "rule") && at(what + 1).kind == Token::Kind::literal) {
        writer_.layout({i, what + 2});
        return what + 2;
    }
    const bool is_action = shape_.begins_action(what);
    const auto end = is_action ? shape_.action(what) : shape_.expression(what, true);
    if (is_action) {
        writer_.layout({i, what}, 2);
        action(what, indent_step);
    } else {
        writer_.layout({i, end});
    }
    return end;
}

} // namespace xdpf::format
