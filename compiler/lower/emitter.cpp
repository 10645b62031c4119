#include "compiler/lower/emitter.hpp"
#include "compiler/base/limits.hpp"

#include "compiler/ir/bounds.hpp"
#include "compiler/ir/graph.hpp"
#include "compiler/lower/lower.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace xdpf::lowering {
namespace {

// Far beyond what the kernel takes; stops a program whose parts multiply before it fills the memory.
constexpr std::size_t most_blocks = 400'000;

} // namespace

std::optional<ir::Program> Emitter::run()
{
    program_.name = source_.name;
    program_.span = source_.span;
    span_ = source_.span;
    const auto entry = new_block();
    start(entry);
    packet_start_ = inst(ir::Op::packet_start).result = program_.add_value(ir::ValueKind::packet, 0);
    packet_end_ = inst(ir::Op::packet_end).result = program_.add_value(ir::ValueKind::packet_end);
    emit(graph_.root, {facts_.size(), packet_start_, packet_end_});
    while (!pending_.empty()) {
        if (program_.blocks.size() > most_blocks) {
            diagnostics_
                .report(Kind::too_large, source_.span, source_.name,
                        fmt::format("it has more than {} tests and actions", most_blocks))
                .suggest("fewer rules in this program, or sets and maps in place of single values");
            return std::nullopt;
        }
        Pending next = std::move(pending_.back());
        pending_.pop_back();
        start(next.block);
        packet_start_ = next.known.start;
        packet_end_ = next.known.end;
        emit(next.node, std::move(next.known));
    }
    const auto given = options_.table_bytes.find(source_.name);
    const std::uint32_t table_bytes = given == options_.table_bytes.end() ? 0 : given->second;
    tables_.finish(program_, maps_, table_bytes);
    if (tables_.overflow != 0)
        diagnostics_.report(
            Kind::too_large, source_.span, source_.name,
            fmt::format("its tables take {} bytes, and there is room for {}", tables_.overflow, table_bytes / 2));
    program_.by_rule = graph_.runs.empty();
    ir::put_in_order(program_);
    ir::settle_packet_bounds(program_);
    return std::move(program_);
}

// Fills the current block, and local ones behind it, with what `id` does.
void Emitter::emit(NodeId id, Knowledge known)
{
    const Node &node = graph_.nodes[id];
    span_ = node.span;
    for (const FactId fact : graph_.early)
        if (known[fact] == Truth::unknown && graph_.needs[id.value].contains(fact) && !can_wait(fact, node) &&
            !learn(fact, id, known))
            return;
    for (const FactId fact : node.asked.asks) {
        if (known[fact] == Truth::unknown && !learn(fact, id, known))
            return;
        if (known[fact] == Truth::no && node.kind == Node::Kind::test)
            break;
    }
    for (const FactId fact : node.asked.looks)
        if (known[fact] == Truth::unknown && !any_denied(node.asked, known) && !learn(fact, id, known))
            return;
    switch (node.kind) {
    case Node::Kind::test: emit_test(id, known); break;
    case Node::Kind::step: emit_step(id, known); break;
    case Node::Kind::decide: emit_decision(id, known); break;
    case Node::Kind::run: emit_run(id, known); break;
    }
}

// A test behind which only one side asks for the fact does not make two ways out of one by coming before it.
bool Emitter::can_wait(FactId fact, const Node &node) const
{
    return node.kind == Node::Kind::test && std::ranges::find(node.asked.asks, fact) == node.asked.asks.end() &&
           graph_.needs[node.yes.value].contains(fact) != graph_.needs[node.no.value].contains(fact);
}

void Emitter::emit_test(NodeId id, Knowledge &known)
{
    const Node &node = graph_.nodes[id];
    if (any_denied(node.asked, known))
        return jump(go(node.no, known));
    const auto &test_node = unit_.preds[node.test].node;
    const bool decided =
        std::holds_alternative<sema::Present>(test_node) || std::holds_alternative<sema::ReachedBy>(test_node) ||
        std::holds_alternative<sema::LinkCount>(test_node) || std::holds_alternative<sema::LinkIs>(test_node);
    if (decided)
        return jump(go(node.yes, known));
    const auto no = go(node.no, known);
    const auto yes = go(node.yes, known);
    test(node.test, {.known = &known}, yes, no);
}

bool Emitter::any_denied(const Asked &asked, const Knowledge &known) const
{
    return std::ranges::any_of(asked.asks, [&](FactId fact) { return known[fact] == Truth::no; }) ||
           std::ranges::any_of(asked.eithers, [&](sema::ExprId id) { return denied(id, known); });
}

