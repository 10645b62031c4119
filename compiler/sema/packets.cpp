// The packets that tests build: a stack of headers, each with its fields from the test, from the headers behind it, or
// from the defaults that its declaration gives; lengths and checksums are computed from the whole.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>
#include <map>
#include <numeric>

namespace xdpf::sema {
namespace {

constexpr std::size_t longest_packet = 65535;

struct LayerState {
    HeaderId header; // none: payload
    std::size_t start = 0;
    std::size_t size = 0;
    std::vector<bool> set; // by field: given by the test or by the header behind
    const ast::Layer *ast = nullptr;
    unsigned space = 0;                               // how many tunnels it lies in
    bool item = false;                                // of the list of the last header in front that is none
    std::size_t least = 0;                            // bytes that the test's fields say it has
    std::map<std::size_t, std::size_t> floating = {}; // by field: the bytes where one with a computed place begins
};

std::uint64_t read_bits(const std::vector<std::byte> &bytes, std::size_t first_bit, std::uint32_t bits)
{
    std::uint64_t value = 0;
    for (std::size_t bit = first_bit; bit < first_bit + bits; ++bit)
        value = value << 1 | (std::to_integer<unsigned>(bytes[bit / 8]) >> (7 - bit % 8) & 1);
    return value;
}

} // namespace

class PacketBuilder {
public:
    PacketBuilder(Analyzer &analyzer, const Scope &scope, Analyzer::Holes *holes)
        : a_(analyzer), scope_(scope), holes_(holes)
    {
    }

    std::optional<std::vector<std::byte>> build(const ast::PacketStatement &statement)
    {
        for (const auto &layer : statement.layers)
            if (!place(layer))
                return std::nullopt;
        close();
        if (bytes_.size() > longest_packet) {
            a_.diagnostics_.report(
                Kind::bad_packet, statement.span,
                fmt::format("the packet has {} bytes, and {} are possible", bytes_.size(), longest_packet));
            return std::nullopt;
        }
        bool good = true;
        for (std::size_t i = 1; i < layers_.size(); ++i)
            good = select(i) && good;
        for (std::size_t i = 0; i < layers_.size() && good; ++i)
            good = fill_defaults(i, false);
        // Inner checksums first: an outer one may cover them.
        for (std::size_t i = layers_.size(); i-- > 0 && good;)
            good = fill_defaults(i, true);
        return good ? std::optional(bytes_) : std::nullopt;
    }

private:
    const Header &header_of(const LayerState &layer) const { return a_.unit_.headers[layer.header]; }

    bool place(const ast::Layer &ast)
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
            a_.diagnostics_.report(Kind::unknown_header, ast.name.span, ast.name.text)
                .suggest_near(ast.name.text, names);
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

    bool is_item(HeaderId id) const
    {
        const Header &header = a_.unit_.headers[id];
        return header.list || (!header.ways.empty() && header.ways[0].through_list);
    }

    const ListOf &list_of(HeaderId item) const
    {
        const Header &header = a_.unit_.headers[item];
        return header.list ? *header.list : *a_.unit_.headers[header.ways[0].parent].list;
    }

    // The last layer in front of `index` that is no item of a list.
    std::size_t in_front_of(std::size_t index) const
    {
        --index;
        while (index > 0 && layers_[index].item)
            --index;
        return index;
    }

    bool is_root(HeaderId tunnel, HeaderId header) const
    {
        const auto roots = a_.roots_.find(tunnel);
        return roots != a_.roots_.end() &&
               std::ranges::find(roots->second, header, &Analyzer::Root::header) != roots->second.end();
    }

    bool stands_behind(HeaderId front, HeaderId header) const
    {
        return a_.right_behind(front, header) || is_root(front, header);
    }

    // What the new layer stands behind: the items of a list in their container, headers without fields between two
    // others, and what a tunnel carries.
    bool connect(LayerState &layer)
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

    bool never_behind(const LayerState &layer, const std::string &front)
    {
        a_.diagnostics_
            .report(Kind::bad_packet, layer.ast->name.span,
                    fmt::format("'{}' never stands right behind '{}'", header_of(layer).name, front))
            .suggest("for a packet that is wrong on purpose write its bytes: packet hex \"…\"");
        return false;
    }

