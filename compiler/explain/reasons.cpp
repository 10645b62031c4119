// Why a condition came out as it did, in the words of the source: the first comparison that failed, with the value that
// it met, or what keeps a header from being there.
#include "compiler/explain/evaluation.hpp"

#include "compiler/sema/literals.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace xdpf::explain {
namespace {

constexpr std::size_t longest_text = 60; // of source in a reason, in bytes
constexpr std::size_t most_parts = 3;    // of `a or b or …`, all of which failed

// On one line, and not too long.
std::string shortened(std::string_view text)
{
    std::string out;
    for (const char c : text) {
        const bool blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (!blank)
            out += c;
        else if (!out.empty() && out.back() != ' ')
            out += ' ';
    }
    while (out.ends_with(' '))
        out.pop_back();
    if (out.size() <= longest_text)
        return out;
    std::size_t cut = longest_text;
    while (cut > 0 && (static_cast<unsigned char>(out[cut]) & 0xc0) == 0x80)
        --cut;
    return out.substr(0, cut) + "…";
}

// ` in {1, 2}`, also behind a parenthesis, into "in" and "{1, 2}".
std::pair<std::string_view, std::string> split(std::string_view text)
{
    const auto begin = text.find_first_not_of(") \t\r\n");
    if (begin == std::string_view::npos)
        return {};
    text.remove_prefix(begin);
    static constexpr std::array<std::string_view, 7> operators{"==", "!=", "<=", ">=", "<", ">", "in"};
    for (const auto op : operators)
        if (text.starts_with(op))
            return {op, shortened(text.substr(op.size()))};
    return {};
}

std::string_view opposite(std::string_view op)
{
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 4> opposites{
        {{"<", ">"}, {">", "<"}, {"<=", ">="}, {">=", "<="}}};
    for (const auto &[one, other] : opposites)
        if (op == one)
            return other;
    return op;
}

std::string quoted(std::string_view bytes)
{
    std::string out = "\"";
    for (const char c : bytes)
        out += c >= ' ' && c <= '~' && c != '"' && c != '\\' ? std::string(1, c)
                                                             : fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    return out + '"';
}

} // namespace

// Says it for one packet; the evaluation has been there before, and what it found out is remembered.
class Evaluation::Reasons {
public:
    explicit Reasons(Evaluation &evaluation) : e_(evaluation) {}

    // `brief` leaves out what was wanted.
    void add(PredId id, bool outcome, const Context &context, bool brief)
    {
        if (parts_.size() > most_parts)
            return;
        const sema::Pred &pred = e_.unit_.preds[id];
        std::visit(
            [&](const auto &node) {
                if constexpr (requires { this->say(node, pred, outcome, context, brief); })
                    say(node, pred, outcome, context, brief);
                else
                    part(fmt::format("{} {}", shortened(e_.sources_.text(pred.span)),
                                     outcome ? "holds" : "does not hold"));
            },
            pred.node);
    }

    [[nodiscard]] std::string text() const
    {
        const auto shown = std::span(parts_).first(std::min(parts_.size(), most_parts));
        return fmt::format("{}{}", fmt::join(shown, "; "), parts_.size() > most_parts ? "; …" : "");
    }

    [[nodiscard]] std::string missing(HeaderRef ref)
    {
        return fmt::format("there is no {}: {}", name(ref), cause(ref.header, ref.index));
    }

    [[nodiscard]] std::string absent(ExprId id, const Context &context)
    {
        const sema::Expr &expr = e_.unit_.exprs[id];
        if (const auto *field = std::get_if<sema::FieldValue>(&expr.node); field && !e_.extent_of(field->header))
            return missing(field->header);
        if (const auto *end = std::get_if<sema::ChainEnd>(&expr.node))
            return e_.extent_of({end->base}) ? chain_fault(end->base) : missing({end->base});
        if (const auto *slice = std::get_if<sema::Slice>(&expr.node)) {
            if (slice->behind && !e_.extent_of(*slice->behind))
                return missing(*slice->behind);
            return fmt::format("the packet ends before {} does", source(id));
        }
        if (const auto *two = std::get_if<sema::Binary>(&expr.node))
            return absent(e_.value(two->left, context) ? two->right : two->left, context);
        if (const auto *one = std::get_if<sema::Unary>(&expr.node))
            return absent(one->operand, context);
        return fmt::format("{} is absent", source(id));
    }

private:
    void part(std::string text)
    {
        if (std::ranges::find(parts_, text) == parts_.end())
            parts_.push_back(std::move(text));
    }

