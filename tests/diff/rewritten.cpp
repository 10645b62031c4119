#include "tests/diff/rewritten.hpp"

#include <algorithm>
#include <array>

namespace xdpf::diff {
namespace {

std::uint32_t added(std::span<const std::byte> bytes, std::uint32_t sum)
{
    for (std::size_t i = 0; i < bytes.size(); ++i)
        sum += static_cast<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8 : 0);
    return sum;
}

// Of a sum of 16-bit words, the one that stands for it modulo 0xffff: from 0 to 0xfffe.
std::uint32_t modulo(std::uint32_t sum) { return sum % 0xffff; }

struct Transport {
    std::string_view name;
    std::size_t checksum; // bytes from its start
    bool pseudo;          // the addresses in front belong to it
};
constexpr std::array<Transport, 4> transports{
    {{"udp", 6, true}, {"tcp", 16, true}, {"icmp", 2, false}, {"icmpv6", 2, true}}};

} // namespace

std::vector<Rewriter::Sum> Rewriter::sums_of(const Dissection &packet)
{
    std::vector<Sum> out;
    for (const auto &[name, checksum, pseudo] : transports) {
        const Header *header = packet.get(name);
        if (header == nullptr)
            continue;
        Sum sum{.at = header->start + checksum, .parts = {{header->start, packet.length()}}};
        sum.zero_is_none = name == "udp";
        if (const Header *four = packet.get("ipv4"); pseudo && four != nullptr)
            sum.parts.emplace_back(four->start + 12, four->start + 20);
        if (const Header *six = packet.get("ipv6"); pseudo && six != nullptr)
            sum.parts.emplace_back(six->start + 8, six->start + 40);
        out.push_back(sum);
    }
    if (const Header *header = packet.get("ipv4"))
        out.push_back({.at = header->start + 10, .parts = {{header->start, header->start + header->size}}});
    return out;
}

std::uint32_t Rewriter::total(const Bytes &bytes, const Sum &sum)
{
    std::uint32_t all = 0;
    for (const auto &[begin, end] : sum.parts)
        all = added(std::span(bytes).subspan(begin, end - begin), all);
    return modulo(all);
}

std::vector<bool> Rewriter::bits(std::size_t begin, std::size_t count) const
{
    std::vector<bool> out;
    for (std::size_t bit = begin; bit < begin + count; ++bit)
        out.push_back((bytes_[bit / 8] & static_cast<std::byte>(0x80 >> bit % 8)) != std::byte(0));
    return out;
}

void Rewriter::write(std::size_t begin, const std::vector<bool> &bits, const std::vector<Sum> &sums)
{
    const Bytes before = bytes_;
    for (std::size_t i = 0; i < bits.size(); ++i) {
        const auto mask = static_cast<std::byte>(0x80 >> (begin + i) % 8);
        std::byte &byte = bytes_[(begin + i) / 8];
        byte = bits[i] ? byte | mask : byte & ~mask;
    }
    const std::size_t from = begin / 8;
    const std::size_t to = (begin + bits.size() + 7) / 8;
    for (const Sum &sum : sums) {
        const bool itself = from < sum.at + 2 && sum.at < to;
        const bool covered =
            std::ranges::any_of(sum.parts, [&](const auto &part) { return from < part.second && part.first < to; });
        const auto old = *Dissection(before).bytes(sum.at, 2);
        if (itself || !covered || (sum.zero_is_none && old == 0))
            continue;
        const auto more = total(bytes_, sum) + 0xffff - total(before, sum);
        const auto fresh = modulo(static_cast<std::uint32_t>(old) + 0xffff - modulo(more));
        overwrite(sum.at, fresh == 0 && sum.zero_is_none ? 0xffff : fresh, 2);
    }
}

bool Rewriter::set(std::string_view header, std::size_t first, std::size_t count, std::uint64_t value,
                   std::size_t index)
{
    const Dissection packet = dissection();
    const Header *found = packet.get(header, index);
    if (found == nullptr)
        return false;
    std::vector<bool> to(count);
    for (std::size_t i = count; i-- > 0; value >>= 1)
        to[i] = (value & 1) != 0;
    write(found->start * 8 + first, to, sums_of(packet));
    return true;
}

bool Rewriter::set_bytes(std::string_view header, std::size_t first_byte, std::span<const std::byte> value)
{
    const Dissection packet = dissection();
    const Header *found = packet.get(header);
    if (found == nullptr)
        return false;
    set_at(found->start + first_byte, value);
    return true;
}