// Makes a fact known. True: `known` has it now. False: the block has ended, and the blocks behind it go on with `node`.
bool Emitter::learn(FactId id, NodeId node, Knowledge &known)
{
    const Fact fact = facts_[id];
    switch (fact.kind) {
    case Fact::Kind::present:
        if (!unit_.headers[fact.header].is_link())
            return learn_present(id, node, known);
        break;
    case Fact::Kind::reached_by: {
        const auto present = facts_.find({Fact::Kind::present, fact.header});
        if (known[present] == Truth::unknown)
            return learn_present(present, node, known) && learn(id, node, known);
        known.deny(id);
        return true;
    }
    default: break;
    }
    // All others come out of walking a chain.
    const auto base = unit_.headers[fact.header].is_link() ? unit_.headers[fact.header].ways[0].parent : fact.header;
    const auto base_fact = facts_.find({Fact::Kind::present, base});
    if (known[base_fact] == Truth::unknown && !learn_present(base_fact, node, known))
        return false;
    if (known[base_fact] == Truth::no) {
        known.deny(id);
        return true;
    }
    walk_chain(base, node, known);
    return false;
}

bool Emitter::learn_present(FactId id, NodeId node, Knowledge &known)
{
    const sema::HeaderId header = facts_[id].header;
    if (facts_.is_item(header))
        return learn_item(id, node, known);
    const auto &ways = unit_.headers[header].ways;
    if (ways.empty()) {
        decode_header(header, 0, {packet_start_, 0}, node, known);
        return false;
    }
    for (std::size_t way = 0; way < ways.size(); ++way) {
        const auto open = facts_.find({Fact::Kind::way_open, header, static_cast<unsigned>(way)});
        if (known[open] == Truth::no)
            continue;
        const auto parent = facts_.find({Fact::Kind::present, ways[way].parent, ways[way].link});
        if (known[parent] == Truth::unknown && !learn(parent, node, known))
            return false;
        if (known[parent] == Truth::yes && ways[way].through_chain) {
            const auto end = facts_.find({Fact::Kind::chain_end, ways[way].parent});
            if (known[end] == Truth::unknown) {
                walk_chain(ways[way].parent, node, known);
                return false;
            }
            if (known[end] == Truth::no)
                known.deny(open);
        }
        if (known[parent] == Truth::no)
            known.deny(open);
        if (known[open] == Truth::no)
            continue;
        decode_site(header, way, node, known);
        return false;
    }
    known.deny(id);
    return true;
}

// ---- Blocks shared by all ways that come with the same knowledge ---------------------------------------------------

void Emitter::keep(FactId id, const Knowledge &known, FactSet &kept) const
{
    if (!id.valid() || kept.contains(id))
        return;
    kept.insert(id);
    if (known[id] != Truth::unknown)
        return;
    const Fact &fact = facts_[id];
    const sema::Header &header = unit_.headers[fact.header];
    const auto find = [&](const Fact &what) { return facts_.find(what); };
    if (fact.kind == Fact::Kind::present && facts_.is_item(fact.header))
        return keep(find({Fact::Kind::present, facts_.container_of(fact.header)}), known, kept);
    if (fact.kind == Fact::Kind::present && !header.is_link()) {
        for (std::size_t way = 0; way < header.ways.size(); ++way) {
            const auto open = find({Fact::Kind::way_open, fact.header, static_cast<unsigned>(way)});
            kept.insert(open);
            if (known[open] == Truth::no)
                continue;
            keep(find({Fact::Kind::present, header.ways[way].parent, header.ways[way].link}), known, kept);
            if (header.ways[way].through_chain)
                keep(find({Fact::Kind::chain_end, header.ways[way].parent}), known, kept);
        }
        return;
    }
    const auto base = header.is_link() ? header.ways[0].parent : fact.header;
    keep(find({Fact::Kind::present, base}), known, kept);
}

// Draws the conclusions that need no look at the packet: a header none of whose ways is open is absent.
void Emitter::conclude(Knowledge &known) const
{
    for (bool again = true; again;) {
        again = false;
        for (std::size_t i = facts_.size();
             i-- > 0;) { // headers in front have the higher ids: conclusions go backwards
            const Fact &fact = facts_[FactId(i)];
            const sema::Header &header = unit_.headers[fact.header];
            if (known[FactId(i)] != Truth::unknown || fact.kind == Fact::Kind::way_open)
                continue;
            const auto denied = [&](Fact::Kind kind, sema::HeaderId of, unsigned number = 0) {
                const auto id = facts_.find({kind, of, number});
                return id.valid() && known[id] == Truth::no;
            };
            bool absent = false;
            if (fact.kind == Fact::Kind::reached_by)
                absent =
                    denied(Fact::Kind::present, fact.header) || denied(Fact::Kind::way_open, fact.header, fact.number);
            else if (fact.kind != Fact::Kind::present || header.is_link())
                absent = denied(Fact::Kind::present, header.is_link() ? header.ways[0].parent : fact.header);
            else if (facts_.is_item(fact.header))
                absent = denied(Fact::Kind::present, facts_.container_of(fact.header));
            else if (!header.ways.empty())
                absent = std::ranges::all_of(header.ways, [&](const sema::Way &way) {
                    const auto number = static_cast<unsigned>(&way - header.ways.data());
                    return denied(Fact::Kind::way_open, fact.header, number) ||
                           denied(Fact::Kind::present, way.parent, way.link) ||
                           (way.through_chain && denied(Fact::Kind::chain_end, way.parent));
                });
            if (absent) {
                known.deny(FactId(i));
                again = true;
            }
        }
    }
}