    // ---- Conditions

    void say(const sema::Truth &, const sema::Pred &pred, bool, const Context &, bool)
    {
        part(fmt::format("it says {}", shortened(e_.sources_.text(pred.span))));
    }

    void say(const sema::Not &node, const sema::Pred &, bool outcome, const Context &context, bool brief)
    {
        add(node.operand, !outcome, context, brief);
    }

    void both(PredId left, PredId right, bool outcome, const Context &context, bool brief)
    {
        add(left, outcome, context, brief);
        add(right, outcome, context, brief);
    }

    void say(const sema::And &node, const sema::Pred &, bool outcome, const Context &context, bool brief)
    {
        if (outcome)
            return both(node.left, node.right, outcome, context, brief);
        add(e_.holds(node.left, context) ? node.right : node.left, false, context, brief);
    }

    void say(const sema::Or &node, const sema::Pred &, bool outcome, const Context &context, bool brief)
    {
        if (!outcome)
            return both(node.left, node.right, outcome, context, brief);
        add(e_.holds(node.left, context) ? node.left : node.right, true, context, brief);
    }

    void say(const sema::Present &node, const sema::Pred &, bool outcome, const Context &, bool)
    {
        part(outcome ? fmt::format("there is {}", name(node.header)) : missing(node.header));
    }

    void say(const sema::ReachedBy &node, const sema::Pred &, bool outcome, const Context &, bool)
    {
        const Found &found = e_.find(node.header);
        if (!found.present)
            return part(missing({node.header}));
        const auto &ways = e_.unit_.headers[node.header].ways;
        const auto behind = fmt::format("{} stands behind {}", name({node.header}), name(ways[found.way].in_front()));
        part(outcome ? behind : fmt::format("{}, not behind {}", behind, name(ways[node.way].in_front())));
    }

    void say(const sema::LinkCount &node, const sema::Pred &, bool outcome, const Context &, bool)
    {
        if (!e_.extent_of({node.base}))
            return part(missing({node.base}));
        const Chain &chain = e_.chain_of(node.base);
        if (chain.end != Chain::End::well)
            return part(chain_fault(node.base));
        const auto links = std::span(chain.links);
        const auto behind =
            links.empty() ? fmt::format("nothing of its kind stands right behind {}", name({node.base}))
                          : fmt::format("{} stands right behind {}", name({links.front().header}), name({node.base}));
        part(outcome || node.count == 0
                 ? behind
                 : fmt::format("{} links stand behind {}, not {}", links.size(), name({node.base}), node.count));
    }

    void say(const sema::LinkIs &node, const sema::Pred &, bool outcome, const Context &, bool)
    {
        if (!e_.extent_of({node.base}))
            return part(missing({node.base}));
        const auto &links = e_.chain_of(node.base).links;
        if (node.position >= links.size())
            return part(fmt::format("there is no {}: {}", name({node.link}), cause(node.link, node.position)));
        part(fmt::format("link {} behind {} is {}{}", node.position + 1, name({node.base}),
                         name({links[node.position].header}),
                         outcome ? std::string() : fmt::format(", not {}", name({node.link}))));
    }

    void say(const sema::Compare &node, const sema::Pred &pred, bool outcome, const Context &context, bool brief)
    {
        if (is_absent(node.left, context) || is_absent(node.right, context))
            return;
        const sema::Expr &left = e_.unit_.exprs[node.left];
        const sema::Expr &right = e_.unit_.exprs[node.right];
        const bool bytes = left.type == sema::ValueType::bytes || right.type == sema::ValueType::bytes;
        if (std::holds_alternative<sema::BytesConstant>(right.node))
            return part(compared(node.left, pred, outcome, context, brief, true));
        part(fmt::format("{} is {}, {} is {}", name(node.left, context), shown(node.left, context, false, bytes),
                         name(node.right, context), shown(node.right, context, false, bytes)));
    }

    void say(const sema::InSet &node, const sema::Pred &pred, bool outcome, const Context &context, bool brief)
    {
        if (!is_absent(node.value, context))
            part(compared(node.value, pred, outcome, context, brief, false));
    }

