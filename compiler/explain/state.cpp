// What lies in maps, and the steps that change it. A step with an absent operand does nothing.
#include "compiler/explain/evaluation.hpp"

#include <algorithm>

namespace xdpf::explain {

std::optional<std::vector<Value>> Evaluation::values(std::span<const ExprId> ids, const Context &context)
{
    std::vector<Value> out;
    for (const ExprId id : ids) {
        const auto found = value(id, context);
        if (!found)
            return std::nullopt;
        out.push_back(*found);
    }
    return out;
}

// A field of a key or a value as it lies there.
void Evaluation::store(const LayoutField &field, const Value &value, Bytes &out)
{
    if (field.format == FieldFormat::bytes && !value.bytes.empty()) {
        for (std::uint32_t i = 0; i < field.size && i < value.bytes.size(); ++i)
            out[field.offset + i] = static_cast<std::byte>(value.bytes[i]);
        return;
    }
    u128 rest = value.number;
    const bool big = field.format != FieldFormat::number || field.big_endian;
    for (std::uint32_t i = 0; i < field.size; ++i, rest >>= 8)
        out[field.offset + (big ? field.size - 1 - i : i)] = static_cast<std::byte>(rest);
}

Value Evaluation::stored(const LayoutField &field, std::span<const std::byte> value)
{
    const auto bytes = value.subspan(field.offset, field.size);
    if (field.format == FieldFormat::bytes) {
        const Bytes &kept = kept_.emplace_back(bytes.begin(), bytes.end());
        return {.bytes = {reinterpret_cast<const char *>(kept.data()), kept.size()}};
    }
    const bool big = field.format != FieldFormat::number || field.big_endian;
    u128 number = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        number = number << 8 | std::to_integer<unsigned>(bytes[big ? i : bytes.size() - 1 - i]);
    return {.number = number};
}

// No parts: index 0. Of a prefix map: the whole address, as long as it can be.
std::optional<Bytes> Evaluation::key(MapId map, std::span<const ExprId> parts, const Context &context)
{
    const MapSpec &spec = unit_.maps[map];
    const auto found = values(parts, context);
    if (!found)
        return std::nullopt;
    Bytes out(spec.key.size);
    const bool prefix = has(spec.kind, map_trait::prefix);
    if (prefix)
        store(spec.key.fields[0], {.number = (spec.key.size - spec.key.fields[0].size) * 8}, out);
    for (std::size_t i = 0; i < found->size(); ++i)
        store(spec.key.fields[i + (prefix ? 1 : 0)], (*found)[i], out);
    return out;
}

std::optional<Value> Evaluation::value_of(const sema::ParamValue &node, const sema::Expr &, const Context &)
{
    const MapSpec &spec = unit_.maps[node.map];
    const auto entry = maps_->lookup(node.map, Bytes(spec.key.size));
    return entry ? std::optional(stored(spec.value.fields[node.field], *entry)) : std::nullopt;
}

std::optional<Value> Evaluation::value_of(const sema::MapValue &node, const sema::Expr &, const Context &context)
{
    const auto where = key(node.map, node.key, context);
    const auto entry = where ? maps_->lookup(node.map, *where) : std::nullopt;
    return entry ? std::optional(stored(unit_.maps[node.map].value.fields[node.field], *entry)) : std::nullopt;
}

// One more packet; a key that is new begins with this one.
bool Evaluation::perform(const sema::Count &step)
{
    const MapSpec &spec = unit_.maps[step.map];
    const auto where = key(step.map, step.key);
    auto entry = where ? maps_->lookup(step.map, *where) : std::nullopt;
    if (!where || (!entry && has(spec.kind, map_trait::array)))
        return false;
    Bytes next = entry.value_or(Bytes(spec.value.size));
    for (const LayoutField &field : spec.value.fields)
        store(field, {.number = stored(field, next).number + (field.name == "bytes" ? packet_.size() : 1)}, next);
    maps_->update(step.map, *where, next);
    return false;
}

bool Evaluation::perform(const sema::Assign &step)
{
    const MapSpec &spec = unit_.maps[step.map];
    std::vector<ExprId> ids;
    std::ranges::transform(step.fields, std::back_inserter(ids), &sema::Assign::To::value);
    const auto given = values(ids);
    const auto where = given ? key(step.map, step.key) : std::nullopt;
    if (!where)
        return false;
    const auto entry = maps_->lookup(step.map, *where);
    if (!entry && has(spec.kind, map_trait::array))
        return false;
    Bytes next = entry && !step.whole ? *entry : Bytes(spec.value.size);
    for (std::size_t i = 0; i < given->size(); ++i) {
        const LayoutField &field = spec.value.fields[step.fields[i].field];
        Value value = (*given)[i];
        if (step.op == sema::Assign::Op::add)
            value.number = stored(field, next).number + value.number;
        else if (step.op == sema::Assign::Op::subtract)
            value.number = stored(field, next).number - value.number;
        store(field, value, next);
    }
    maps_->update(step.map, *where, next);
    return false;
}

bool Evaluation::perform(const sema::Delete &step)
{
    if (const auto where = key(step.map, step.key))
        maps_->erase(step.map, *where);
    return false;
}

bool Evaluation::perform(const sema::Let &step)
{
    const auto found = value(step.value);
    lets_[step.let] = found ? std::optional(kept(*found)) : std::nullopt;
    return false;
}

// The value with bytes that stay when the packet's change.
Value Evaluation::kept(Value value)
{
    if (!value.bytes.empty()) {
        const auto bytes = std::as_bytes(std::span(value.bytes));
        const Bytes &own = kept_.emplace_back(bytes.begin(), bytes.end());
        value.bytes = {reinterpret_cast<const char *>(own.data()), own.size()};
    }
    return value;
}

// What goes to user space, or into a queue, is nothing that a rule reads again; Bloom filters are uncertain anyway.
bool Evaluation::perform(const sema::AddTo &) { return false; }
bool Evaluation::perform(const sema::Emit &) { return false; }
bool Evaluation::perform(const sema::Sample &) { return false; }
bool Evaluation::perform(const sema::MetadataArea &) { return false; }

} // namespace xdpf::explain
