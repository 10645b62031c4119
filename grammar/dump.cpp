#include "grammar/dump.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <string_view>

namespace xdpf {
namespace {

constexpr std::array<std::string_view, 19> binary_names{"or", "and", "==", "!=", "<", "<=", ">", ">=", "in", "+",
                                                        "-",  "*",   "/",  "%",  "&", "|",  "^", "<<", ">>"};
static_assert(static_cast<std::size_t>(ast::BinaryOp::shift_right) + 1 == binary_names.size());
constexpr std::array<std::string_view, 4> unary_names{"not", "-", "~", "any"};
constexpr std::array<std::string_view, 5> verdict_names{"pass", "drop", "abort", "tx", "continue"};

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

class ExprWriter {
public:
    ExprWriter(const ast::File &file, std::string &out) : file_(file), out_(out) {}

    void operator()(ast::ExprId id) const { std::visit(*this, file_.exprs[id].node); }
    void operator()(const ast::Literal &node) const { out_ += node.text; }
    void operator()(const ast::String &node) const { out_ += quote(node.value); }
    void operator()(const ast::Identifier &node) const { out_ += node.text; }
    void operator()(const ast::Member &node) const
    {
        (*this)(node.base);
        out_ += '.';
        out_ += node.member.text;
    }
    void operator()(const ast::Index &node) const
    {
        (*this)(node.base);
        list('[', node.indices, ']');
    }
    void operator()(const ast::Slice &node) const
    {
        (*this)(node.base);
        out_ += '[';
        (*this)(node.offset);
        out_ += ':';
        (*this)(node.length);
        out_ += ']';
    }
    void operator()(const ast::Call &node) const
    {
        out_ += node.callee.text;
        list('(', node.arguments, ')');
    }
    void operator()(const ast::Set &node) const { list('{', node.elements, '}'); }
    void operator()(const ast::Unary &node) const
    {
        form(unary_names[static_cast<std::size_t>(node.op)], node.operand);
    }
    void operator()(const ast::Binary &node) const
    {
        form(binary_names[static_cast<std::size_t>(node.op)], node.left, node.right);
    }
    void operator()(const ast::Range &node) const { form("..", node.first, node.last); }
    void operator()(const ast::Argument &argument) const
    {
        if (argument.name)
            fmt::format_to(std::back_inserter(out_), "{} = ", argument.name->text);
        (*this)(argument.value);
    }
    template <class Item> void list(char open, const std::vector<Item> &items, char close) const
    {
        out_ += open;
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i != 0)
                out_ += ", ";
            (*this)(items[i]);
        }
        out_ += close;
    }

private:
    template <class... Operands> void form(std::string_view op, Operands... operands) const
    {
        out_ += '(';
        out_ += op;
        ((out_ += ' ', (*this)(operands)), ...);
        out_ += ')';
    }

    const ast::File &file_;
    std::string &out_;
};

class Writer {
public:
    explicit Writer(const ast::File &file) : file_(file) {}

    std::string run()
    {
        for (const auto &decl : file_.decls)
            std::visit(*this, decl.node);
        return std::move(out_);
    }

