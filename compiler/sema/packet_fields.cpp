#include "compiler/sema/packet_builder.hpp"

namespace xdpf::sema {

// A field's first bit, from the header's.
std::size_t PacketBuilder::bit_of(const LayerState &layer, const Field &field, std::size_t index)
{
    const auto floating = layer.floating.find(index);
    return floating == layer.floating.end() ? field.bit_offset : floating->second * 8;
}

bool PacketBuilder::store(LayerState &layer, std::size_t index, ExprId value, Span span)
{
    const Field &field = header_of(layer).fields[index];
    if (const auto *text = std::get_if<BytesConstant>(&a_.unit_.exprs[value].node);
        text != nullptr && field.type == ValueType::bytes) {
        if (text->value.size() * 8 != field.bits) {
            a_.diagnostics_.report(
                Kind::bad_packet, span,
                fmt::format("'{}' has {} bytes, and these are {}", field.name, field.bits / 8, text->value.size()));
            return false;
        }
        for (std::size_t i = 0; i < text->value.size(); ++i)
            bytes_[layer.start + bit_of(layer, field, index) / 8 + i] = static_cast<std::byte>(text->value[i]);
        layer.set[index] = true;
        return true;
    }
    const auto number = a_.constant_of(value);
    if (!number || a_.unit_.exprs[value].type != field.type) {
        if (!number && a_.unit_.exprs[value].type == field.type)
            a_.diagnostics_.report(Kind::not_constant, span);
        else
            a_.diagnostics_.report(Kind::bad_packet, span,
                                   fmt::format("'{}' is {}, and this is {}", field.name,
                                               sema::describe(field.type, field.bits), a_.describe(value)));
        return false;
    }
    if (*number > largest(field.bits)) {
        a_.diagnostics_.report(Kind::constant_too_large, span, to_string(field.type, *number),
                               fmt::format("'{}'", field.name), counted(field.bits, "bit"));
        return false;
    }
    put(layer, index, *number);
    return true;
}

void PacketBuilder::put(LayerState &layer, std::size_t index, u128 value)
{
    const Field &field = header_of(layer).fields[index];
    for (std::uint32_t i = 0; i < field.bits; ++i, value >>= 1) {
        const std::size_t from_end = field.bits - 1 - i;
        // Little-endian fields are whole bytes: the lowest byte comes first.
        const std::size_t bit =
            layer.start * 8 + bit_of(layer, field, index) + (field.little_endian ? (i / 8) * 8 + 7 - i % 8 : from_end);
        const auto mask = static_cast<std::byte>(0x80 >> (bit % 8));
        bytes_[bit / 8] = (value & 1) != 0 ? bytes_[bit / 8] | mask : bytes_[bit / 8] & ~mask;
    }
    layer.set[index] = true;
}

// The field in front that names this header gets the value that does, unless the test has set it.
bool PacketBuilder::select(std::size_t index)
{
    LayerState &layer = layers_[index];
    if (!layer.header.valid())
        return true;
    LayerState &before = layers_[in_front_of(index)];
    const Header &front = header_of(before);
    if (layer.item)
        return select_item(layer);
    for (const auto &way : header_of(layer).ways) {
        const bool link_in_front = way.through_chain && front.is_link() && front.ways[0].parent == way.parent;
        if (way.parent != before.header && !link_in_front)
            continue;
        const auto chosen = choice(way.condition);
        if (!chosen || (way.through_chain && !link_in_front && front.chain->constant))
            return true;
        const auto field = link_in_front ? *front.then : way.through_chain ? front.chain->selector : chosen->first;
        if (!before.set[field])
            put(before, field, chosen->second);
        return true;
    }
    if (!is_root(before.header, layer.header))
        return never_behind(layer, front.name);
    for (const auto &root : a_.roots_[before.header])
        if (const auto chosen = root.when && root.header == layer.header ? choice(*root.when) : std::nullopt;
            chosen && !before.set[chosen->first])
            put(before, chosen->first, chosen->second);
    return true;
}

// The field that names an item of a list is its own.
bool PacketBuilder::select_item(LayerState &layer)
{
    const auto &ways = header_of(layer).ways;
    const auto chosen = ways.empty() ? std::nullopt : choice(ways[0].condition);
    if (!chosen)
        return true;
    const Field &named = a_.unit_.headers[ways[0].parent].fields[chosen->first];
    for (std::size_t i = 0; i < layer.set.size(); ++i) {
        const Field &field = header_of(layer).fields[i];
        if (field.bit_offset == named.bit_offset && field.bits == named.bits && !field.floating() && !layer.set[i])
            put(layer, i, chosen->second);
    }
    return true;
}

// The first value that a condition accepts, and of which field.
std::optional<std::pair<std::size_t, u128>> PacketBuilder::choice(PredId id) const
{
    const auto &node = a_.unit_.preds[id].node;
    if (const auto *both = std::get_if<And>(&node)) {
        const auto left = choice(both->left);
        return left ? left : choice(both->right);
    }
    const auto *set = std::get_if<InSet>(&node);
    if (set == nullptr || set->intervals.empty())
        return std::nullopt;
    const auto *field = std::get_if<FieldValue>(&a_.unit_.exprs[set->value].node);
    return std::pair(field != nullptr ? field->field : 0, set->intervals.front().first);
}

bool PacketBuilder::fill_defaults(std::size_t index, bool checksums)
{
    LayerState &layer = layers_[index];
    if (!layer.header.valid())
        return true;
    const auto &source = a_.header_sources_[layer.header];
    for (std::size_t field = 0; field < layer.set.size(); ++field) {
        const auto given = a_.defaults_.find({layer.header.value, field});
        if (layer.set[field] || given == a_.defaults_.end() || part_is_set(layer, field) ||
            header_of(layer).fields[field].floating())
            continue;
        const Scope inside{source.file};
        const auto *call = std::get_if<ast::Call>(&inside[given->second].node);
        const bool checksum = call != nullptr && call->callee.text == "checksum";
        if (checksum != checksums)
            continue;
        if (checksum) {
            put(layer, field, checksum_of(index, *call, inside));
            continue;
        }
        if (const auto computed = computed_value(index, given->second, inside)) {
            put(layer, field, *computed & largest(header_of(layer).fields[field].bits));
            continue;
        }
        const auto value = a_.value(given->second, inside);
        if (!value || !store(layer, field, *value, inside[given->second].span))
            return false;
    }
    return true;
}

// A default of a whole that has parts does not undo what the test says about a part.
bool PacketBuilder::part_is_set(const LayerState &layer, std::size_t field) const
{
    const auto &fields = header_of(layer).fields;
    for (std::size_t i = 0; i < fields.size(); ++i)
        if (layer.set[i] && fields[i].name.starts_with(fields[field].name + "."))
            return true;
    return false;
}

// `size`, `payload_size` and what is computed from them; nothing for other expressions.
std::optional<std::uint64_t> PacketBuilder::computed_value(std::size_t index, ast::ExprId id, const Scope &scope)
{
    if (const auto *name = std::get_if<ast::Identifier>(&scope[id].node)) {
        if (name->text == "size")
            return layers_[index].size;
        return name->text == "payload_size" ? std::optional(behind(index)) : std::nullopt;
    }
    const auto *binary = std::get_if<ast::Binary>(&scope[id].node);
    if (binary == nullptr)
        return std::nullopt;
    const auto side = [&](ast::ExprId what) -> std::optional<std::uint64_t> {
        const auto *literal = std::get_if<ast::Literal>(&scope[what].node);
        return literal != nullptr ? a_.constant(what, scope) : computed_value(index, what, scope);
    };
    const auto left = side(binary->left);
    const auto right = side(binary->right);
    if (!left || !right)
        return std::nullopt;
    if (binary->op == ast::BinaryOp::add)
        return *left + *right;
    if (binary->op == ast::BinaryOp::subtract)
        return *left - *right;
    return binary->op == ast::BinaryOp::divide && *right != 0 ? std::optional(*left / *right) : std::nullopt;
}

// Of the nearest header in front that has it, in the same tunnel.
std::span<const std::byte> PacketBuilder::field_of(std::size_t index, const ast::Member &member, const Scope &scope)
{
    const auto ref = a_.header_ref(member.base, scope);
    for (std::size_t i = index; ref && i-- > 0;) {
        if (layers_[i].space != layers_[index].space)
            return {};
        if (layers_[i].header != ref->header)
            continue;
        const auto field = a_.find_field(ref->header, member.member.text);
        if (!field)
            return {};
        const Field &what = header_of(layers_[i]).fields[*field];
        return std::span(bytes_).subspan(layers_[i].start + what.bit_offset / 8, what.bits / 8);
    }
    return {};
}

// The internet checksum (RFC 1071) over what the declaration lists; headers the packet does not have add nothing.
std::uint64_t PacketBuilder::checksum_of(std::size_t index, const ast::Call &call, const Scope &scope)
{
    std::uint64_t sum = 0;
    std::uint64_t for_zero = 0;
    const auto add = [&](std::span<const std::byte> bytes) {
        for (std::size_t i = 0; i < bytes.size(); ++i)
            sum += std::to_integer<std::uint64_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
    };
    const std::span packet(bytes_);
    for (const auto &argument : call.arguments) {
        const auto *name = std::get_if<ast::Identifier>(&scope[argument.value].node);
        if (argument.name && argument.name->text == "zero")
            for_zero = a_.constant(argument.value, scope).value_or(0);
        else if (name != nullptr && name->text == "header")
            add(packet.subspan(layers_[index].start, layers_[index].size));
        else if (name != nullptr && name->text == "payload")
            add(packet.last(behind(index)));
        else if (const auto *member = std::get_if<ast::Member>(&scope[argument.value].node))
            add(field_of(index, *member, scope));
        else if (const auto number = computed_value(index, argument.value, scope))
            sum += *number;
        else
            sum += a_.constant(argument.value, scope).value_or(0);
    }
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    sum = ~sum & 0xffff;
    return sum == 0 ? for_zero : sum;
}

} // namespace xdpf::sema