// What `node` and all behind it ask for, with what finding that out takes.
FactSet Emitter::wanted_by(NodeId node, const Knowledge &known) const
{
    FactSet wanted;
    for (std::size_t i = 0; i < facts_.size(); ++i)
        if (!graph_.needs[node.value].contains(FactId(i)))
            continue;
        else if (facts_[FactId(i)].kind == Fact::Kind::present && facts_.is_item(facts_[FactId(i)].header) &&
                 !asks_itself(node, FactId(i)))
            keep(facts_.find({Fact::Kind::present, facts_.container_of(facts_[FactId(i)].header)}), known, wanted);
        else
            keep(FactId(i), known, wanted);
    return wanted;
}

bool Emitter::asks_itself(NodeId node, FactId fact) const
{
    const Asked &asked = graph_.nodes[node].asked;
    return std::ranges::find(asked.asks, fact) != asked.asks.end() ||
           std::ranges::find(asked.looks, fact) != asked.looks.end();
}

void Emitter::restrict_to(NodeId node, Knowledge &known) const
{
    conclude(known);
    const FactSet kept = wanted_by(node, known);
    for (std::size_t i = 0; i < facts_.size(); ++i)
        if (!kept.contains(FactId(i)))
            known.entry(FactId(i)) = {};
}

// Two knowledges with the same key differ only in the values of their pointers.
std::string Emitter::key_of(NodeId node, const Knowledge &known) const
{
    std::string key(reinterpret_cast<const char *>(&node.value), sizeof node.value);
    key += known.moved ? 'm' : 'f';
    const auto place = [&](Place where) {
        key += !where.base.valid() ? '-' : where.base == known.start ? 'S' : 'P';
        key.append(reinterpret_cast<const char *>(&where.delta), sizeof where.delta);
    };
    for (const Entry &entry : known.entries()) {
        key += static_cast<char>(entry.truth);
        if (entry.truth != Truth::yes)
            continue;
        place(entry.start);
        place(entry.end);
        key += entry.end.base == entry.start.base ? '=' : '!';
    }
    return key;
}

// Replaces the pointers and selectors of a knowledge by parameters of the block (edge: null), or collects them as the
// arguments of an edge, in the same order.
void Emitter::bind_params(Knowledge &known, ir::Block &block, ir::Edge *edge)
{
    const auto bind = [&](ir::ValueId &value) {
        if (!value.valid() || value == known.start)
            return;
        if (edge != nullptr) {
            edge->args.push_back(value);
            return;
        }
        const ir::ValueInfo info = program_.values[value];
        value = program_.add_value(info.kind, info.max);
        block.params.push_back(value);
    };
    for (Entry &entry : known.entries()) {
        const bool shared = entry.end.base == entry.start.base;
        bind(entry.start.base);
        if (shared)
            entry.end.base = entry.start.base;
        else
            bind(entry.end.base);
        bind(entry.selector);
    }
}

// The packet's ends as parameters of the block, where they are not those that the program began with.
void Emitter::bind_ends(Knowledge &known, ir::Block &block)
{
    const auto old = known.start;
    known.start = program_.add_value(ir::ValueKind::packet, 0);
    known.end = program_.add_value(ir::ValueKind::packet_end);
    block.params.insert(block.params.end(), {known.start, known.end});
    for (Entry &entry : known.entries())
        for (ir::ValueId *base : {&entry.start.base, &entry.end.base})
            if (*base == old)
                *base = known.start;
}

// A step has moved the packet's ends: asks for them anew, and forgets what was known.
void Emitter::ask_ends_anew(Knowledge &known)
{
    packet_start_ = inst(ir::Op::packet_start).result = program_.add_value(ir::ValueKind::packet, 0);
    packet_end_ = inst(ir::Op::packet_end).result = program_.add_value(ir::ValueKind::packet_end);
    known = {facts_.size(), packet_start_, packet_end_};
    known.moved = true;
}

