// What rules do besides deciding: state in maps, lets, records to user space, branches.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

constexpr std::uint32_t longest_sample = 65'535; // bytes of a packet, as `packet.length` counts them
constexpr std::uint32_t longest_metadata = 32;   // bytes; newer kernels take more
constexpr std::uint32_t default_sample = 128;

Layout record_head()
{
    return {"", 12, {{"time", FieldFormat::number, 0, 8, false}, {"type", FieldFormat::number, 8, 4, false}}};
}

} // namespace

bool Analyzer::step(const ast::Action &ast, const Scope &scope, Action &out)
{
    if (const auto *node = std::get_if<ast::Count>(&ast.node))
        return count(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::Assign>(&ast.node))
        return assign(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::Delete>(&ast.node))
        return erase(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::AddTo>(&ast.node))
        return add_to(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::Let>(&ast.node))
        return let(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::Emit>(&ast.node))
        return emit(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::Sample>(&ast.node))
        return sample(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::Metadata>(&ast.node))
        return metadata(*node, ast.span, scope, out);
    if (const auto *node = std::get_if<ast::If>(&ast.node))
        return fork(*node, ast.span, scope, out);
    return rewrite(ast, scope, out);
}

bool Analyzer::count(const ast::Count &node, Span span, const Scope &scope, Action &out)
{
    const auto map = map_named(node.map);
    if (!map)
        return false;
    const MapSpec &spec = unit_.maps[*map];
    constexpr auto without = map_trait::redirect | map_trait::prefix | map_trait::keyless | map_trait::ring;
    const bool countable = !has(spec.kind, without) && !spec.value.fields.empty();
    const bool counter =
        countable &&
        (spec.value.name == "counter" ||
         (spec.value.fields.size() == 1 && spec.value.fields[0].format == FieldFormat::number && spec.value.size >= 4));
    if (!counter) {
        if (!spec.value.fields.empty() || has(spec.kind, map_trait::ring))
            diagnostics_
                .report(Kind::map_misused, node.map.span, spec.name,
                        fmt::format("a map of kind {}", name_of(spec.kind)), "a map of counters, u64 or u32")
                .note(spec.span, "declared here")
                .suggest(fmt::format("defmap {} : percpu_hash<ipv4.src -> counter>[65_536]", spec.name));
        return false;
    }
    if (node.key.empty() && !has(spec.kind, map_trait::array)) {
        diagnostics_
            .report(Kind::map_misused, node.map.span, spec.name, fmt::format("a map of kind {}", name_of(spec.kind)),
                    "a key")
            .suggest(fmt::format("count {}[ipv4.src]", spec.name));
        return false;
    }
    Count step{.map = *map};
    if (!node.key.empty()) {
        const auto key = key_of(*map, node.key, span, scope);
        if (!key)
            return false;
        step.key = *key;
    }
    if (!allowed(*map, EntryUse::both, node.map.span))
        return false;
    out.steps.push_back({step, span});
    return true;
}

// m[key] = 1, m[key].packets += 1, m[key] = {packets = 1, seen = now}; h = 1, where `h` is a definition of m[key]
bool Analyzer::assign(const ast::Assign &node, Span span, const Scope &scope, Action &out)
{
    const ast::Expr &target = scope[node.target];
    const auto *member = std::get_if<ast::Member>(&target.node);
    const ast::ExprId base = member != nullptr ? member->base : node.target;
    if (!is_entry(base, scope)) {
        report_not_assignable(node.target, base, scope);
        return false;
    }
    const auto entry = this->entry(base, scope);
    if (!entry)
        return false;
    const MapId map = entry->map;
    Assign step{.map = map, .key = entry->key, .op = static_cast<Assign::Op>(node.op)};
    const auto *set = std::get_if<ast::Set>(&scope[node.value].node);
    if (set != nullptr && member == nullptr) {
        step.whole = true;
        if (!assign_fields(*set, map, span, scope, step))
            return false;
    } else if (member == nullptr && unit_.maps[map].value.fields.size() > 1) {
        step.whole = true;
        if (!assign_parts(node.value, target.span, scope, step))
            return false;
    } else {
        const auto field = value_field(map, member != nullptr ? &member->member : nullptr, target.span);
        const auto what = value(node.value, scope);
        if (!field || !what)
            return false;
        const LayoutField &layout = unit_.maps[map].value.fields[*field];
        if (!check_field(*what, layout, fmt::format("a value of '{}'", unit_.maps[map].name), unit_.maps[map].span))
            return false;
        step.fields.push_back({*field, *what});
        step.whole = unit_.maps[map].value.fields.size() == 1 && step.op == Assign::Op::set;
    }
    if (step.op != Assign::Op::set)
        for (const auto &to : step.fields)
            if (unit_.maps[map].value.fields[to.field].format != FieldFormat::number) {
                diagnostics_.report(Kind::not_a_number, unit_.exprs[to.value].span, describe(to.value));
                return false;
            }
    // What keeps a part of the value looks the entry up.
    if (!allowed(map, step.whole && step.op == Assign::Op::set ? EntryUse::write : EntryUse::both, scope[base].span))
        return false;
    out.steps.push_back({std::move(step), span});
    return true;
}

