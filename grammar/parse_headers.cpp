// The types, headers and unions of xdpf.ebnf as Spirit X3 rules, in its order.
#include "grammar/rules.hpp"

namespace xdpf::syntax {
namespace {

constexpr NameToken<NameIn::type> type_name{};
constexpr OpenBlock open_parts{{}};
constexpr Part<ast::ExprId, read_number> number{};
constexpr Punctuation opening_tuple{"(", "a type"};
constexpr Punctuation opening_struct{"{", "a type"};
constexpr Contextual<lookahead::no_colon> field_at{"at", {}};
constexpr Contextual<lookahead::no_colon> field_when{"when", {}};

const x3::rule<struct type_id, ast::Type> type = "type";
const x3::rule<struct header_id, ast::Header> header = "header";
const x3::rule<struct list_id, ast::ListOf> list = "list";
const x3::rule<struct inner_id, ast::Inner> inner = "inner";
const x3::rule<struct field_id, ast::Field> field = "field";
const x3::rule<struct fields_id, std::vector<ast::Field>> fields = "fields";
const x3::rule<struct parts_id, std::vector<ast::Field>> parts = "parts";
const x3::rule<struct field_line_id, ast::Field> field_line = "field_line";
const x3::rule<struct union_id, ast::Union> either = "union";
const x3::rule<struct alternative_id, ast::Union::Member> alternative = "alternative";

// ---- Types -----------------------------------------------------------------------------------------------------

// ipv4.src, then vxlan.inner.ipv4.src: what stood behind the last dot belongs to the header's name.
constexpr auto add_word = [](auto &ctx) {
    ast::Type &it = x3::_val(ctx);
    if (it.field) {
        it.name.text += '.';
        it.name.text += it.field->text;
        it.name.span = join(it.name.span, it.field->span);
    }
    it.field = std::move(x3::_attr(ctx));
};
// Parentheses around one type are nothing but parentheses.
constexpr auto unwrap = [](auto &ctx) {
    ast::Type &it = x3::_val(ctx);
    if (it.parts.size() == 1) {
        ast::Type only = std::move(it.parts.front());
        it = std::move(only);
    }
};

const auto separator = -(optional_comma | semicolon);
const auto type_def =
    nested[spanned[(type_name[set(&ast::Type::name)] >>
                    (+(dot > member_name[add_word]) |
                     -(opening_index > expression[set(&ast::Type::size)] > closing_index))) |
                   (opening_tuple > (type[append(&ast::Type::parts)] % comma) > closing > x3::eps[unwrap]) |
                   (opening_struct > +(field_name[append(&ast::Type::part_names)] > type[append(&ast::Type::parts)] >
                                       separator) > closing_set)]];

// ---- Headers ---------------------------------------------------------------------------------------------------

constexpr auto append_field = [](auto &ctx) {
    if (!x3::_attr(ctx).name.text.empty())
        x3::_val(ctx).push_back(std::move(x3::_attr(ctx)));
};

template <class T> bool is_given(const std::optional<T> &clause) { return clause.has_value(); }
template <class T> bool is_given(const std::vector<T> &clause) { return !clause.empty(); }

// A clause's first word; not there where the clause has been given already.
template <class Member> struct ClauseWord : x3::parser<ClauseWord<Member>> {
    using attribute_type = x3::unused_type;
    static constexpr bool has_attribute = false;
    Member member;
    std::string_view word;

    constexpr ClauseWord(Member m, std::string_view w) : member(m), word(w) {}
    template <class Context, class RuleContext, class Attribute> bool
    parse(Iterator &first, const Iterator &last, const Context &context, RuleContext &value, Attribute &attribute) const
    {
        constexpr std::string_view label = "a clause of the header";
        if (!is_given(value.*member))
            return Keyword(word, label).parse(first, last, context, value, attribute);
        state_of(context).expect(lexis::skip_blank(first, last), {label, {}});
        return false;
    }
};

const auto word = [](auto member, std::string_view text) { return ClauseWord<decltype(member)>(member, text); };
const auto when = quoted("when", "'when'");

const auto clause = (word(&ast::Header::on, "on") > expression[set(&ast::Header::on)]) |
                    (word(&ast::Header::then, "then") > member_name[set(&ast::Header::then)]) |
                    (word(&ast::Header::where, "where") > expression[set(&ast::Header::where)]) |
                    (word(&ast::Header::size, "size") > equals > expression[set(&ast::Header::size)]) |
                    (word(&ast::Header::payload_when, "payload") > when > expression[set(&ast::Header::payload_when)]) |
                    (word(&ast::Header::list, "in") > list[set(&ast::Header::list)]) |
                    (word(&ast::Header::end_when, "end") > when > expression[set(&ast::Header::end_when)]) |
                    (word(&ast::Header::pad_when, "pad") > when > expression[set(&ast::Header::pad_when)]) |
                    (word(&ast::Header::inner, "inner") > (inner[append(&ast::Header::inner)] % optional_comma));
const auto list_def = dotted_name[set(&ast::ListOf::container)] > quoted("at", "'at'") >
                      quoted("most", "'most'") > number[set(&ast::ListOf::at_most)];
const auto inner_def = name[set(&ast::Inner::header)] >> -(silent("when") > expression[set(&ast::Inner::when)]);
const auto header_def =
    quoted("header", "a declaration")[example("header udp on ipv4.protocol == 17 { sport : u16  dport : u16 }")] >
    dotted_name[set(&ast::Header::name)] > *clause > fields[set(&ast::Header::fields)];

const auto fields_def = open_block > *each_line[field_line][append_field] > close_block;
const auto parts_def = open_parts > *each_line[field_line][append_field] > close_block;
const auto field_line_def = field[pass_on] >> separator;
const auto end_of = DigitsName{}[set(&ast::Field::end_of)] | member_name[set(&ast::Field::end_of)];
const auto floating = -(field_at > expression[set(&ast::Field::at)]) >
                      -(field_when > expression[set(&ast::Field::when)]);
const auto field_def =
    nested[field_name[set(&ast::Field::name)] >
           ((quoted("end", {}) >> quoted("of", {})[example("protocol : end of type at most 2")] > end_of >
             quoted("at", "'at'") > quoted("most", "'most'") > expression[set(&ast::Field::at_most)]) |
            (type[set(&ast::Field::type)] > floating > -parts[set(&ast::Field::parts)] >
             -(optional_equals > expression[set(&ast::Field::default_value)])))];

// ---- Unions ----------------------------------------------------------------------------------------------------

constexpr auto append_member = [](auto &ctx) {
    if (!x3::_attr(ctx).name.text.empty())
        x3::_val(ctx).members.push_back(std::move(x3::_attr(ctx)));
};

const auto alternative_def =
    field_name[set(&ast::Union::Member::name)] > expression[set(&ast::Union::Member::fields)] > separator;
const auto either_def = quoted("union", "a declaration")[example("union ip { src : ipv4.src or ipv6.src }")] >
                        name[set(&ast::Union::name)] > open_block > *each_line[alternative][append_member] >
                        close_block;

BOOST_SPIRIT_DEFINE(type, header, list, inner, field, fields, parts, field_line, either, alternative)

} // namespace

bool read_type(Iterator &first, Iterator last, ParseState &state, ast::Type &out)
{
    return run(type, first, last, state, out);
}

bool read_header(Iterator &first, Iterator last, ParseState &state, ast::Header &out)
{
    return run(header, first, last, state, out);
}

bool read_union(Iterator &first, Iterator last, ParseState &state, ast::Union &out)
{
    return run(either, first, last, state, out);
}

} // namespace xdpf::syntax
