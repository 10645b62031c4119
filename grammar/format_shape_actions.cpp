#include "grammar/format_shape.hpp"

#include "grammar/lexis.hpp"
#include "grammar/lookahead.hpp"

#include <algorithm>

namespace xdpf::format {
namespace {

// More steps than these, or a block within, and each stands on a line of its own.
constexpr std::size_t most_steps_on_a_line = 3;

} // namespace

bool Shape::begins_action(std::size_t at) const
{
    if (is(at, "{"))
        return !lookahead::begins_set(all_[at].text.data(), all_[all_[at].partner].text.data() + 1);
    if (is(at, "metadata"))
        return is(at + 1, "{");
    if (is(at, "add"))
        return is_word(at + 1) || all_[at + 1].kind == Token::Kind::literal || is(at + 1, "{");
    return is_word(at) && lexis::is_action(all_[at].text);
}

std::size_t Shape::action_end(std::size_t at) const
{
    return all_[at].partner == no_partner ? at + 1 : all_[at].partner + (is(at, "{") ? std::size_t{1} : 0);
}

std::size_t Shape::action(std::size_t at)
{
    if (is(at, "{"))
        return block(at);
    const auto end = std::max(words_of_action(at), at + 1);
    all_[at].partner = static_cast<std::uint32_t>(end);
    return end;
}

std::size_t Shape::words_of_action(std::size_t at)
{
    const auto name_and_key = [&](std::size_t i) {
        const bool statement = is(i, "packet") && is_name(i + 1); // the next one: `expect xsk` names no map
        i += is_name(i) && !statement ? 1 : 0;
        return is(i, "[") ? arguments(i) : i;
    };
    if (is_one_of(at, {"pass", "drop", "abort", "tx", "continue"}))
        return at + 1;
    if (is_one_of(at, {"xsk", "redirect"}))
        return otherwise(name_and_key(at + 1));
    if (is_one_of(at, {"count", "goto", "delete", "sample"}))
        return name_and_key(at + 1);
    if (is_one_of(at, {"let", "set"}))
        return assignment(at + 1);
    if (is_one_of(at, {"push", "pop", "encap", "decap"}))
        return expression(at + 1, false);
    if (is(at, "if"))
        return conditional(at);
    if (is(at, "asm") && is(at + 1, "{")) {
        all_[at + 1].broken = true;
        ++blocks_;
        return all_[at + 1].partner + std::size_t{1};
    }
    if (is(at, "swap")) {
        at = expression(at + 1, false);
        const auto past = drop_separator(at);
        if (past == at)
            return at;
        all_[at - 1].separator = ',';
        return expression(past, false);
    }
    if (is(at, "emit")) {
        at += is_name(at + 1) ? 2 : 1;
        return is(at, "{") ? expression(at, false) : at;
    }
    if (is(at, "metadata") && is(at + 1, "{"))
        return expression(at + 1, false);
    if (is(at, "add") && !is_one_of(at + 1, {"=", "+=", "-=", "[", "."})) {
        const bool call = is(at + 1, "(") && !is(all_[at + 1].partner + std::size_t{1}, "to");
        const auto past = call ? at : expression(at + 1, false);
        if (is(past, "to"))
            return past + 2;
    }
    return assignment(at);
}

// A target and its value, or the target alone: the use of a def.
std::size_t Shape::assignment(std::size_t at)
{
    at = operand(at, false);
    return is_one_of(at, {"=", "+=", "-="}) ? expression(at + 1, false) : at;
}

std::size_t Shape::otherwise(std::size_t at) { return is(at, "else") ? action(at + 1) : at; }

std::size_t Shape::conditional(std::size_t at)
{
    const auto several = [&](std::size_t open) {
        const std::size_t first = open + 1;
        return is(open, "{") && first != all_[open].partner && all_[action_end(first) - 1].separator != 0;
    };
    const auto then = expression(at + 1, true);
    at = action(then);
    all_[then].broken = all_[then].broken || several(then);
    if (!is(at, "else"))
        return at;
    const auto other = at + 1;
    at = action(other);
    all_[other].broken = all_[other].broken || several(other);
    return at;
}

std::size_t Shape::block(std::size_t open)
{
    const std::size_t close = all_[open].partner;
    const auto blocks_before = blocks_;
    std::size_t steps = 0;
    std::size_t at = open + 1;
    while (at < close) {
        const auto end = action(at);
        at = drop_separator(end);
        if (at < close)
            all_[end - 1].separator = ';';
        ++steps;
    }
    if (steps == 0)
        all_[close].spaces = 0;
    all_[open].broken = steps > most_steps_on_a_line || blocks_ != blocks_before;
    ++blocks_;
    return close + 1;
}

} // namespace xdpf::format