ir::Edge Emitter::go(NodeId node, const Knowledge &known)
{
    Knowledge restricted = known;
    restrict_to(node, restricted);
    const auto [at, is_new] = blocks_.try_emplace(key_of(node, restricted));
    ir::Block unused;
    ir::Edge edge;
    if (known.moved)
        edge.args = {known.start, known.end};
    bind_params(restricted, unused, &edge);
    if (is_new) {
        at->second = new_block();
        if (known.moved)
            bind_ends(restricted, program_.blocks[at->second]);
        bind_params(restricted, program_.blocks[at->second], nullptr);
        pending_.push_back({at->second, node, std::move(restricted)});
    }
    edge.target = at->second;
    return edge;
}

// ---- Instructions --------------------------------------------------------------------------------------------------

ir::Inst &Emitter::inst(ir::Op op)
{
    ir::Inst made;
    made.op = op;
    made.span = span_;
    auto &insts = program_.blocks[block_].insts;
    insts.push_back(made);
    return insts.back();
}

ir::ValueId Emitter::number(ir::Inst &made, std::uint64_t max)
{
    return made.result = program_.add_value(ir::ValueKind::number, max);
}

ir::ValueId Emitter::constant(std::uint64_t value)
{
    ir::Inst &made = inst(ir::Op::constant);
    made.imm = value;
    return number(made, value);
}

ir::ValueId Emitter::binary(ir::Op op, ir::ValueId a, ir::ValueId b, std::uint64_t max)
{
    ir::Inst &made = inst(op);
    made.a = a;
    made.b = b;
    return number(made, max);
}

ir::ValueId Emitter::offset(Place place, ir::ValueId distance, std::uint64_t max)
{
    ir::Inst &made = inst(ir::Op::offset);
    made.a = place.base;
    made.b = distance;
    made.imm = max;
    const auto reach = program_.values[place.base].max + max;
    return made.result = program_.add_value(ir::ValueKind::packet, reach);
}

// The same place as a pointer of its own, for where several ways meet.
Place Emitter::materialised(Place place)
{
    if (place.delta == 0 && place.base != packet_start_)
        return place;
    return {offset({place.base}, constant(place.delta), place.delta), 0};
}

Place Emitter::rebased(Place place, std::uint64_t reach)
{
    const ir::ValueId base = materialised(place).base;
    const auto mask = mask_of(reach);
    if (!mask)
        return {base, 0};
    ir::Inst &made = inst(ir::Op::rebase);
    made.a = base;
    made.b = packet_start_;
    made.imm = *mask;
    return {made.result = program_.add_value(ir::ValueKind::packet, *mask), 0};
}

std::optional<std::uint64_t> Emitter::mask_of(std::uint64_t reach)
{
    constexpr std::uint64_t widest = max_packet_offset / 2; // leaves room for what follows
    const auto mask = std::bit_ceil(reach + 1) - 1;
    return mask > widest ? std::nullopt : std::optional(mask);
}

void Emitter::jump(ir::Edge edge)
{
    auto &end = program_.blocks[block_].end;
    const bool back = program_.blocks[edge.target].is_loop() && edge.target < block_;
    end.kind = back ? ir::Terminator::Kind::again : ir::Terminator::Kind::jump;
    end.edges[0] = std::move(edge);
    end.span = span_;
}

void Emitter::branch(ir::Cond cond, ir::ValueId a, std::uint64_t imm, const ir::Edge &yes, const ir::Edge &no)
{
    program_.blocks[block_].end = {ir::Terminator::Kind::branch, cond, a, {}, imm, {yes, no}, span_};
}

void Emitter::branch(ir::Cond cond, ir::ValueId a, ir::ValueId b, const ir::Edge &yes, const ir::Edge &no)
{
    program_.blocks[block_].end = {ir::Terminator::Kind::branch, cond, a, b, 0, {yes, no}, span_};
}

void Emitter::guard(Place place, std::uint32_t bytes, const ir::Edge &yes, const ir::Edge &no)
{
    program_.blocks[block_].end = {ir::Terminator::Kind::guard, ir::Cond::le, place.base, packet_end_,
                                   place.delta + bytes,         {yes, no},    span_};
}

void Emitter::give(std::uint32_t verdict)
{
    auto &end = program_.blocks[block_].end;
    end.kind = ir::Terminator::Kind::return_;
    end.imm = verdict;
    end.span = span_;
}

} // namespace xdpf::lowering

namespace xdpf {

ir::Module lower(const sema::Unit &unit, Diagnostics &diagnostics, const LowerOptions &options)
{
    ir::Module module;
    module.maps.assign(unit.maps.begin(), unit.maps.end());
    const auto &programs = options.programs != nullptr ? *options.programs : unit.programs;
    for (std::size_t i = 0; i < programs.size(); ++i) {
        auto made = lowering::Emitter(unit, programs[i], diagnostics, module.maps, options).run();
        if (made)
            module.programs.push_back(std::move(*made));
        else if (options.given_up != nullptr)
            options.given_up->push_back(i);
        else
            break;
    }
    return module;
}

} // namespace xdpf