void Analyzer::report_not_assignable(ast::ExprId target, ast::ExprId base, const Scope &scope)
{
    std::vector<NamePart> parts;
    if (names_of(base, scope, parts) && damaged(parts.front().text))
        return;
    const Span span = scope[target].span;
    auto &report = diagnostics_.report(Kind::not_assignable, span, sources_.text(span))
                       .suggest("an entry of a map is assigned to: seen[ipv4.src] = now; a field of the packet is set: "
                                "set ipv4.ttl = 64");
    if (const auto use = use_of_def(base, scope))
        report.note(def_named(use->name)->decl->name.span, "defined here");
}

bool Analyzer::assign_fields(const ast::Set &set, MapId map, Span span, const Scope &scope, Assign &out)
{
    for (const auto &element : set.elements) {
        if (!element.name) {
            diagnostics_.report(Kind::bad_record, scope[element.value].span, "which field is this?")
                .suggest("name it: {packets = 1}");
            return false;
        }
        const auto field = value_field(map, &*element.name, span);
        const auto what = value(element.value, scope);
        if (!field || !what)
            return false;
        if (std::ranges::find(out.fields, *field, &Assign::To::field) != out.fields.end()) {
            diagnostics_.report(Kind::redefined, element.name->span, element.name->text);
            return false;
        }
        const MapSpec &spec = unit_.maps[map];
        if (!check_field(*what, spec.value.fields[*field], fmt::format("field '{}'", element.name->text), spec.span))
            return false;
        out.fields.push_back({*field, *what});
    }
    return true;
}

// m[key] = (1, 2): one value for each field
bool Analyzer::assign_parts(ast::ExprId written, Span target, const Scope &scope, Assign &out)
{
    const auto fields = unit_.maps[out.map].value.fields;
    const auto what = fmt::format("a value of '{}'", unit_.maps[out.map].name);
    std::optional<std::vector<ExprId>> values;
    with_parts(written, scope, [&](const Parts &parts) {
        if (parts.size() == 1)
            (void)value_field(out.map, nullptr, target);
        else
            values = stored(parts, fields, what, unit_.maps[out.map].span, scope[written].span);
    });
    for (std::size_t i = 0; values && i < values->size(); ++i)
        out.fields.push_back({i, (*values)[i]});
    return values.has_value();
}

bool Analyzer::erase(const ast::Delete &node, Span span, const Scope &scope, Action &out)
{
    const auto map = map_named(node.map);
    if (!map)
        return false;
    const MapSpec &spec = unit_.maps[*map];
    if (has(spec.kind, map_trait::redirect | map_trait::keyless | map_trait::ring | map_trait::array)) {
        diagnostics_
            .report(Kind::map_misused, node.map.span, spec.name, fmt::format("a map of kind {}", name_of(spec.kind)),
                    "a map whose entries come and go")
            .note(spec.span, "declared here");
        return false;
    }
    const auto key = key_of(*map, node.key, span, scope);
    if (!key || !allowed(*map, EntryUse::write, node.map.span))
        return false;
    out.steps.push_back({Delete{*map, *key}, span});
    return true;
}

// add ipv4.src to seen
bool Analyzer::add_to(const ast::AddTo &node, Span span, const Scope &scope, Action &out)
{
    const auto map = map_named(node.map);
    if (!map)
        return false;
    const MapSpec &spec = unit_.maps[*map];
    if (!has(spec.kind, map_trait::keyless)) {
        diagnostics_
            .report(Kind::map_misused, node.map.span, spec.name, fmt::format("a map of kind {}", name_of(spec.kind)),
                    "a bloom_filter, a queue or a stack")
            .note(spec.span, "declared here")
            .suggest(fmt::format("{}[key] = value", spec.name));
        return false;
    }
    const auto *set = std::get_if<ast::Set>(&scope[node.value].node);
    const auto parts = set != nullptr ? named_parts(*set, *map, span, scope) : key_of(*map, {node.value}, span, scope);
    if (!parts || !allowed(*map, EntryUse::write, node.map.span))
        return false;
    out.steps.push_back({AddTo{*map, *parts}, span});
    return true;
}

