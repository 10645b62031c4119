#include "compiler/sema/table_file.hpp"

#include <algorithm>

namespace xdpf::sema {

// A word of a contents file as the literal that it would be in the source.
ast::Literal literal_of(std::string_view text)
{
    using LiteralKind = ast::Literal::Kind;
    const auto colons = std::ranges::count(text, ':');
    if (colons == 5 && text.size() == 17 && text.find("::") == std::string_view::npos)
        return {LiteralKind::mac, std::string(text)};
    if (colons > 0)
        return {LiteralKind::ipv6, std::string(text)};
    if (text.find('.') != std::string_view::npos)
        return {LiteralKind::ipv4, std::string(text)};
    return {LiteralKind::integer, std::string(text)};
}

} // namespace xdpf::sema