void Rewriter::set_at(std::size_t at, std::span<const std::byte> value)
{
    std::vector<bool> to;
    for (const std::byte byte : value)
        for (unsigned bit = 8; bit-- > 0;)
            to.push_back((static_cast<unsigned>(byte) >> bit & 1U) != 0);
    write(at * 8, to, sums_of(dissection()));
}

bool Rewriter::swap(Bits one, Bits other, std::size_t count)
{
    const Dissection packet = dissection();
    const Header *left = packet.get(one.header, one.index);
    const Header *right = packet.get(other.header, other.index);
    if (left == nullptr || right == nullptr)
        return false;
    const std::size_t here = left->start * 8 + one.first;
    const std::size_t there = right->start * 8 + other.first;
    const auto first = bits(here, count);
    const auto second = bits(there, count);
    const auto sums = sums_of(packet);
    write(here, second, sums);
    write(there, first, sums);
    return true;
}

bool Rewriter::push_vlan(unsigned tci)
{
    if (bytes_.size() < 14)
        return false;
    const std::array tag{std::byte{0x81}, std::byte{0x00}, static_cast<std::byte>(tci >> 8),
                         static_cast<std::byte>(tci)};
    insert(12, tag);
    return true;
}

bool Rewriter::pop_vlan()
{
    if (!dissection().has("vlan"))
        return false;
    erase(12, 4);
    return true;
}

void Rewriter::insert(std::size_t at, std::span<const std::byte> bytes)
{
    bytes_.insert(bytes_.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin(), bytes.end());
}

void Rewriter::erase(std::size_t at, std::size_t count)
{
    const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(at);
    bytes_.erase(begin, begin + static_cast<std::ptrdiff_t>(count));
}

void Rewriter::overwrite(std::size_t at, std::uint64_t value, unsigned bytes)
{
    for (unsigned i = bytes; i-- > 0; value >>= 8)
        bytes_[at + i] = static_cast<std::byte>(value);
}

std::uint16_t internet_checksum(std::span<const std::byte> bytes, std::uint32_t start)
{
    std::uint32_t sum = added(bytes, start);
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

Bytes with_right_checksums(Bytes packet)
{
    const Dissection parts{packet};
    const auto put = [&](std::size_t at, std::size_t begin, std::size_t end, std::uint32_t start, bool none) {
        packet[at] = packet[at + 1] = std::byte(0);
        auto sum = internet_checksum(std::span(packet).subspan(begin, end - begin), start);
        if (sum == 0 && none)
            sum = 0xffff;
        packet[at] = static_cast<std::byte>(sum >> 8);
        packet[at + 1] = static_cast<std::byte>(sum);
    };
    const Header *four = parts.get("ipv4");
    const Header *six = parts.get("ipv6");
    for (const auto &[name, checksum, pseudo] : transports) {
        const Header *header = parts.get(name);
        if (header == nullptr)
            continue;
        std::uint32_t start = 0;
        const auto length = static_cast<std::uint32_t>(packet.size() - header->start);
        if (pseudo && four != nullptr)
            start = added(std::span(packet).subspan(four->start + 12, 8), length);
        if (pseudo && six != nullptr)
            start = added(std::span(packet).subspan(six->start + 8, 32), length);
        start += name == "udp" ? 17 : name == "tcp" ? 6 : pseudo ? 58 : 0;
        put(header->start + checksum, header->start, packet.size(), start, name == "udp");
    }
    if (four != nullptr)
        put(four->start + 10, four->start, four->start + four->size, 0, false);
    return packet;
}

std::vector<Packet> rewriting_packets(std::uint64_t seed, std::size_t count)
{
    Random random(seed);
    std::vector<Packet> out = mixed_packets(random.next(), count);
    for (Packet &packet : out) {
        if (packet.bytes.size() < 14)
            packet.bytes.resize(14);
        if (!random.one_in(4))
            packet.bytes = with_right_checksums(std::move(packet.bytes));
        const Dissection parts{packet.bytes};
        const Header *udp = parts.get("udp");
        if (udp != nullptr && random.one_in(3))
            packet.bytes[udp->start + 6] = packet.bytes[udp->start + 7] = std::byte(0);
    }
    return out;
}

} // namespace xdpf::diff
