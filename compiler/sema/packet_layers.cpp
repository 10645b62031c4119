#include "compiler/sema/packet_builder.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

std::uint64_t read_bits(const std::vector<std::byte> &bytes, std::size_t first_bit, std::uint32_t bits)
{
    std::uint64_t value = 0;
    for (std::size_t bit = first_bit; bit < first_bit + bits; ++bit)
        value = value << 1 | (std::to_integer<unsigned>(bytes[bit / 8]) >> (7 - bit % 8) & 1);
    return value;
}

} // namespace

bool PacketBuilder::place(const ast::Layer &ast)
{
    LayerState layer{.start = bytes_.size(), .ast = &ast};
    if (ast.name.text == "payload") {
        close();
        return place_payload(ast);
    }
    const Symbol *symbol = a_.find(ast.name.text);
    const auto *header = symbol != nullptr ? std::get_if<HeaderId>(&symbol->what) : nullptr;
    if (header == nullptr) {
        auto names = a_.header_names();
        names.emplace_back("payload");
        a_.diagnostics_.report(Kind::unknown_header, ast.name.span, ast.name.text).suggest_near(ast.name.text, names);
        return false;
    }
    if (!layers_.empty() && !layers_.back().header.valid()) {
        a_.diagnostics_.report(Kind::bad_packet, ast.name.span, "nothing can stand behind the payload");
        return false;
    }
    layer.item = is_item(*header);
    if (!layer.item)
        close();
    layer.header = *header;
    if (!layers_.empty() && !connect(layer))
        return false;
    layer.start = bytes_.size();
    layer.set.resize(header_of(layer).fields.size());
    layer.size = header_of(layer).fixed_size;
    bytes_.resize(layer.start + layer.size);
    layers_.push_back(layer);
    bool good = a_.check_arguments(ast, *header, scope_);
    for (const auto &argument : ast.arguments)
        good = (!argument.name || set_argument(layers_.back(), argument)) && good;
    if (!good)
        return false;
    grow(layers_.back());
    return place_floating(layers_.back(), ast);
}

bool PacketBuilder::is_item(HeaderId id) const
{
    const Header &header = a_.unit_.headers[id];
    return header.list || (!header.ways.empty() && header.ways[0].through_list);
}

const ListOf &PacketBuilder::list_of(HeaderId item) const
{
    const Header &header = a_.unit_.headers[item];
    return header.list ? *header.list : *a_.unit_.headers[header.ways[0].parent].list;
}

bool PacketBuilder::is_root(HeaderId tunnel, HeaderId header) const
{
    const auto roots = a_.roots_.find(tunnel);
    return roots != a_.roots_.end() &&
           std::ranges::find(roots->second, header, &Analyzer::Root::header) != roots->second.end();
}

bool PacketBuilder::stands_behind(HeaderId front, HeaderId header) const
{
    return a_.right_behind(front, header) || is_root(front, header);
}

// What the new layer stands behind: the items of a list in their container, headers without fields between two
// others, and what a tunnel carries.
bool PacketBuilder::connect(LayerState &layer)
{
    const std::size_t front = in_front_of(layers_.size());
    LayerState &before = layers_[front];
    layer.space = before.space;
    if (layer.item) {
        if (list_of(layer.header).container != before.header)
            return never_behind(layer, header_of(before).name);
        if (front + 1 == layers_.size()) { // the first: what the container was padded with comes last
            before.least = before.size;
            before.size = header_of(before).fixed_size;
            bytes_.resize(before.start + before.size);
        }
        return true;
    }
    if (!stands_behind(before.header, layer.header))
        for (std::size_t i = 0; i < a_.header_sources_.size(); ++i) {
            const HeaderId between(i);
            if (!a_.unit_.headers[between].fields.empty() || !stands_behind(before.header, between) ||
                !stands_behind(between, layer.header))
                continue;
            layers_.push_back({.header = between, .start = bytes_.size(), .ast = layer.ast, .space = before.space});
            break;
        }
    const LayerState &last = layers_[in_front_of(layers_.size())];
    if (!a_.right_behind(last.header, layer.header) && is_root(last.header, layer.header))
        ++layer.space;
    return true;
}

bool PacketBuilder::never_behind(const LayerState &layer, const std::string &front)
{
    a_.diagnostics_
        .report(Kind::bad_packet, layer.ast->name.span,
                fmt::format("'{}' never stands right behind '{}'", header_of(layer).name, front))
        .suggest("for a packet that is wrong on purpose write its bytes: packet hex \"…\"");
    return false;
}

// The last header gets the size that its items need, in the steps that its size can have.
void PacketBuilder::close()
{
    if (layers_.empty())
        return;
    LayerState &layer = layers_[layers_.back().item ? in_front_of(layers_.size()) : layers_.size() - 1];
    if (!layer.header.valid() || !header_of(layer).size)
        return;
    std::size_t base = 0;
    std::size_t step = 1;
    steps(*header_of(layer).size, base, step);
    std::size_t size = std::max({bytes_.size() - layer.start, layer.least, layer.size});
    while (size < base || (size - base) % step != 0)
        ++size;
    layer.size = size;
    bytes_.resize(layer.start + size);
}

// base + n * step
void PacketBuilder::steps(ExprId id, std::size_t &base, std::size_t &step) const
{
    const auto *two = std::get_if<Binary>(&a_.unit_.exprs[id].node);
    if (two == nullptr)
        return;
    for (const auto &[one, other] : {std::pair(two->left, two->right), std::pair(two->right, two->left)}) {
        const auto constant = a_.constant_of(one);
        if (!constant || *constant == 0 || *constant > longest_packet)
            continue;
        if (two->op == Arithmetic::multiply)
            step = static_cast<std::size_t>(*constant);
        else if (two->op == Arithmetic::add)
            steps(other, base += static_cast<std::size_t>(*constant), step);
    }
}

