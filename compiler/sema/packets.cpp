#include "compiler/sema/packet_builder.hpp"

#include <algorithm>

namespace xdpf::sema {

std::optional<std::vector<std::byte>> PacketBuilder::build(const ast::PacketStatement &statement)
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

// The last layer in front of `index` that is no item of a list.
std::size_t PacketBuilder::in_front_of(std::size_t index) const
{
    --index;
    while (index > 0 && layers_[index].item)
        --index;
    return index;
}

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
