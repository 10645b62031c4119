// The rules and actions of xdpf.ebnf as Spirit X3 rules, in its order.
#include "grammar/rules.hpp"

namespace xdpf::syntax {
namespace {

constexpr std::string_view an_action = "an action";

constexpr NameToken<NameIn::redirect> redirect_name{};
constexpr OpenBlock open_action{an_action};
constexpr Punctuation all_entries{"*", "'*'"};
constexpr Contextual<lookahead::no_target> add_word{"add", an_action};
constexpr Contextual<lookahead::is_brace> metadata_word{"metadata", an_action};
constexpr Ahead<lookahead::begins_named_action> named_ahead{an_action};
constexpr Part<ast::ExprId, read_postfix> postfix{};
constexpr Part<ast::ExprId, read_set> set_literal{};
constexpr Part<std::vector<ast::Argument>, read_arguments> arguments{};
const auto arrow = ascii_arrow | unicode_arrow;

constexpr Keyword action_word(std::string_view word) { return quoted(word, an_action); }

// Something = value, or the use of a definition.
struct Step {
    ast::ExprId target;
    ast::Assign::Op op = ast::Assign::Op::set;
    std::optional<ast::ExprId> value;
};

const x3::rule<struct action_id, ast::ActionId> action = "action";
const x3::rule<struct plain_action_id, ast::ActionId> plain_action = "plain_action";
const x3::rule<struct action_node_id, ast::Action> action_node = "action_node";
const x3::rule<struct plain_id, ast::Action> plain = "plain";
const x3::rule<struct plain_node_id, ast::Action> plain_node = "plain_node";
const x3::rule<struct verdict_id, ast::Verdict> verdict = "verdict";
const x3::rule<struct redirect_id, ast::Redirect> redirect = "redirect";
const x3::rule<struct redirect_to_id, ast::RedirectTo> redirect_to = "redirect_to";
const x3::rule<struct goto_id, ast::Goto> jump = "goto";
const x3::rule<struct count_id, ast::Count> count = "count";
const x3::rule<struct delete_id, ast::Delete> erase = "delete";
const x3::rule<struct add_id, ast::AddTo> add = "add";
const x3::rule<struct let_id, ast::Let> let = "let";
const x3::rule<struct set_id, ast::SetField> set_field = "set";
const x3::rule<struct swap_id, ast::Swap> exchange = "swap";
const x3::rule<struct push_id, ast::Push> push = "push";
const x3::rule<struct pop_id, ast::Pop> pop = "pop";
const x3::rule<struct encap_id, ast::Encap> encap = "encap";
const x3::rule<struct decap_id, ast::Decap> decap = "decap";
const x3::rule<struct emit_id, ast::Emit> emit = "emit";
const x3::rule<struct sample_id, ast::Sample> sample = "sample";
const x3::rule<struct metadata_id, ast::Metadata> metadata = "metadata";
const x3::rule<struct if_id, ast::If> conditional = "if";
const x3::rule<struct if_node_id, ast::Action> conditional_node = "if_node";
const x3::rule<struct branch_id, ast::ActionId> branch = "branch";
const x3::rule<struct branch_node_id, ast::Action> branch_node = "branch_node";
const x3::rule<struct braces_id, ast::Block> braces = "braces";
const x3::rule<struct block_id, ast::Block> block = "block";
const x3::rule<struct named_id, Step> named = "named";
const x3::rule<struct step_id, ast::ActionId> step = "step";
const x3::rule<struct layer_id, ast::Layer> layer = "layer";
const x3::rule<struct rule_id, ast::Rule> rule = "rule";
const x3::rule<struct rule_head_id, ast::Rule> rule_head = "rule_head";
const x3::rule<struct assembly_id, ast::Action> assembly = "asm";
const x3::rule<struct whole_assembly_id, ast::Action> whole_assembly = "whole_asm";
const x3::rule<struct rules_id, std::vector<ast::RuleId>> rules = "rules";

template <ast::Verdict::Kind kind> constexpr auto decide = [](auto &ctx) { x3::_val(ctx).kind = kind; };
template <ast::Assign::Op op> constexpr auto assign = [](auto &ctx) { x3::_val(ctx).op = op; };
constexpr auto add_action = [](auto &ctx) {
    x3::_val(ctx) = state_of(ctx).file.actions.add(std::move(x3::_attr(ctx)));
};
constexpr auto set_otherwise = [](auto &ctx) {
    x3::_val(ctx).otherwise = state_of(ctx).file.actions.add(std::move(x3::_attr(ctx)));
};
constexpr auto append_step = [](auto &ctx) {
    if (x3::_attr(ctx).valid())
        x3::_val(ctx).actions.push_back(x3::_attr(ctx));
};
// Without a value only a name and a call are an action.
constexpr auto is_whole = [](auto &ctx) {
    const Step &it = x3::_val(ctx);
    const auto &node = state_of(ctx).expressions[it.target].node;
    x3::_pass(ctx) =
        it.value || std::holds_alternative<ast::Identifier>(node) || std::holds_alternative<ast::Call>(node);
};
constexpr auto take_step = [](auto &ctx) {
    const Step &it = x3::_attr(ctx);
    const auto &target = state_of(ctx).expressions[it.target];
    auto &node = x3::_val(ctx).node;
    if (it.value)
        node = ast::Assign{it.op, it.target, *it.value};
    else if (const auto *call = std::get_if<ast::Call>(&target.node))
        node = ast::Use{call->callee, call->arguments};
    else
        node = ast::Use{{std::get<ast::Identifier>(target.node).text, target.span}, {}};
};

const auto verdict_def =
    action_word("pass")[decide<ast::Verdict::Kind::pass>] | action_word("drop")[decide<ast::Verdict::Kind::drop>] |
    action_word("abort")[decide<ast::Verdict::Kind::abort>] | action_word("tx")[decide<ast::Verdict::Kind::tx>] |
    action_word("continue")[decide<ast::Verdict::Kind::next>];
const auto redirect_def = action_word("xsk")[example("xsk xsks else drop")] >>
                          -(redirect_name[set(&ast::Redirect::map)] >>
                            -(opening_index > expression[set(&ast::Redirect::key)] > closing_index)) >>
                          -(silent("else") > action[set(&ast::Redirect::otherwise)]);
const auto redirect_to_def = action_word("redirect")[example("redirect ports[1] else drop")] >
                             name[set(&ast::RedirectTo::map)] > opening_entries >
                             ((all_entries > -(quoted("except", "'except'") >
                                               quoted("iface", "'iface'"))[turn_on(&ast::RedirectTo::except_ingress)]) |
                              expression[set(&ast::RedirectTo::key)]) > closing_index
                             > -(silent("else") > action[set(&ast::RedirectTo::otherwise)]);
const auto jump_def = action_word("goto")[example("goto other_program")] > name[set(&ast::Goto::program)];

const auto count_def = action_word("count")[example("count hits[ipv4.src]")] > name[set(&ast::Count::map)] >
                       -(opening_index > (expression[append(&ast::Count::key)] % comma) > closing_index);
const auto erase_def = action_word("delete")[example("delete flows[ipv4.src]")] > name[set(&ast::Delete::map)] >
                       opening_entries > (expression[append(&ast::Delete::key)] % comma) > closing_index;
const auto add_def = add_word[example("add ipv4.src to seen")] >
                     (set_literal[set(&ast::AddTo::value)] | expression[set(&ast::AddTo::value)]) >
                     quoted("to", "'to'") > name[set(&ast::AddTo::map)];
const auto let_def = action_word("let")[example("let port = udp.dport")] > name[set(&ast::Let::name)] > equals >
                     expression[set(&ast::Let::value)];
const auto set_field_def = action_word("set")[example("set ipv4.ttl = ipv4.ttl - 1")] >
                           postfix[set(&ast::SetField::field)] > equals > expression[set(&ast::SetField::value)];
const auto exchange_def = action_word("swap")[example("swap ethernet.src, ethernet.dst")] >
                          postfix[set(&ast::Swap::left)] > comma > postfix[set(&ast::Swap::right)];
const auto push_def = action_word("push")[example("push vlan(id = 7)")] > layer[set(&ast::Push::layer)];
const auto pop_def = action_word("pop")[example("pop vlan")] > name[set(&ast::Pop::header)];
const auto encap_def = action_word("encap")[example("encap ethernet / ipv4(dst = 192.0.2.1) / udp / vxlan(vni = 7)")] >
                       (layer[append(&ast::Encap::layers)] % slash);
const auto decap_def = action_word("decap")[example("decap vxlan")] > dotted_name[set(&ast::Decap::header)];
const auto emit_def = action_word("emit")[example("emit events {src = ipv4.src, port = udp.dport}")] >
                      name[set(&ast::Emit::map)] > set_literal[set(&ast::Emit::record)];
const auto sample_def = action_word("sample")[example("sample ring[128]")] > name[set(&ast::Sample::map)] >
                        -(opening_index > expression[set(&ast::Sample::bytes)] > closing_index);
const auto metadata_def = metadata_word[example("metadata {mark = 5}")] > set_literal[set(&ast::Metadata::record)];

const auto conditional_def =
    exemplified("if udp.dport == 53 { drop } else { pass }",
                (action_word("if") > expression[set(&ast::If::predicate)] > branch[set(&ast::If::then)]) >>
                    -(silent("else") > (conditional_node[set_otherwise] | branch[set(&ast::If::otherwise)])));
const auto conditional_node_def = nested[spanned[conditional[as_node]]];
const auto braces_def = open_block > *each_line[step][append_step] > close_block;
const auto branch_node_def = nested[spanned[braces[as_node]]];
const auto branch_def = branch_node[add_action];

constexpr auto as_assembly = example("asm { r0 = XDP_PASS exit }");
const auto assembly_def = action_word("asm")[as_assembly] > RawBlock{}[as_node];
const auto whole_assembly_def = spanned[silent("asm")[as_assembly] > RawBlock{}[as_node]];

constexpr std::string_view an_assignment = "'=', '+=' or '-='";
constexpr Punctuation assign_set{"=", an_assignment, "=>"};
constexpr Punctuation assign_add{"+=", {}};
constexpr Punctuation assign_subtract{"-=", {}};
const auto assignment = assign_set[assign<ast::Assign::Op::set>] | assign_add[assign<ast::Assign::Op::add>] |
                        assign_subtract[assign<ast::Assign::Op::subtract>];
const auto
    named_def = named_ahead[example("hits[ipv4.src] += 1")] >> postfix[set(&Step::target)] >>
                -(assignment > (set_literal[set(&Step::value)] | expression[set(&Step::value)])) >> x3::eps[is_whole];

const auto block_def = open_action > *each_line[step][append_step] > close_block;
const auto step_def = action[pass_on] >> -semicolon;
const auto plain_def = verdict[as_node] | redirect[as_node] | count[as_node] | block[as_node] | redirect_to[as_node] |
                       jump[as_node] | erase[as_node] | let[as_node] | set_field[as_node] | exchange[as_node] |
                       push[as_node] | pop[as_node] | encap[as_node] | decap[as_node] | emit[as_node] |
                       sample[as_node] | metadata[as_node] | conditional[as_node] | assembly[pass_on];
const auto plain_node_def = nested[spanned[plain[pass_on]]];
const auto plain_action_def = plain_node[add_action];
const auto action_node_def = nested[spanned[plain[pass_on] | add[as_node] | named[take_step]]];
const auto action_def = action_node[add_action];

const auto layer_def = dotted_name[set(&ast::Layer::name)] >>
                       -(opening_arguments > arguments[set(&ast::Layer::arguments)] > closing);

constexpr auto take_head = [](auto &ctx) {
    x3::_val(ctx) = std::move(x3::_attr(ctx));
    x3::_val(ctx).head = x3::_val(ctx).span;
};
constexpr auto append_rule = [](auto &ctx) {
    if (x3::_attr(ctx).span.valid())
        x3::_val(ctx).push_back(state_of(ctx).file.rules.add(std::move(x3::_attr(ctx))));
};
constexpr auto set_body = [](auto &ctx) { x3::_val(ctx).body = std::move(x3::_attr(ctx)); };
constexpr auto has_predicate = [](auto &ctx) { x3::_pass(ctx) = x3::_val(ctx).predicate.has_value(); };
// A program may be a block of assembly and nothing else: it decides on every packet.
constexpr auto take_assembly = [](auto &ctx) {
    x3::_val(ctx).head = x3::_attr(ctx).span;
    x3::_val(ctx).body = state_of(ctx).file.actions.add(std::move(x3::_attr(ctx)));
};

constexpr auto set_rules_from = [](auto &ctx) {
    x3::_val(ctx).from = ast::String{std::move(x3::_attr(ctx).value)};
    x3::_val(ctx).from_span = x3::_attr(ctx).span;
};
constexpr auto has_file = [](auto &ctx) { x3::_pass(ctx) = x3::_val(ctx).from.has_value(); };

const auto rule_head_def =
    spanned[(quoted("match", "'match'")[example("match udp.dport == 53 -> drop")] >
             ((silent("from") >> string[set_rules_from]) | expression[set(&ast::Rule::predicate)])) |
            quoted("default", "'default'")[example("default -> pass")]];
const auto rules_def = open_block > *each_rule[rule][append_rule] > close_block;
const auto rule_def = nested[spanned[(rule_head[take_head] > (x3::eps[has_file] | (arrow > action[set_body]) |
                                                              (x3::eps[has_predicate] >> rules[set_body]))) |
                                     whole_assembly[take_assembly]]];

BOOST_SPIRIT_DEFINE(action, plain_action, action_node, plain, plain_node, verdict, redirect, redirect_to, jump, count,
                    erase, add, let, set_field, exchange, push, pop, encap, decap, emit, sample, metadata, conditional,
                    conditional_node, branch, branch_node, braces, block, named, step, layer, rule, rule_head, assembly,
                    whole_assembly, rules)

} // namespace

bool read_action(Iterator &first, Iterator last, ParseState &state, ast::ActionId &out)
{
    return run(action, first, last, state, out);
}

bool read_plain_action(Iterator &first, Iterator last, ParseState &state, ast::ActionId &out)
{
    return run(plain_action, first, last, state, out);
}

bool read_layer(Iterator &first, Iterator last, ParseState &state, ast::Layer &out)
{
    return run(layer, first, last, state, out);
}

bool read_rules(Iterator &first, Iterator last, ParseState &state, std::vector<ast::RuleId> &out)
{
    return run(rules, first, last, state, out);
}

bool read_rule(Iterator &first, Iterator last, ParseState &state, ast::Rule &out)
{
    return run(rule, first, last, state, out);
}

} // namespace xdpf::syntax