// payload("\x12\x34"), payload(100): bytes, or so many zeros
bool PacketBuilder::place_payload(const ast::Layer &ast)
{
    LayerState layer{.start = bytes_.size(), .ast = &ast};
    const auto content =
        ast.arguments.size() == 1 && !ast.arguments[0].name ? a_.value(ast.arguments[0].value, scope_) : std::nullopt;
    if (!content)
        return ast.arguments.size() != 1 || ast.arguments[0].name
                   ? misused(ast, "payload takes bytes, payload(\"abc\"), or how many zeros, payload(100)")
                   : false;
    if (const auto *text = std::get_if<BytesConstant>(&a_.unit_.exprs[*content].node)) {
        for (const char c : text->value)
            bytes_.push_back(static_cast<std::byte>(c));
    } else if (const auto zeros = a_.constant_of(*content); zeros && *zeros <= longest_packet) {
        bytes_.resize(bytes_.size() + static_cast<std::size_t>(*zeros));
    } else {
        return misused(ast, "payload takes bytes, payload(\"abc\"), or how many zeros, payload(100)");
    }
    layer.size = bytes_.size() - layer.start;
    layers_.push_back(layer);
    return true;
}

bool PacketBuilder::misused(const ast::Layer &ast, const std::string &why)
{
    a_.diagnostics_.report(Kind::bad_packet, ast.name.span, why);
    return false;
}

bool PacketBuilder::set_argument(LayerState &layer, const ast::Argument &argument)
{
    const Span span = scope_[argument.value].span;
    // Parts are set by their own name: tcp(syn = 1) is flags.syn.
    auto field = a_.find_field(layer.header, argument.name->text);
    if (!field)
        field = part_named(layer.header, argument.name->text);
    if (!field) {
        a_.diagnostics_.report(Kind::unknown_field, argument.name->span, header_of(layer).name, argument.name->text)
            .suggest_near(argument.name->text, a_.field_names(layer.header));
        return false;
    }
    // A field that is there only for some values of others sets those.
    if (const Field &what = header_of(layer).fields[*field]; what.floating()) {
        if (const auto flag = what.when ? choice(*what.when) : std::nullopt; flag && !layer.set[flag->first])
            put(layer, flag->first, flag->second);
        layer.floating[*field] = 0;
        return true;
    }
    const auto value = a_.value(argument.value, scope_);
    return value && store(layer, *field, *value, span);
}

// Fields with computed places, now that those are known.
bool PacketBuilder::place_floating(LayerState &layer, const ast::Layer &ast)
{
    for (auto &[field, start] : layer.floating) {
        const Field &what = header_of(layer).fields[field];
        const auto at = evaluate(layer, *what.at);
        if (!at || *at + (what.bits + 7) / 8 > layer.size)
            return misused(ast, fmt::format("'{}' has no place in this header", what.name));
        start = static_cast<std::size_t>(*at);
        for (const auto &argument : ast.arguments)
            if (argument.name && argument.name->text == what.name) {
                const auto value = a_.value(argument.value, scope_);
                if (holes_ != nullptr && value && !a_.is_constant(*value)) {
                    holes_->insert_or_assign({layers_.size() - 1, field}, start);
                    layer.set[field] = true;
                    continue;
                }
                if (!value || !store(layer, field, *value, scope_[argument.value].span))
                    return false;
            }
    }
    return true;
}

std::optional<std::size_t> PacketBuilder::part_named(HeaderId header, const std::string &name) const
{
    const auto &fields = a_.unit_.headers[header].fields;
    const auto found =
        std::ranges::find_if(fields, [&](const Field &field) { return field.name.ends_with("." + name); });
    return found == fields.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - fields.begin()));
}

// ipv4(ihl = 6) has 24 bytes: where the test sets every field that the size depends on, the header gets that size.
void PacketBuilder::grow(LayerState &layer)
{
    const auto &size = header_of(layer).size;
    if (!size)
        return;
    const auto given = evaluate(layer, *size);
    if (given && *given > layer.size && *given <= longest_packet) {
        layer.size = static_cast<std::size_t>(*given);
        bytes_.resize(layer.start + layer.size);
    }
}

// A size expression over fields of the layer that have been set.
std::optional<std::uint64_t> PacketBuilder::evaluate(const LayerState &layer, ExprId id)
{
    const Expr &expr = a_.unit_.exprs[id];
    if (const auto *constant = std::get_if<Constant>(&expr.node))
        return static_cast<std::uint64_t>(constant->value);
    if (const auto *field = std::get_if<FieldValue>(&expr.node)) {
        const Field &what = header_of(layer).fields[field->field];
        const bool own_default = a_.defaults_.contains({layer.header.value, field->field});
        if (!layer.set[field->field] && own_default)
            return std::nullopt;
        return read_bits(bytes_, layer.start * 8 + what.bit_offset, what.bits);
    }
    const auto *binary = std::get_if<Binary>(&expr.node);
    const auto left = binary != nullptr ? evaluate(layer, binary->left) : std::nullopt;
    const auto right = binary != nullptr ? evaluate(layer, binary->right) : std::nullopt;
    if (!left || !right)
        return std::nullopt;
    switch (binary->op) {
    case Arithmetic::add: return *left + *right;
    case Arithmetic::subtract: return *left - *right;
    case Arithmetic::multiply: return *left * *right;
    case Arithmetic::shift_left: return *left << (*right & 63);
    case Arithmetic::divide: return *right == 0 ? 0 : *left / *right;
    case Arithmetic::bit_and: return *left & *right;
    case Arithmetic::bit_or: return *left | *right;
    default: return std::nullopt;
    }
}

} // namespace xdpf::sema
