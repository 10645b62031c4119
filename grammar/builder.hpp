// Adds expressions to a file's arena and knows how high their trees are, so that none grows beyond what its readers can
// recurse into.
#pragma once

#include "grammar/ast.hpp"

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace xdpf {

class Builder {
public:
    explicit Builder(ast::File &file) : file_(file) {}

    // An invalid id where the tree would be higher than max_expression_height.
    ast::ExprId add(Span span, decltype(ast::Expr::node) node);

    // A binary node; its span reaches from the left operand to the right one.
    ast::ExprId binary(ast::BinaryOp op, ast::ExprId left, ast::ExprId right);

    // A chain of one associative operator as a balanced tree, operands in order. At least one operand.
    ast::ExprId balanced(ast::BinaryOp op, std::span<const ast::ExprId> operands);

    [[nodiscard]] ast::Expr &operator[](ast::ExprId id) { return file_.exprs[id]; }
    [[nodiscard]] Span span(ast::ExprId id) const { return file_.exprs[id].span; }

private:
    [[nodiscard]] std::size_t height(ast::ExprId id) const { return heights_[id.value]; }

    ast::File &file_;
    std::vector<std::uint16_t> heights_; // by ExprId
};

} // namespace xdpf