// add {src = ipv4.src, seen = now} to q: in the order of the fields; what is not named is 0
std::optional<std::vector<ExprId>> Analyzer::named_parts(const ast::Set &set, MapId map, Span span, const Scope &scope)
{
    Assign named{.map = map, .key = {}};
    if (!assign_fields(set, map, span, scope, named))
        return std::nullopt;
    std::vector<ExprId> out;
    for (std::size_t i = 0; i < unit_.maps[map].value.fields.size(); ++i) {
        const LayoutField &field = unit_.maps[map].value.fields[i];
        const auto found = std::ranges::find(named.fields, i, &Assign::To::field);
        if (found != named.fields.end())
            out.push_back(found->value);
        else if (field.format == FieldFormat::bytes)
            out.push_back(
                add(Expr{ValueType::bytes, width_of(field), BytesConstant{std::string(field.size, '\0')}, span}));
        else
            out.push_back(add(Expr{type_of(field), width_of(field), Constant{0}, span}));
    }
    return out;
}

// A let in error is known all the same, so that those who use it say nothing more.
bool Analyzer::let(const ast::Let &node, Span span, const Scope &scope, Action &out)
{
    const auto what = value(node.value, scope);
    bool good = may_be_local(node.name) && what;
    if (what && (unit_.exprs[*what].type == ValueType::bytes || unit_.exprs[*what].type == ValueType::ipv6)) {
        diagnostics_.report(Kind::not_a_value, unit_.exprs[*what].span, describe(*what))
            .suggest("'let' holds numbers, MAC and IPv4 addresses");
        good = false;
    }
    if (!good) {
        let_scopes_.push_back({.name = node.name.text, .broken = true});
        return false;
    }
    const Expr &expr = unit_.exprs[*what];
    let_scopes_.push_back({.name = node.name.text, .let = lets_, .type = expr.type, .bits = expr.bits});
    out.steps.push_back({Let{lets_++, *what}, span});
    return true;
}

// emit events {src = ipv4.src, port = udp.dport}
bool Analyzer::emit(const ast::Emit &node, Span span, const Scope &scope, Action &out)
{
    const auto map = map_named(node.map);
    if (!map || !is_ring(*map, node.map.span))
        return false;
    const auto &set = std::get<ast::Set>(scope[node.record].node);
    RecordType type{.name = fmt::format("{}_{}", unit_.maps[*map].name, unit_.records.size()), .map = *map};
    type.layout = record_head();
    type.layout.name = type.name;
    std::uint32_t align = 8;
    Emit step{.record = unit_.records.size()};
    for (const auto &element : set.elements) {
        const Span at = element.name ? element.name->span : scope[element.value].span;
        if (!element.name) {
            diagnostics_.report(Kind::bad_record, at, "a field of a record has a name")
                .suggest(fmt::format("{{x = {}}}", sources_.text(at)));
            return false;
        }
        const auto known = std::ranges::find(type.layout.fields, element.name->text, &LayoutField::name);
        if (known != type.layout.fields.end()) {
            const bool own = known - type.layout.fields.begin() >=
                             static_cast<std::ptrdiff_t>(type.layout.fields.size() - step.fields.size());
            if (own)
                diagnostics_.report(Kind::redefined, at, element.name->text);
            else
                diagnostics_.report(Kind::bad_record, at, "each record begins with 'time' and 'type'")
                    .suggest(fmt::format("call this field otherwise: {{{}_2 = …}}", element.name->text));
            return false;
        }
        const auto what = value(element.value, scope);
        if (!what)
            return false;
        append(type.layout, element.name->text, *what, align);
        step.fields.push_back(*what);
    }
    if (step.fields.empty()) {
        diagnostics_.report(Kind::bad_record, scope[node.record].span, "a record has a field or more")
            .suggest("emit events {src = ipv4.src}");
        return false;
    }
    type.layout.size = (type.layout.size + 7) / 8 * 8;
    if (!has_room(type, span))
        return false;
    unit_.records.push_back(std::move(type));
    out.steps.push_back({std::move(step), span});
    return true;
}

// __bpf_ringbuf_reserve (kernel/bpf/ringbuf.c): a record has 8 bytes in front of it.
bool Analyzer::has_room(const RecordType &type, Span span)
{
    const MapSpec &spec = unit_.maps[type.map];
    const std::uint64_t size = (type.layout.size + type.bytes + 8 + 7) / 8 * 8;
    if (size <= spec.max_entries)
        return true;
    diagnostics_
        .report(Kind::bad_record, span,
                fmt::format("'{}' has {} bytes, and this takes {} of it", spec.name, spec.max_entries, size))
        .note(spec.span, "declared here");
    return false;
}