    void operator()(const ast::Import &node) { line("import {}", quote(node.path)); }
    void operator()(const ast::Const &node) { line("const {} = {}", node.name.text, text(node.value)); }
    void operator()(const ast::Header &node)
    {
        line("header {}", node.name.text);
        ++depth_;
        clause("on", node.on);
        if (node.then)
            line("then {}", node.then->text);
        clause("where", node.where);
        clause("size", node.size);
        clause("payload when", node.payload_when);
        fields(node.fields);
        --depth_;
    }
    void operator()(const ast::Map &node)
    {
        std::vector<std::string> types;
        for (const auto &type : node.types)
            types.push_back(text(type));
        const auto all = fmt::format("{}", fmt::join(types, node.arrow ? " -> " : ", "));
        line("map {} : {}{}{}", node.name.text, node.kind.text, types.empty() ? "" : fmt::format("<{}>", all),
             bracketed(node.entries));
        ++depth_;
        attributes(node.attributes);
        --depth_;
    }
    void operator()(const ast::Program &node)
    {
        line("program {}", node.name.text);
        ++depth_;
        attributes(node.attributes);
        for (const auto id : node.rules)
            (*this)(id);
        --depth_;
    }
    void operator()(const ast::Test &node)
    {
        line("test {}{}", quote(node.name), node.program ? fmt::format(" for {}", node.program->text) : "");
        ++depth_;
        for (const auto &statement : node.statements)
            std::visit(*this, statement);
        --depth_;
    }
    void operator()(ast::RuleId id)
    {
        const auto &rule = file_.rules[id];
        if (rule.predicate)
            line("match {}", text(*rule.predicate));
        else
            line("default");
        ++depth_;
        std::visit([this](const auto &body) { inside(body); }, rule.body);
        --depth_;
    }
    void operator()(const ast::PacketStatement &node)
    {
        if (node.hex) {
            line("packet hex {}", quote(*node.hex));
            return;
        }
        std::string layers;
        for (const auto &layer : node.layers) {
            layers += layers.empty() ? "" : " / ";
            layers += layer.name.text;
            if (!layer.arguments.empty())
                ExprWriter(file_, layers).list('(', layer.arguments, ')');
        }
        line("packet {}", layers);
    }
    void operator()(const ast::WithStatement &node) { line("with {} = {}", node.name.text, text(node.value)); }
    void operator()(const ast::ExpectStatement &node)
    {
        if (const auto *expr = std::get_if<ast::ExprId>(&node.what)) {
            line("expect {}", text(*expr));
            return;
        }
        line("expect");
        ++depth_;
        inside(std::get<ast::ActionId>(node.what));
        --depth_;
    }

    void operator()(const ast::Verdict &node) { line("{}", verdict_names[static_cast<std::size_t>(node.kind)]); }
    void operator()(const ast::Redirect &node)
    {
        line("xsk{}{}", node.map ? fmt::format(" {}", node.map->text) : "", bracketed(node.key));
        if (!node.otherwise)
            return;
        ++depth_;
        line("else");
        ++depth_;
        inside(*node.otherwise);
        depth_ -= 2;
    }
    void operator()(const ast::Count &node)
    {
        std::string key;
        if (!node.key.empty())
            ExprWriter(file_, key).list('[', node.key, ']');
        line("count {}{}", node.map.text, key);
    }
    void operator()(const ast::Block &node)
    {
        line("block");
        ++depth_;
        for (const auto id : node.actions)
            inside(id);
        --depth_;
    }

private:
    template <class... Args> void line(fmt::format_string<Args...> format, Args &&...args)
    {
        out_.append(2 * depth_, ' ');
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
        out_ += '\n';
    }
    void inside(ast::ActionId id) { std::visit(*this, file_.actions[id].node); }
    void inside(const std::vector<ast::RuleId> &rules)
    {
        for (const auto id : rules)
            (*this)(id);
    }
    [[nodiscard]] std::string text(ast::ExprId id) const { return dump(file_, id); }
    [[nodiscard]] std::string text(const ast::Type &type) const
    {
        return fmt::format("{}{}{}", type.name.text, type.field ? fmt::format(".{}", type.field->text) : "",
                           bracketed(type.size));
    }
    [[nodiscard]] std::string bracketed(const std::optional<ast::ExprId> &expr) const
    {
        return expr ? fmt::format("[{}]", text(*expr)) : "";
    }
    [[nodiscard]] std::string value_of(const std::optional<ast::ExprId> &expr) const
    {
        return expr ? fmt::format(" = {}", text(*expr)) : "";
    }
    void clause(std::string_view name, const std::optional<ast::ExprId> &value)
    {
        if (value)
            line("{} {}", name, text(*value));
    }
    void attributes(const std::vector<ast::Attribute> &all)
    {
        for (const auto &one : all)
            line("attribute {}{}", one.name.text, value_of(one.value));
    }
    void fields(const std::vector<ast::Field> &all)
    {
        for (const auto &field : all) {
            if (field.end_of && field.at_most)
                line("field {} : end of {} at most {}", field.name.text, field.end_of->text, text(*field.at_most));
            else
                line("field {} : {}{}", field.name.text, field.type ? text(*field.type) : "",
                     value_of(field.default_value));
            ++depth_;
            fields(field.parts);
            --depth_;
        }
    }

    const ast::File &file_;
    std::string out_;
    std::size_t depth_ = 0;
};

} // namespace

std::string dump(const ast::File &file) { return Writer(file).run(); }

std::string dump(const ast::File &file, ast::ExprId expr)
{
    std::string out;
    ExprWriter(file, out)(expr);
    return out;
}

} // namespace xdpf
