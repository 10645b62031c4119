// What rules do before they decide: counting, state in maps, records to user space.
#include "compiler/lower/emitter.hpp"

#include <linux/bpf.h>

#include <algorithm>

namespace xdpf::lowering {

void Emitter::emit_step(NodeId id, Knowledge &known)
{
    const Node &node = graph_.nodes[id];
    const sema::Step &step = *node.step;
    const Env env{.known = &known};
    const bool absent = any_denied(node.asked, known);
    // Behind a step that moves the packet's ends nothing is known, whatever the rules say.
    if (absent && !step.may_be_absent && !known.moved && warned_.insert(&step).second)
        warn_absent(step);
    if (const auto *let = std::get_if<sema::Let>(&step.node))
        return emit_let(*let, env, go(node.yes, known), absent);
    if (absent)
        return jump(go(node.yes, known));
    if (const auto *area = std::get_if<sema::MetadataArea>(&step.node))
        return emit_metadata(*area, id, known);
    if (emit_rewrite(step, id, known))
        return;
    const auto next = go(node.yes, known);
    if (const auto *count = std::get_if<sema::Count>(&step.node))
        return emit_count(*count, env, next);
    if (const auto *assign = std::get_if<sema::Assign>(&step.node))
        return emit_assign(*assign, env, next);
    if (const auto *erased = std::get_if<sema::Delete>(&step.node))
        return emit_delete(*erased, env, next);
    if (const auto *add = std::get_if<sema::AddTo>(&step.node))
        return emit_add(*add, env, next);
    if (const auto *record = std::get_if<sema::Emit>(&step.node))
        return emit_record(*record, env, next);
    emit_sample(std::get<sema::Sample>(step.node), next);
}

namespace {

// ": match ipv4 or ipv6 { … }", of the first header that the key reads.
std::string match_for(const sema::Unit &unit, const std::vector<sema::ExprId> &key)
{
    for (const auto id : key) {
        std::vector<sema::ExprId> fields{id};
        if (const auto *either = std::get_if<sema::Either>(&unit.exprs[id].node))
            fields = either->alternatives;
        std::vector<std::string> names;
        for (const auto one : fields)
            if (const auto *field = std::get_if<sema::FieldValue>(&unit.exprs[one].node))
                names.push_back(unit.headers[field->header.header].name);
        if (!names.empty())
            return fmt::format(": match {} {{ … }}", fmt::join(names, " or "));
    }
    return {};
}

} // namespace

void Emitter::warn_absent(const sema::Step &step)
{
    if (const auto *count = std::get_if<sema::Count>(&step.node))
        diagnostics_.report(Kind::absent_key, unit_.exprs[count->key.front()].span, unit_.maps[count->map].name)
            .suggest(fmt::format("put the rule under a match of the header that holds the key{}",
                                 match_for(unit_, count->key)));
    else
        diagnostics_.report(Kind::absent_operand, step.span)
            .suggest("put the rule under a match of the header that it reads");
}

ir::ValueId Emitter::lookup(MapId map, ir::SlotId key)
{
    ir::Inst &made = inst(ir::Op::lookup);
    made.map = map;
    made.key = key;
    return made.result = program_.add_value(ir::ValueKind::map_value);
}

void Emitter::update(MapId map, ir::SlotId key, ir::SlotId value)
{
    ir::Inst &made = inst(ir::Op::update);
    made.map = map;
    made.key = key;
    made.value = value;
    made.imm = BPF_ANY;
}

void Emitter::emit_count(const sema::Count &count, const Env &env, const ir::Edge &next)
{
    const MapSpec &spec = unit_.maps[count.map];
    const ir::SlotId key = key_slot(count.map, count.key, env, next);
    const auto pointer = lookup(count.map, key);
    const auto found = new_block();
    // An array has every entry below its size; an index beyond it is no entry.
    const bool array = has(spec.kind, map_trait::array);
    const auto missing = array ? ir::BlockId() : new_block();
    branch(ir::Cond::ne, pointer, 0, to(found), array ? next : to(missing));
    start(found);
    count_up(spec, pointer);
    jump(next);
    if (array)
        return;
    start(missing);
    const ir::SlotId fresh = slot_of(SlotUse::value, spec.value.size);
    for (const LayoutField &field : spec.value.fields) {
        const auto first = field.name == "bytes" ? packet_length() : constant(1);
        store(fresh, field.offset, static_cast<std::uint8_t>(field.size), ir::Order::little, first);
    }
    update(count.map, key, fresh);
    jump(next);
}

void Emitter::count_up(const MapSpec &spec, ir::ValueId pointer)
{
    for (const LayoutField &field : spec.value.fields) {
        const auto more = field.name == "bytes" ? packet_length() : constant(1);
        const auto access = [&](ir::Op op) -> ir::Inst & {
            ir::Inst &made = inst(op);
            made.a = pointer;
            made.imm = field.offset;
            made.width = static_cast<std::uint8_t>(field.size);
            return made;
        };
        if (!has(spec.kind, map_trait::per_cpu)) {
            access(ir::Op::atomic_add).b = more;
            continue;
        }
        const auto before = number(access(ir::Op::load_map));
        const auto after = binary(ir::Op::add, before, more);
        access(ir::Op::store_map).b = after;
    }
}

void Emitter::emit_assign(const sema::Assign &assign, const Env &env, const ir::Edge &next)
{
    const MapSpec &spec = unit_.maps[assign.map];
    std::vector<Operand> values;
    for (const auto &[field, value] : assign.fields)
        values.push_back(operand(value, spec.value.fields[field], env, next));
    const ir::SlotId key = key_slot(assign.map, assign.key, env, next);
    const bool array = has(spec.kind, map_trait::array);
    if (!assign.whole || array) {
        const auto pointer = lookup(assign.map, key);
        const auto found = new_block();
        const auto missing = array ? ir::BlockId() : new_block();
        branch(ir::Cond::ne, pointer, 0, to(found), array ? next : to(missing));
        start(found);
        change_value(assign, spec, pointer, values);
        jump(next);
        if (array)
            return;
        start(missing);
    }
    const ir::SlotId fresh = slot_of(SlotUse::value, spec.value.size);
    for (std::uint32_t at = 0; at < spec.value.size;) {
        const std::uint32_t width = at + 8 <= spec.value.size ? 8 : 1;
        store(fresh, at, static_cast<std::uint8_t>(width), ir::Order::little, constant(0));
        at += width;
    }
    for (std::size_t i = 0; i < values.size(); ++i) {
        Operand first = values[i];
        if (assign.op == sema::Assign::Op::subtract)
            first.number = negated(first.number);
        store_operand(fresh, spec.value.fields[assign.fields[i].field], first);
    }
    update(assign.map, key, fresh);
    jump(next);
}

ir::ValueId Emitter::negated(ir::ValueId of)
{
    ir::Inst &made = inst(ir::Op::neg);
    made.a = of;
    return number(made);
}

// Changes an entry where it lies. What other CPUs may change at the same time is added to in one operation.
void Emitter::change_value(const sema::Assign &assign, const MapSpec &spec, ir::ValueId pointer,
                           std::span<const Operand> values)
{
    const Sink entry(pointer);
    if (assign.whole)
        for (std::size_t i = 0; i < spec.value.fields.size(); ++i)
            if (std::ranges::find(assign.fields, i, &sema::Assign::To::field) == assign.fields.end())
                store_bytes(entry, spec.value.fields[i].offset, std::string(spec.value.fields[i].size, '\0'));
    for (std::size_t i = 0; i < values.size(); ++i) {
        const LayoutField &field = spec.value.fields[assign.fields[i].field];
        if (assign.op == sema::Assign::Op::set) {
            store_operand(entry, field, values[i]);
            continue;
        }
        const bool down = assign.op == sema::Assign::Op::subtract;
        const auto access = [&](ir::Op op) -> ir::Inst & {
            ir::Inst &made = inst(op);
            made.a = pointer;
            made.imm = field.offset;
            made.width = static_cast<std::uint8_t>(field.size);
            return made;
        };
        if (!has(spec.kind, map_trait::per_cpu) && field.size >= 4) {
            const auto more = down ? negated(values[i].number) : values[i].number;
            access(ir::Op::atomic_add).b = more;
            continue;
        }
        const auto before = number(access(ir::Op::load_map));
        const auto after = binary(down ? ir::Op::sub : ir::Op::add, before, values[i].number);
        access(ir::Op::store_map).b = after;
    }
}

void Emitter::emit_delete(const sema::Delete &erased, const Env &env, const ir::Edge &next)
{
    const ir::SlotId key = key_slot(erased.map, erased.key, env, next);
    ir::Inst &made = inst(ir::Op::erase);
    made.map = erased.map;
    made.key = key;
    jump(next);
}

void Emitter::emit_add(const sema::AddTo &add, const Env &env, const ir::Edge &next)
{
    const ir::SlotId slot = value_slot(add.map, add.value, env, next);
    ir::Inst &made = inst(ir::Op::push_value);
    made.map = add.map;
    made.value = slot;
    jump(next);
}

// A whole value on the stack: of queues, stacks and Bloom filters.
ir::SlotId Emitter::value_slot(MapId map, const std::vector<sema::ExprId> &value, const Env &env,
                               const ir::Edge &absent)
{
    const MapSpec &spec = unit_.maps[map];
    const auto parts = operands(value, spec.value.fields, env, absent);
    const ir::SlotId slot = slot_of(SlotUse::value, spec.value.size);
    for (std::size_t i = 0; i < parts.size(); ++i)
        store_operand(slot, spec.value.fields[i], parts[i]);
    zero_padding(slot, spec.value);
    return slot;
}

// Two cells of the stack: the value, and whether it is there.
void Emitter::emit_let(const sema::Let &let, const Env &env, const ir::Edge &next, bool denied)
{
    const auto number = static_cast<std::uint32_t>(let.let);
    const ir::SlotId cell = slot_of(SlotUse::let, number);
    const ir::SlotId is_there = slot_of(SlotUse::let_is_there, number);
    store(cell, 0, 8, ir::Order::little, constant(0));
    store(is_there, 0, 8, ir::Order::little, constant(0));
    if (!denied) {
        store(cell, 0, 8, ir::Order::little, value(let.value, env, next));
        store(is_there, 0, 8, ir::Order::little, constant(1));
    }
    jump(next);
}

void Emitter::record_head(ir::ValueId record, std::uint32_t type)
{
    const Sink to(record);
    store(to, 0, 8, ir::Order::little, number(inst(ir::Op::now)));
    store(to, 8, 4, ir::Order::little, constant(type));
}

ir::ValueId Emitter::reserve(MapId ring, std::uint32_t size, const ir::Edge &full)
{
    ir::Inst &made = inst(ir::Op::reserve);
    made.map = ring;
    made.imm = size;
    const auto record = made.result = program_.add_value(ir::ValueKind::record);
    const auto room = new_block();
    branch(ir::Cond::ne, record, 0, to(room), full);
    start(room);
    return record;
}

// The values come first: from the reservation on, every way leads to the submission.
void Emitter::emit_record(const sema::Emit &emit, const Env &env, const ir::Edge &next)
{
    constexpr std::size_t head = 2; // time, type
    const RecordType &type = unit_.records[emit.record];
    const auto fields = std::span(type.layout.fields).subspan(head);
    const auto values = operands(emit.fields, fields, env, next);
    const auto record = reserve(type.map, type.layout.size, next);
    record_head(record, static_cast<std::uint32_t>(emit.record));
    const Sink to(record);
    for (std::size_t i = 0; i < values.size(); ++i)
        store_operand(to, fields[i], values[i]);
    zero_padding(to, type.layout);
    inst(ir::Op::submit).a = record;
    jump(next);
}

void Emitter::emit_sample(const sema::Sample &sample, const ir::Edge &next)
{
    const RecordType &type = unit_.records[sample.record];
    const auto length = packet_length();
    const auto record = reserve(type.map, type.layout.size + type.bytes, next);
    const Sink to_record(record);
    record_head(record, static_cast<std::uint32_t>(sample.record));
    // captured, length, rx_queue, iface: see RecordType
    std::uint32_t at = 12;
    const auto put = [&](ir::ValueId value) {
        store(to_record, at, 4, ir::Order::little, value);
        at += 4;
    };
    put(constant(0));
    put(length);
    for (const auto field : {ir::ContextField::rx_queue, ir::ContextField::ingress_ifindex}) {
        ir::Inst &made = inst(ir::Op::context);
        made.field = field;
        put(number(made, UINT32_MAX));
    }
    zero_padding(to_record, type.layout);
    const auto copy = new_block();
    const auto captured = program_.add_value(ir::ValueKind::number, type.bytes);
    program_.blocks[copy].params.push_back(captured);
    const auto whole = new_block();
    const auto some = new_block();
    const auto done = new_block();
    const auto most = constant(type.bytes);
    branch(ir::Cond::gt, length, type.bytes, {copy, {most}}, to(whole));
    start(whole);
    branch(ir::Cond::ne, length, 0, to(some), to(done));
    start(some);
    jump({copy, {length}});
    start(copy);
    ir::Inst &copying = inst(ir::Op::copy_packet);
    copying.a = record;
    copying.imm = type.layout.size;
    copying.b = captured;
    copying.max = type.bytes;
    const auto status = number(copying);
    const auto copied = new_block();
    branch(ir::Cond::eq, status, 0, to(copied), to(done));
    start(copied);
    store(to_record, 12, 4, ir::Order::little, captured);
    jump(to(done));
    start(done);
    inst(ir::Op::submit).a = record;
    jump(next);
}

// In front of the packet, for the socket that gets it. Where the driver has no room, the packet goes on without.
void Emitter::emit_metadata(const sema::MetadataArea &area, NodeId id, Knowledge &known)
{
    const NodeId after = graph_.nodes[id].yes;
    const auto skip = go(after, known);
    std::vector<ir::ValueId> values;
    for (const auto &field : area.fields)
        values.push_back(value(field.value, {.known = &known}, skip));
    const auto by = constant(0 - std::uint64_t(area.size));
    ir::Inst &adjust = inst(ir::Op::adjust_meta);
    adjust.a = by;
    const auto status = number(adjust);
    ask_ends_anew(known);
    const auto room = new_block();
    const auto next = go(after, known);
    branch(ir::Cond::eq, status, 0, to(room), next);
    start(room);
    const auto meta = inst(ir::Op::meta_start).result = program_.add_value(ir::ValueKind::meta, 0);
    const auto there = new_block();
    program_.blocks[block_].end = {ir::Terminator::Kind::guard, ir::Cond::le, meta, packet_start_, area.size,
                                   {to(there), next},           span_};
    start(there);
    for (std::size_t i = 0; i < values.size(); ++i) {
        ir::Inst &made = inst(ir::Op::store_packet);
        made.a = meta;
        made.b = values[i];
        made.imm = area.fields[i].offset;
        made.width = static_cast<std::uint8_t>(area.fields[i].size);
        made.order = ir::Order::little;
    }
    jump(next);
}

} // namespace xdpf::lowering