    void say(const sema::InMap &node, const sema::Pred &, bool outcome, const Context &context, bool)
    {
        std::vector<std::string> values;
        for (const ExprId part : node.key) {
            if (is_absent(part, context))
                return;
            values.push_back(shown(part, context, false, false));
        }
        const auto key = values.size() == 1 ? values[0] : fmt::format("({})", fmt::join(values, ", "));
        part(fmt::format("{} is {}in {}", key, outcome ? "" : "not ", e_.unit_.maps[node.map].name));
    }

    bool is_absent(ExprId id, const Context &context)
    {
        if (e_.value(id, context))
            return false;
        part(absent(id, context));
        return true;
    }

    // "udp.dport is 80, not 53": what stands beside the value in the source says what was wanted.
    std::string compared(ExprId id, const sema::Pred &pred, bool outcome, const Context &context, bool brief,
                         bool bytes)
    {
        const Span own = e_.unit_.exprs[id].span;
        const Span all = pred.span;
        std::string_view op;
        std::string wanted;
        if (own.file == all.file && own.begin >= all.begin && own.end < all.end)
            std::tie(op, wanted) = split(e_.sources_.text(Span{all.file, own.end, all.end}));
        else if (own.file == all.file && own.end == all.end && own.begin > all.begin)
            std::tie(op, wanted) = mirrored(e_.sources_.text(Span{all.file, all.begin, own.begin}));
        auto is = fmt::format("{} is {}", name(id, context),
                              shown(id, context, wanted.find("0x") != std::string::npos, bytes));
        const bool plain = op == (outcome ? "==" : "!=");
        if (brief || op.empty() || plain)
            return is;
        const bool equality = op == "==" || op == "!=";
        return fmt::format("{}, {}{}{}{}", is, outcome == (op == "!=") ? "not " : "", equality ? "" : op,
                           equality ? "" : " ", wanted);
    }

    // `53 == ` into "==" and "53".
    static std::pair<std::string_view, std::string> mirrored(std::string_view text)
    {
        const auto last = text.find_last_of("=<>");
        if (last == std::string_view::npos)
            return {};
        const auto first = last > 0 && text.substr(last - 1, 1).find_first_of("=!<>") == 0 ? last - 1 : last;
        return {opposite(text.substr(first, last + 1 - first)), shortened(text.substr(0, first))};
    }

    // ---- Headers

    // Why a header that was asked for is not there.
    std::string cause(HeaderId id, unsigned index)
    {
        const sema::Header &header = e_.unit_.headers[id];
        if (header.ways.empty())
            return fault_of(id, 0);
        if (header.is_link()) {
            const HeaderId base = header.ways[0].parent;
            if (!e_.extent_of({base}))
                return cause(base, 0);
            const auto fault = chain_fault(base);
            return index != 0 && e_.extent_of({id}) ? fmt::format("there are not so many; {}", fault) : fault;
        }
        for (const sema::Way &way : header.ways)
            if (e_.extent_of(way.in_front()))
                return cause(id, way);
        return cause(header.ways[0].parent, header.ways[0].link);
    }

    // By a way whose header in front is there.
    std::string cause(HeaderId id, const sema::Way &way)
    {
        const Extent parent = *e_.extent_of(way.in_front());
        Context context{.self = way.parent, .at = parent.begin};
        std::size_t at = parent.end;
        if (way.through_chain) {
            const Chain &chain = e_.chain_of(way.parent);
            if (chain.end != Chain::End::well)
                return chain_fault(way.parent);
            context = {.chain = way.parent, .selector = chain.selector};
            at = chain.behind;
        } else if (!e_.has_payload(way.parent, parent.begin)) {
            return no_payload(way.parent, parent.begin);
        }
        return e_.holds(way.condition, context) ? fault_of(id, at) : briefly(way.condition, context);
    }

    std::string briefly(PredId id, const Context &context)
    {
        Reasons inner(e_);
        inner.add(id, false, context, true);
        return inner.text();
    }

    std::string no_payload(HeaderId id, std::size_t at)
    {
        return fmt::format("nothing stands behind {}: {}", name({id}),
                           briefly(*e_.unit_.headers[id].payload_when, {.self = id, .at = at}));
    }

    std::string fault_of(HeaderId id, std::size_t at)
    {
        Fault fault;
        if (e_.check(id, at, fault))
            return "it is there"; // by another way
        return describe(fault, id, at);
    }

