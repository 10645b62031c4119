// Parts of the tree as one-line text, and the lines around them: what the writers of dump() share.
#pragma once

#include "grammar/ast.hpp"

#include <fmt/format.h>

#include <iterator>
#include <string>
#include <string_view>

namespace xdpf {

// In quotes, with escapes.
[[nodiscard]] std::string quote(std::string_view bytes);

// Expressions with their operators in front: (== udp.dport 53).
class ExprWriter {
public:
    ExprWriter(const ast::File &file, std::string &out) : file_(file), out_(out) {}

    void operator()(ast::ExprId id) const { std::visit(*this, file_.exprs[id].node); }
    void operator()(const ast::Literal &node) const { out_ += node.text; }
    void operator()(const ast::String &node) const { out_ += quote(node.value); }
    void operator()(const ast::Identifier &node) const { out_ += node.text; }
    void operator()(const ast::Member &node) const;
    void operator()(const ast::Index &node) const;
    void operator()(const ast::Slice &node) const;
    void operator()(const ast::Call &node) const;
    void operator()(const ast::Set &node) const { list('{', node.elements, '}'); }
    void operator()(const ast::Unary &node) const;
    void operator()(const ast::Binary &node) const;
    void operator()(const ast::Range &node) const;
    void operator()(const ast::Tuple &node) const;
    void operator()(const ast::Pcap &node) const;
    void operator()(const ast::Exceeds &node) const;
    void operator()(const ast::Argument &argument) const;
    void operator()(const ast::Type &type) const;
    void operator()(const ast::Layer &layer) const;
    template <class Item> void list(char open, const std::vector<Item> &items, char close) const
    {
        out_ += open;
        separated(items, ", ");
        out_ += close;
    }
    template <class Item> void separated(const std::vector<Item> &items, std::string_view between) const
    {
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (i != 0)
                out_ += between;
            (*this)(items[i]);
        }
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

// Indented lines, and actions as lines.
class LineWriter {
public:
    explicit LineWriter(const ast::File &file) : file_(file) {}

    void operator()(const ast::Verdict &node);
    void operator()(const ast::Redirect &node);
    void operator()(const ast::RedirectTo &node);
    void operator()(const ast::Count &node);
    void operator()(const ast::Block &node);
    void operator()(const ast::Goto &node) { line("goto {}", node.program.text); }
    void operator()(const ast::Assign &node);
    void operator()(const ast::Delete &node);
    void operator()(const ast::AddTo &node) { line("add {} to {}", text(node.value), node.map.text); }
    void operator()(const ast::Let &node) { line("let {} = {}", node.name.text, text(node.value)); }
    void operator()(const ast::SetField &node) { line("set {} = {}", text(node.field), text(node.value)); }
    void operator()(const ast::Swap &node) { line("swap {}, {}", text(node.left), text(node.right)); }
    void operator()(const ast::Push &node) { line("push {}", text(node.layer)); }
    void operator()(const ast::Pop &node) { line("pop {}", node.header.text); }
    void operator()(const ast::Encap &node) { line("encap {}", layers(node.layers)); }
    void operator()(const ast::Decap &node) { line("decap {}", node.header.text); }
    void operator()(const ast::Emit &node) { line("emit {} {}", node.map.text, text(node.record)); }
    void operator()(const ast::Sample &node) { line("sample {}{}", node.map.text, bracketed(node.bytes)); }
    void operator()(const ast::Metadata &node) { line("metadata {}", text(node.record)); }
    void operator()(const ast::If &node);
    void operator()(const ast::Asm &node);
    void operator()(const ast::Use &node);

protected:
    template <class... Args> void line(fmt::format_string<Args...> format, Args &&...args)
    {
        out_.append(2 * depth_, ' ');
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
        out_ += '\n';
    }
    template <class F> void indented(F f)
    {
        ++depth_;
        f();
        --depth_;
    }
    void action(ast::ActionId id) { std::visit(*this, file_.actions[id].node); }
    void otherwise(const std::optional<ast::ActionId> &id);
    template <class Part> [[nodiscard]] std::string text(const Part &part) const
    {
        std::string out;
        ExprWriter(file_, out)(part);
        return out;
    }
    [[nodiscard]] std::string bracketed(const std::optional<ast::ExprId> &expr) const
    {
        return expr ? fmt::format("[{}]", text(*expr)) : "";
    }
    [[nodiscard]] std::string bracketed(const std::vector<ast::ExprId> &exprs) const;
    [[nodiscard]] std::string layers(const std::vector<ast::Layer> &layers) const;

    const ast::File &file_;
    std::string out_;
    std::size_t depth_ = 0;
};

} // namespace xdpf
