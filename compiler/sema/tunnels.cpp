// encap and decap. The new headers are built like the packets of tests; what depends on the packet is filled in when it
// comes: lengths, checksums of headers, fields with computed values, and what the last of them says it carries.
#include "compiler/sema/analyzer.hpp"

#include <algorithm>

namespace xdpf::sema {
namespace {

bool mentions_payload(const ast::File &file, ast::ExprId id)
{
    if (const auto *name = std::get_if<ast::Identifier>(&file.exprs[id].node))
        return name->text == "payload_size";
    const auto *binary = std::get_if<ast::Binary>(&file.exprs[id].node);
    return binary != nullptr && (mentions_payload(file, binary->left) || mentions_payload(file, binary->right));
}

} // namespace

bool Analyzer::encap(const ast::Encap &node, Span span, const Scope &scope, Action &out)
{
    Encap step;
    const auto first = header_named(node.layers.front().name);
    const auto last = header_named(node.layers.back().name);
    if (!first || !last || !encap_fields(node, scope, step) || !encap_place(node, *first, step) ||
        !encap_carried(node, *last, step))
        return false;
    out.steps.push_back({std::move(step), span});
    return true;
}

// The bytes of the new headers, and what of them is filled in later.
bool Analyzer::encap_fields(const ast::Encap &node, const Scope &scope, Encap &out)
{
    ast::PacketStatement built{.span = node.layers.front().name.span};
    std::uint32_t start = 0;
    for (const auto &layer : node.layers) {
        out.inner_start = start; // of the last one in the end
        const auto header = header_named(layer.name);
        std::vector<std::pair<std::size_t, ExprId>> given;
        if (!header || !written_arguments(layer, *header, scope, given))
            return false;
        ast::Layer fixed{.name = layer.name, .arguments = {}};
        for (std::size_t i = 0; i < given.size(); ++i) {
            const bool constant = is_constant(given[i].second);
            const bool floating = unit_.headers[*header].fields[given[i].first].floating();
            if (constant || floating) // room is left for it, where it says what it needs of other fields
                fixed.arguments.push_back(layer.arguments[i]);
            if (!constant)
                out.fields.push_back({start, *header, given[i].first, given[i].second});
        }
        built.layers.push_back(std::move(fixed));
        Holes holes;
        const auto so_far = packet(built, scope, &holes);
        if (!so_far)
            return false;
        for (Encap::Field &field : out.fields)
            if (const auto hole = holes.find({built.layers.size() - 1, field.field});
                field.start == start && hole != holes.end())
                field.at = static_cast<std::uint32_t>(hole->second);
        const auto end = static_cast<std::uint32_t>(so_far->size());
        for (std::size_t field = 0; field < unit_.headers[*header].fields.size(); ++field) {
            const auto given_default = defaults_.find({header->value, field});
            const bool set = std::ranges::any_of(given, [&](const auto &one) { return one.first == field; });
            const auto &source = *header_sources_[*header].file;
            if (!set && given_default != defaults_.end() && mentions_payload(source, given_default->second))
                out.fields.push_back({start, *header, field, {}});
        }
        if (const auto &sum = unit_.headers[*header].checksum) {
            const auto at = start + unit_.headers[*header].fields[sum->field].bit_offset / 8;
            const bool given_sum = std::ranges::any_of(given, [&](const auto &one) { return one.first == sum->field; });
            if (!given_sum && sum->payload && !sum->zero) {
                diagnostics_
                    .report(Kind::bad_rewrite, layer.name.span,
                            fmt::format("the checksum of '{}' covers all that is carried", layer.name.text))
                    .suggest("a tunnel is made of headers without one, or of udp, where 0 means none");
                return false;
            }
            if (!given_sum)
                out.sums.push_back({at, sum->payload ? 0 : start, sum->payload ? 0 : end});
        }
        start = end;
    }
    Holes filled_in;
    const auto bytes = packet(built, scope, &filled_in);
    if (!bytes)
        return false;
    out.bytes = *bytes;
    for (const auto &sum : out.sums)
        out.bytes[sum.offset] = out.bytes[sum.offset + 1] = std::byte(0);
    std::erase_if(out.sums, [](const Encap::Sum &sum) { return sum.end == 0; });
    return true;
}

// In front of everything, where the first new header is what packets begin with; otherwise behind the link layer.
bool Analyzer::encap_place(const ast::Encap &node, HeaderId first, Encap &out)
{
    const Header &header = unit_.headers[first];
    out.first = first;
    if (header.ways.empty())
        return true;
    // mpls: the way to the chain's base
    const HeaderId entry = header.is_link() ? header.ways[0].parent : first;
    for (const Way &way : unit_.headers[entry].ways) {
        const Header &parent = unit_.headers[way.parent];
        const auto selector = selector_of(way.condition);
        if (!parent.ways.empty() || parent.size || !selector)
            continue;
        out.link_layer = way.parent;
        out.selector = *selector;
        return true;
    }
    diagnostics_.report(Kind::bad_rewrite, node.layers.front().name.span,
                        fmt::format("'{}' stands neither first in a packet nor behind its link layer", header.name));
    return false;
}

// The way by which a header stands right behind the link layer.
std::optional<std::size_t> Analyzer::way_behind(HeaderId link_layer, HeaderId id) const
{
    const auto &ways = unit_.headers[id].ways;
    const auto found = std::ranges::find(ways, link_layer, &Way::parent);
    return !link_layer.valid() || found == ways.end() ? std::nullopt
                                                      : std::optional(static_cast<std::size_t>(found - ways.begin()));
}

// What the last new header can carry: the packet's link layer, or one of the headers behind that.
bool Analyzer::encap_carried(const ast::Encap &node, HeaderId last, Encap &out)
{
    const Header header = unit_.headers[last];
    out.inner = last;
    const auto add_carried = [&](HeaderId carried, PredId condition) {
        const auto *set = std::get_if<InSet>(&unit_.preds[condition].node);
        const auto *field = set != nullptr ? std::get_if<FieldValue>(&unit_.exprs[set->value].node) : nullptr;
        if (field != nullptr)
            out.inner_field = field->field;
        out.carried.push_back({carried, selector_of(condition).value_or(0), way_behind(out.link_layer, carried)});
    };
    const bool whole_frame = !out.link_layer.valid();
    // Right behind the link layer, so that nothing is left between it and the new headers.
    const auto wanted = [&](HeaderId id) {
        return whole_frame ? unit_.headers[id].ways.empty() : way_behind(out.link_layer, id).has_value();
    };
    if (const auto roots = roots_.find(last); roots != roots_.end()) {
        for (const Root &root : roots->second) {
            if (!wanted(root.header))
                continue;
            if (root.when)
                add_carried(root.header, *root.when);
            else
                out.carried.push_back({root.header, 0, way_behind(out.link_layer, root.header)});
        }
    } else if (header.is_link()) {
        const HeaderId base = header.ways[0].parent;
        out.inner_field = header.then;
        for (std::size_t i = 0; i < header_sources_.size(); ++i)
            for (const Way &way : unit_.headers[HeaderId(i)].ways)
                if (way.through_chain && way.parent == base && !unit_.headers[HeaderId(i)].is_link() &&
                    wanted(HeaderId(i)))
                    out.carried.push_back(
                        {HeaderId(i), selector_of(way.condition).value_or(0), way_behind(out.link_layer, HeaderId(i))});
        // One more link, in front of those that are there.
        if (unit_.headers[base].chain->constant && wanted(base))
            out.carried.push_back({base, *unit_.headers[base].chain->constant, way_behind(out.link_layer, base)});
    }
    if (!out.carried.empty())
        return true;
    diagnostics_
        .report(Kind::bad_rewrite, node.layers.back().name.span,
                whole_frame ? fmt::format("'{}' carries no whole frames", header.name)
                            : fmt::format("'{}' carries none of what stands behind a link layer", header.name))
        .suggest("encap ipv4(dst = 192.0.2.1) / ipip, encap ethernet / ipv4 / udp / vxlan(vni = 7)");
    return false;
}

bool Analyzer::decap(const ast::Decap &node, Span span, Action &out)
{
    const auto ref = header_named(node.header);
    if (!ref)
        return false;
    Decap step{.header = *ref};
    const Header header = unit_.headers[step.header];
    std::vector<std::pair<HeaderId, HeaderId>> inside_of; // what is inside, and what it is a copy of
    if (const auto roots = roots_.find(origin_of(step.header)); roots != roots_.end()) {
        for (const Root &root : roots->second)
            if (const HeaderId inner = inside(step.header, root.header); inner.valid())
                inside_of.emplace_back(inner, root.header);
    } else if (header.is_link() && !unit_.headers[header.ways[0].parent].ways.empty()) {
        step.header = header.ways[0].parent;
        for (std::size_t i = 0; i < header_sources_.size(); ++i)
            for (const Way &way : unit_.headers[HeaderId(i)].ways)
                if (way.through_chain && way.parent == step.header && !unit_.headers[HeaderId(i)].is_link())
                    inside_of.emplace_back(HeaderId(i), HeaderId(i));
    }
    // By its ways that begin in the tunnel: what stands behind other headers in there does not come out first.
    const auto carried = [&](HeaderId inner, HeaderId origin, std::uint64_t selector) {
        const auto &ways = unit_.headers[inner].ways;
        for (std::size_t way = 0; way < ways.size(); ++way)
            if (ways.size() == 1)
                step.carried.push_back({inner, selector, {}, origin});
            else if (ways[way].parent == step.header)
                step.carried.push_back({inner, selector, way, origin});
    };
    for (const auto &[inner, origin] : inside_of) {
        if (unit_.headers[origin].ways.empty()) {
            carried(inner, origin, 0);
            continue;
        }
        for (const Way &way : unit_.headers[origin].ways) {
            const auto selector = selector_of(way.condition);
            if (!unit_.headers[way.parent].ways.empty() || !selector)
                continue;
            step.link_layer = way.parent;
            carried(inner, origin, *selector);
        }
    }
    if (step.carried.empty()) {
        diagnostics_.report(Kind::bad_rewrite, node.header.span, fmt::format("'{}' is no tunnel", header.name))
            .suggest(header.is_link() ? fmt::format("pop {}", header.name)
                                      : "decap vxlan, decap ipip, decap gre, decap mpls");
        return false;
    }
    out.steps.push_back({std::move(step), span});
    return true;
}

} // namespace xdpf::sema
