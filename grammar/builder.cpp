#include "grammar/builder.hpp"

#include "grammar/parse.hpp"

namespace xdpf {
namespace {

template <class F> struct ForEachChild {
    F f;

    void operator()(const ast::Literal &) const {}
    void operator()(const ast::String &) const {}
    void operator()(const ast::Identifier &) const {}
    void operator()(const ast::Member &node) const { f(node.base); }
    void operator()(const ast::Unary &node) const { f(node.operand); }
    void operator()(const ast::Index &node) const
    {
        f(node.base);
        std::ranges::for_each(node.indices, f);
    }
    void operator()(const ast::Slice &node) const
    {
        f(node.base);
        f(node.offset);
        f(node.length);
    }
    void operator()(const ast::Call &node) const { arguments(node.arguments); }
    void operator()(const ast::Set &node) const { arguments(node.elements); }
    void operator()(const ast::Binary &node) const
    {
        f(node.left);
        f(node.right);
    }
    void operator()(const ast::Range &node) const
    {
        f(node.first);
        f(node.last);
    }
    void operator()(const ast::Tuple &node) const { std::ranges::for_each(node.elements, f); }
    void operator()(const ast::Pcap &) const {}
    void operator()(const ast::Exceeds &node) const
    {
        f(node.rate);
        if (node.per)
            f(*node.per);
        if (node.burst)
            f(*node.burst);
    }
    void arguments(const std::vector<ast::Argument> &arguments) const
    {
        for (const auto &argument : arguments) {
            f(argument.value);
            if (argument.target)
                f(*argument.target);
        }
    }
};

} // namespace

ast::ExprId Builder::add(Span span, decltype(ast::Expr::node) node)
{
    std::size_t highest = 0;
    const auto measure = [&](ast::ExprId child) { highest = std::max(highest, height(child)); };
    std::visit(ForEachChild<decltype(measure)>{measure}, node);
    if (highest >= max_expression_height)
        return {};
    heights_.push_back(static_cast<std::uint16_t>(highest + 1));
    return file_.exprs.add({span, std::move(node)});
}

ast::ExprId Builder::binary(ast::BinaryOp op, ast::ExprId left, ast::ExprId right)
{
    return add(join(span(left), span(right)), ast::Binary{op, left, right});
}

ast::ExprId Builder::balanced(ast::BinaryOp op, std::span<const ast::ExprId> operands)
{
    if (operands.size() == 1)
        return operands.front();
    const auto half = (operands.size() + 1) / 2;
    const auto left = balanced(op, operands.first(half));
    const auto right = balanced(op, operands.subspan(half));
    return left.valid() && right.valid() ? binary(op, left, right) : ast::ExprId{};
}

} // namespace xdpf