bool Analyzer::is_ring(MapId map, Span span)
{
    const MapSpec &spec = unit_.maps[map];
    if (has(spec.kind, map_trait::ring))
        return spec.max_entries != 0;
    diagnostics_
        .report(Kind::map_misused, span, spec.name, fmt::format("a map of kind {}", name_of(spec.kind)), "a ringbuf")
        .note(spec.span, "declared here")
        .suggest("defmap events : ringbuf[1_048_576]");
    return false;
}

// sample ring[128]
bool Analyzer::sample(const ast::Sample &node, Span span, const Scope &scope, Action &out)
{
    const auto map = map_named(node.map);
    if (!map || !is_ring(*map, node.map.span))
        return false;
    std::uint64_t bytes = default_sample;
    if (node.bytes) {
        const auto written = constant(*node.bytes, scope);
        if (!written)
            return false;
        bytes = *written;
    }
    if (bytes == 0 || bytes > longest_sample) {
        diagnostics_.report(Kind::bad_record, scope[*node.bytes].span,
                            fmt::format("a sample has 1 to {} bytes", longest_sample));
        return false;
    }
    RecordType type{.name = fmt::format("{}_{}", unit_.maps[*map].name, unit_.records.size()),
                    .map = *map,
                    .sample = true,
                    .bytes = static_cast<std::uint32_t>((bytes + 7) / 8 * 8)};
    type.bytes = static_cast<std::uint32_t>(bytes);
    type.layout = record_head();
    type.layout.name = type.name;
    for (const char *name : {"captured", "length", "rx_queue", "iface"}) {
        type.layout.fields.push_back({name, FieldFormat::number, type.layout.size, 4, false});
        type.layout.size += 4;
    }
    type.layout.size = (type.layout.size + 7) / 8 * 8;
    if (!has_room(type, span))
        return false;
    unit_.records.push_back(std::move(type));
    out.steps.push_back({Sample{unit_.records.size() - 1}, span});
    return true;
}

// The fields of what goes to user space have names, each another.
bool Analyzer::is_named_once(const ast::Set &set, std::vector<ast::Argument>::const_iterator element,
                             const Scope &scope)
{
    if (!element->name) {
        const Span at = scope[element->value].span;
        diagnostics_.report(Kind::bad_record, at, "each number has a name")
            .suggest(fmt::format("{{mark = {}}}", sources_.text(at)));
        return false;
    }
    const auto first = std::find_if(set.elements.begin(), element, [&](const ast::Argument &one) {
        return one.name && one.name->text == element->name->text;
    });
    if (first != element)
        diagnostics_.report(Kind::redefined, element->name->span, element->name->text)
            .note(first->name->span, "first here");
    return first == element;
}

// metadata {mark = 5, flow = hash(ipv4.src)}: in order, 4 or 8 bytes each, the last one right in front of the packet
bool Analyzer::metadata(const ast::Metadata &node, Span span, const Scope &scope, Action &out)
{
    const auto &set = std::get<ast::Set>(scope[node.record].node);
    MetadataArea area;
    for (auto element = set.elements.begin(); element != set.elements.end(); ++element)
        if (!is_named_once(set, element, scope))
            return false;
    for (const auto &element : set.elements) {
        const auto what = number_value(element.value, scope);
        if (!what)
            return false;
        const std::uint32_t size = unit_.exprs[*what].bits > 32 ? 8 : 4;
        area.fields.push_back({area.size, size, *what});
        area.size += size;
    }
    if (area.size == 0 || area.size > longest_metadata) {
        diagnostics_.report(Kind::bad_record, span,
                            fmt::format("metadata has 4 to {} bytes, and this {}", longest_metadata, area.size));
        return false;
    }
    out.steps.push_back({std::move(area), span});
    return true;
}

bool Analyzer::fork(const ast::If &node, Span span, const Scope &scope, Action &out)
{
    const auto condition = predicate(node.predicate, scope);
    If step;
    Action then;
    bool good = action(node.then, scope, then);
    step.then.push_back(std::move(then));
    if (node.otherwise) {
        Action otherwise;
        good = action(*node.otherwise, scope, otherwise) && good;
        step.otherwise.push_back(std::move(otherwise));
    }
    if (!condition || !good)
        return false;
    step.predicate = *condition;
    out.steps.push_back({std::move(step), span});
    return true;
}

} // namespace xdpf::sema
