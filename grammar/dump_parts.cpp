#include "grammar/dump_parts.hpp"

#include <array>

namespace xdpf {
namespace {

constexpr std::array<std::string_view, 19> binary_names{"or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "+",
                                                        "-",  "*",   "/",  "%",  "&", "|",  "^", "<<", ">>"};
static_assert(static_cast<std::size_t>(ast::BinaryOp::shift_right) + 1 == binary_names.size());
constexpr std::array<std::string_view, 4> unary_names{"not", "-", "~", "any"};
constexpr std::array<std::string_view, 5> verdict_names{"pass", "drop", "abort", "tx", "continue"};
constexpr std::array<std::string_view, 3> assign_names{"=", "+=", "-="};

} // namespace

std::string quote(std::string_view bytes)
{
    std::string out = "\"";
    for (const char c : bytes) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\')
            fmt::format_to(std::back_inserter(out), "\\{}", c);
        else if (byte < 0x20 || byte == 0x7f)
            fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte);
        else
            out += c;
    }
    out += '"';
    return out;
}

// ---- Expressions -----------------------------------------------------------------------------------------------

void ExprWriter::operator()(const ast::Member &node) const
{
    (*this)(node.base);
    out_ += '.';
    out_ += node.member.text;
}

void ExprWriter::operator()(const ast::Index &node) const
{
    (*this)(node.base);
    list('[', node.indices, ']');
}

void ExprWriter::operator()(const ast::Slice &node) const
{
    (*this)(node.base);
    out_ += '[';
    (*this)(node.offset);
    out_ += ':';
    (*this)(node.length);
    out_ += ']';
}

void ExprWriter::operator()(const ast::Call &node) const
{
    out_ += node.callee.text;
    list('(', node.arguments, ')');
}

void ExprWriter::operator()(const ast::Unary &node) const
{
    form(unary_names[static_cast<std::size_t>(node.op)], node.operand);
}

void ExprWriter::operator()(const ast::Binary &node) const
{
    form(binary_names[static_cast<std::size_t>(node.op)], node.left, node.right);
}

void ExprWriter::operator()(const ast::Range &node) const { form("..", node.first, node.last); }

void ExprWriter::operator()(const ast::Tuple &node) const
{
    out_ += "(tuple ";
    separated(node.elements, " ");
    out_ += ')';
}

void ExprWriter::operator()(const ast::Pcap &node) const
{
    out_ += "(pcap ";
    out_ += quote(node.text);
    out_ += ')';
}

void ExprWriter::operator()(const ast::Exceeds &node) const
{
    out_ += "(exceeds ";
    (*this)(node.rate);
    if (node.per) {
        out_ += " per ";
        (*this)(*node.per);
    }
    if (node.burst) {
        out_ += " burst ";
        (*this)(*node.burst);
    }
    out_ += ')';
}

void ExprWriter::operator()(const ast::Argument &argument) const
{
    if (argument.name)
        fmt::format_to(std::back_inserter(out_), "{} = ", argument.name->text);
    (*this)(argument.value);
    if (argument.target) {
        out_ += " -> ";
        (*this)(*argument.target);
    }
}

void ExprWriter::operator()(const ast::Type &type) const
{
    if (type.parts.empty()) {
        out_ += type.name.text;
    } else if (type.part_names.empty()) {
        list('(', type.parts, ')');
    } else {
        out_ += '{';
        for (std::size_t i = 0; i < type.parts.size(); ++i) {
            fmt::format_to(std::back_inserter(out_), "{}{} : ", i == 0 ? "" : ", ", type.part_names[i].text);
            (*this)(type.parts[i]);
        }
        out_ += '}';
    }
    if (type.field)
        fmt::format_to(std::back_inserter(out_), ".{}", type.field->text);
    if (type.size) {
        out_ += '[';
        (*this)(*type.size);
        out_ += ']';
    }
}

void ExprWriter::operator()(const ast::Layer &layer) const
{
    out_ += layer.name.text;
    if (!layer.arguments.empty())
        list('(', layer.arguments, ')');
}

// ---- Actions ---------------------------------------------------------------------------------------------------

void LineWriter::operator()(const ast::Verdict &node)
{
    line("{}", verdict_names[static_cast<std::size_t>(node.kind)]);
}

void LineWriter::operator()(const ast::Redirect &node)
{
    line("xsk{}{}", node.map ? fmt::format(" {}", node.map->text) : "", bracketed(node.key));
    indented([&] { otherwise(node.otherwise); });
}

void LineWriter::operator()(const ast::RedirectTo &node)
{
    line("redirect {}{}", node.map.text,
         node.key              ? bracketed(node.key)
         : node.except_ingress ? "[* except iface]"
                               : "[*]");
    indented([&] { otherwise(node.otherwise); });
}

void LineWriter::operator()(const ast::Count &node) { line("count {}{}", node.map.text, bracketed(node.key)); }

void LineWriter::operator()(const ast::Block &node)
{
    line("block");
    indented([&] {
        for (const auto id : node.actions)
            action(id);
    });
}

void LineWriter::operator()(const ast::Assign &node)
{
    line("{} {} {}", text(node.target), assign_names[static_cast<std::size_t>(node.op)], text(node.value));
}

void LineWriter::operator()(const ast::Delete &node) { line("delete {}{}", node.map.text, bracketed(node.key)); }

void LineWriter::operator()(const ast::If &node)
{
    line("if {}", text(node.predicate));
    indented([&] { action(node.then); });
    otherwise(node.otherwise);
}

void LineWriter::operator()(const ast::Asm &node)
{
    line("asm");
    indented([&] {
        for (std::string_view rest = node.text; !rest.empty();) {
            const auto end = rest.find('\n');
            const auto one = rest.substr(0, end);
            rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
            const auto first = one.find_first_not_of(" \t\r");
            if (first != std::string_view::npos)
                line("{}", one.substr(first, one.find_last_not_of(" \t\r") + 1 - first));
        }
    });
}

void LineWriter::operator()(const ast::Use &node)
{
    std::string arguments;
    if (!node.arguments.empty())
        ExprWriter(file_, arguments).list('(', node.arguments, ')');
    line("use {}{}", node.callee.text, arguments);
}

void LineWriter::otherwise(const std::optional<ast::ActionId> &id)
{
    if (!id)
        return;
    line("else");
    indented([&] { action(*id); });
}

std::string LineWriter::bracketed(const std::vector<ast::ExprId> &exprs) const
{
    std::string out;
    if (!exprs.empty())
        ExprWriter(file_, out).list('[', exprs, ']');
    return out;
}

std::string LineWriter::layers(const std::vector<ast::Layer> &layers) const
{
    std::string out;
    ExprWriter(file_, out).separated(layers, " / ");
    return out;
}

} // namespace xdpf
