#include "tests/diff/dissect.hpp"

#include <algorithm>

namespace xdpf::diff {
namespace {

constexpr unsigned most_tags = 2;
constexpr unsigned most_extensions = 6;

std::string_view extension_name(unsigned kind)
{
    switch (kind) {
    case 0: return "hop_by_hop";
    case 43: return "routing";
    case 44: return "fragment";
    case 51: return "ah";
    case 60: return "destination_options";
    default: return {};
    }
}

} // namespace

Dissection::Dissection(std::span<const std::byte> packet) : packet_(packet) { ethernet(); }

const Header *Dissection::get(std::string_view name, std::size_t index) const
{
    for (const Header &header : headers_)
        if (header.name == name && index-- == 0)
            return &header;
    return nullptr;
}

bool Dissection::has_path(std::initializer_list<std::string_view> names) const
{
    return !std::ranges::search(headers_, names, {}, &Header::name).empty();
}

std::optional<std::uint64_t> Dissection::bits(std::string_view name, std::size_t first, std::size_t count,
                                              std::size_t index) const
{
    const Header *header = get(name, index);
    if (header == nullptr)
        return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t bit = header->start * 8 + first; count > 0; ++bit, --count)
        value = value << 1 | (static_cast<unsigned>(packet_[bit / 8]) >> (7 - bit % 8) & 1U);
    return value;
}

std::optional<std::uint64_t> Dissection::bytes(std::size_t offset, std::size_t count) const
{
    if (offset + count > packet_.size())
        return std::nullopt;
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
        value = value << 8 | static_cast<unsigned>(packet_[offset + i]);
    return value;
}

std::optional<std::uint64_t> Dissection::behind(std::string_view name, std::size_t offset, std::size_t count) const
{
    const Header *header = get(name);
    return header == nullptr ? std::nullopt : bytes(header->start + header->size + offset, count);
}

bool Dissection::add(std::string_view name, std::size_t start, std::size_t size)
{
    if (start + size > packet_.size())
        return false;
    headers_.push_back({name, start, size});
    return true;
}

void Dissection::ethernet()
{
    if (!add("ethernet", 0, 14))
        return;
    auto type = static_cast<unsigned>(*bytes(12, 2));
    std::size_t at = 14;
    for (unsigned tags = 0; type == 0x8100 || type == 0x88a8 || type == 0x9100; ++tags) {
        if (tags == most_tags || !add("vlan", at, 4))
            return;
        type = static_cast<unsigned>(*bytes(at + 2, 2));
        at += 4;
    }
    ethernet_protocol_ = type;
    if (type == 0x0806)
        add("arp", at, 28);
    else if (type == 0x0800)
        ipv4(at);
    else if (type == 0x86dd)
        ipv6(at);
}

void Dissection::ipv4(std::size_t at)
{
    const auto first = bytes(at, 1).value_or(0);
    const std::size_t size = (first & 15) * 4;
    if (first >> 4 != 4 || size < 20 || !add("ipv4", at, size))
        return;
    if ((*bytes(at + 6, 2) & 0x1fff) == 0)
        behind_ip(static_cast<unsigned>(*bytes(at + 9, 1)), at + size, false);
}

void Dissection::ipv6(std::size_t at)
{
    if (bytes(at, 1).value_or(0) >> 4 != 6 || !add("ipv6", at, 40))
        return;
    auto next = static_cast<unsigned>(*bytes(at + 6, 1));
    at += 40;
    for (unsigned count = 0; !extension_name(next).empty(); ++count) {
        const auto length = bytes(at + 1, 1);
        if (count == most_extensions || !length)
            return;
        const std::size_t size = next == 44 ? 8 : next == 51 ? (*length + 2) * 4 : (*length + 1) * 8;
        if (!add(extension_name(next), at, size) || (next == 44 && *bytes(at + 2, 2) >> 3 != 0))
            return;
        next = static_cast<unsigned>(*bytes(at, 1));
        at += size;
    }
    ipv6_protocol_ = next;
    behind_ip(next, at, true);
}

void Dissection::behind_ip(unsigned protocol, std::size_t at, bool six)
{
    if (protocol == 17)
        add("udp", at, 8);
    else if (protocol == (six ? 58U : 1U))
        add(six ? "icmpv6" : "icmp", at, 8);
    else if (const auto offset = bytes(at + 12, 1).value_or(0) >> 4; protocol == 6 && offset >= 5)
        add("tcp", at, offset * 4);
}

} // namespace xdpf::diff