    // The last header gets the size that its items need, in the steps that its size can have.
    void close()
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
    void steps(ExprId id, std::size_t &base, std::size_t &step) const
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
    bool place_payload(const ast::Layer &ast)
    {
        LayerState layer{.start = bytes_.size(), .ast = &ast};
        const auto content = ast.arguments.size() == 1 && !ast.arguments[0].name
                                 ? a_.value(ast.arguments[0].value, scope_)
                                 : std::nullopt;
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

    bool misused(const ast::Layer &ast, const std::string &why)
    {
        a_.diagnostics_.report(Kind::bad_packet, ast.name.span, why);
        return false;
    }

    bool set_argument(LayerState &layer, const ast::Argument &argument)
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
    bool place_floating(LayerState &layer, const ast::Layer &ast)
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

    // A field's first bit, from the header's.
    static std::size_t bit_of(const LayerState &layer, const Field &field, std::size_t index)
    {
        const auto floating = layer.floating.find(index);
        return floating == layer.floating.end() ? field.bit_offset : floating->second * 8;
    }

    std::optional<std::size_t> part_named(HeaderId header, const std::string &name) const
    {
        const auto &fields = a_.unit_.headers[header].fields;
        const auto found =
            std::ranges::find_if(fields, [&](const Field &field) { return field.name.ends_with("." + name); });
        return found == fields.end() ? std::nullopt : std::optional(static_cast<std::size_t>(found - fields.begin()));
    }

    bool store(LayerState &layer, std::size_t index, ExprId value, Span span)
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

    void put(LayerState &layer, std::size_t index, u128 value)
    {
        const Field &field = header_of(layer).fields[index];
        for (std::uint32_t i = 0; i < field.bits; ++i, value >>= 1) {
            const std::size_t from_end = field.bits - 1 - i;
            // Little-endian fields are whole bytes: the lowest byte comes first.
            const std::size_t bit = layer.start * 8 + bit_of(layer, field, index) +
                                    (field.little_endian ? (i / 8) * 8 + 7 - i % 8 : from_end);
            const auto mask = static_cast<std::byte>(0x80 >> (bit % 8));
            bytes_[bit / 8] = (value & 1) != 0 ? bytes_[bit / 8] | mask : bytes_[bit / 8] & ~mask;
        }
        layer.set[index] = true;
    }

    // ipv4(ihl = 6) has 24 bytes: where the test sets every field that the size depends on, the header gets that size.
    void grow(LayerState &layer)
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
    std::optional<std::uint64_t> evaluate(const LayerState &layer, ExprId id)
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

    // The field in front that names this header gets the value that does, unless the test has set it.
    bool select(std::size_t index)
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
    bool select_item(LayerState &layer)
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
    std::optional<std::pair<std::size_t, u128>> choice(PredId id) const
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

    bool fill_defaults(std::size_t index, bool checksums)
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
    bool part_is_set(const LayerState &layer, std::size_t field) const
    {
        const auto &fields = header_of(layer).fields;
        for (std::size_t i = 0; i < fields.size(); ++i)
            if (layer.set[i] && fields[i].name.starts_with(fields[field].name + "."))
                return true;
        return false;
    }

    std::uint64_t behind(std::size_t index) const { return bytes_.size() - layers_[index].start - layers_[index].size; }

    // `size`, `payload_size` and what is computed from them; nothing for other expressions.
    std::optional<std::uint64_t> computed_value(std::size_t index, ast::ExprId id, const Scope &scope)
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

    // The internet checksum (RFC 1071) over what the declaration lists; headers the packet does not have add nothing.
    std::uint64_t checksum_of(std::size_t index, const ast::Call &call, const Scope &scope)
    {
        std::uint64_t sum = 0;
        std::uint64_t for_zero = 0;
        const auto add_bytes = [&](std::size_t start, std::size_t size) {
            for (std::size_t i = 0; i < size; ++i)
                sum += std::to_integer<std::uint64_t>(bytes_[start + i]) << (i % 2 == 0 ? 8 : 0);
        };
        for (const auto &argument : call.arguments) {
            const auto *name = std::get_if<ast::Identifier>(&scope[argument.value].node);
            if (argument.name && argument.name->text == "zero")
                for_zero = a_.constant(argument.value, scope).value_or(0);
            else if (name != nullptr && name->text == "header")
                add_bytes(layers_[index].start, layers_[index].size);
            else if (name != nullptr && name->text == "payload")
                add_bytes(layers_[index].start + layers_[index].size, behind(index));
            else if (const auto *member = std::get_if<ast::Member>(&scope[argument.value].node))
                add_field_of(index, *member, scope, add_bytes);
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

    template <class Add> void add_field_of(std::size_t index, const ast::Member &member, const Scope &scope, Add add)
    {
        const auto ref = a_.header_ref(member.base, scope);
        for (std::size_t i = index; ref && i-- > 0;) {
            if (layers_[i].space != layers_[index].space)
                return;
            if (layers_[i].header != ref->header)
                continue;
            if (const auto field = a_.find_field(ref->header, member.member.text)) {
                const Field &what = header_of(layers_[i]).fields[*field];
                add(layers_[i].start + what.bit_offset / 8, what.bits / 8);
            }
            return;
        }
    }

    Analyzer &a_;
    const Scope &scope_;
    Analyzer::Holes *holes_;
    std::vector<LayerState> layers_;
    std::vector<std::byte> bytes_;
};

std::optional<std::vector<std::byte>> Analyzer::packet(const ast::PacketStatement &statement, const Scope &scope,
                                                       Holes *holes)
{
    if (!statement.hex)
        return PacketBuilder(*this, scope, holes).build(statement);
    std::vector<std::byte> out;
    std::string digits = *statement.hex;
    std::erase_if(digits, [](char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; });
    const bool hex = std::ranges::all_of(
        digits, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
    if (!hex || digits.size() % 2 != 0 || digits.empty() || digits.size() / 2 > longest_packet) {
        diagnostics_.report(Kind::bad_packet, statement.span,
                            "hex bytes are pairs of the digits 0 to 9 and a to f, with blanks where you like");
        return std::nullopt;
    }
    for (std::size_t i = 0; i < digits.size(); i += 2)
        out.push_back(static_cast<std::byte>(std::stoul(digits.substr(i, 2), nullptr, 16)));
    return out;
}

} // namespace xdpf::sema