    std::string describe(const Fault &fault, HeaderId id, std::size_t at)
    {
        const sema::Header &header = e_.unit_.headers[id];
        switch (fault.kind) {
        case Fault::Kind::cut_short:
            return fmt::format("{} takes {}, and the packet has {} left", name({id}),
                               sema::counted(fault.needed, "byte"), e_.packet_.size() - at);
        case Fault::Kind::where: return briefly(*header.where, {.self = id, .at = at});
        case Fault::Kind::too_small:
            return fmt::format("{} says that it has {}, which is less than {}", name({id}),
                               sema::counted(fault.needed, "byte"), header.fixed_size);
        case Fault::Kind::too_large:
            return fmt::format("{} says that it has {}, which is more than {}", name({id}),
                               sema::counted(fault.needed, "byte"), header.max_size);
        }
        return {};
    }

    // How the chain behind a header ended: what its last selector is, or why there is none.
    std::string chain_fault(HeaderId base)
    {
        const Chain &chain = e_.chain_of(base);
        const sema::Header &header = e_.unit_.headers[base];
        const bool none = chain.links.empty();
        const std::size_t last = none ? e_.find(base).extent.begin : chain.links.back().extent.begin;
        switch (chain.end) {
        case Chain::End::well: {
            const sema::Header &from = none ? header : e_.unit_.headers[chain.links.back().header];
            return fmt::format("{}.{} is {}", from.name, from.fields[none ? header.chain->selector : *from.then].name,
                               number_text(chain.selector, in_hex(base)));
        }
        case Chain::End::no_payload: return no_payload(chain.culprit, last);
        case Chain::End::too_many:
            return fmt::format("the chain behind {} has more than {}", header.name,
                               sema::counted(header.chain->limit, "link"));
        case Chain::End::broken:
            return chain.culprit.valid() ? describe(chain.fault, chain.culprit, chain.behind) : cause(base, 0);
        }
        return {};
    }

    // Whether the source writes what the chain's links are called in hexadecimal.
    bool in_hex(HeaderId base)
    {
        return std::ranges::any_of(e_.links_[base], [&](HeaderId link) {
            const Span span = e_.unit_.preds[e_.unit_.headers[link].ways[0].condition].span;
            return e_.sources_.text(span).find("0x") != std::string_view::npos;
        });
    }

    // ---- Words

    std::string name(HeaderRef ref)
    {
        const std::string &name = e_.unit_.headers[ref.header].name;
        return ref.index == 0 ? name : fmt::format("{}[{}]", name, ref.index);
    }

    std::string source(ExprId id) { return shortened(e_.sources_.text(e_.unit_.exprs[id].span)); }

    std::string name(ExprId id, const Context &context)
    {
        const sema::Expr &expr = e_.unit_.exprs[id];
        if (const auto *field = std::get_if<sema::FieldValue>(&expr.node))
            return fmt::format("{}.{}", name(field->header),
                               e_.unit_.headers[field->header.header].fields[field->field].name);
        if (const auto *end = std::get_if<sema::ChainEnd>(&expr.node)) {
            const sema::Header &base = e_.unit_.headers[end->base];
            const bool direct = context.chain == end->base && e_.chain_of(end->base).links.empty();
            return fmt::format("{}.{}", base.name, direct ? base.fields[base.chain->selector].name : base.chain->name);
        }
        return source(id);
    }

    static std::string number_text(std::uint64_t number, bool hex)
    {
        return hex ? fmt::format("0x{:x}", number) : fmt::format("{}", number);
    }

    std::string shown(ExprId id, const Context &context, bool hex, bool bytes)
    {
        const auto found = e_.value(id, context);
        const auto type = e_.unit_.exprs[id].type;
        if (!found)
            return "absent";
        if (bytes || type == sema::ValueType::bytes)
            return quoted(found->bytes);
        if (type == sema::ValueType::number)
            return number_text(static_cast<std::uint64_t>(found->number), hex);
        return sema::to_string(type, found->number);
    }

    Evaluation &e_;
    std::vector<std::string> parts_;
};

std::string Evaluation::reason(PredId id, bool outcome, const Context &context)
{
    Reasons reasons(*this);
    reasons.add(id, outcome, context, false);
    return reasons.text();
}

} // namespace xdpf::explain
