#include "runtime/consumers.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <netinet/in.h>
#include <optional>

namespace xdpf::runtime {
namespace {

using Bytes = std::span<std::byte>;

std::uint16_t be16(Bytes bytes, std::size_t at)
{
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) << 8 |
                                      std::to_integer<unsigned>(bytes[at + 1]));
}

void put_be16(Bytes bytes, std::size_t at, std::uint32_t value)
{
    bytes[at] = static_cast<std::byte>(value >> 8);
    bytes[at + 1] = static_cast<std::byte>(value);
}

void swap(Bytes bytes, std::size_t first, std::size_t second, std::size_t size)
{
    std::swap_ranges(bytes.data() + first, bytes.data() + first + size, bytes.data() + second);
}

// RFC 1071; an odd last byte counts as if a zero followed.
std::uint32_t sum_of(Bytes bytes)
{
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < bytes.size(); i += 2)
        sum += be16(bytes, i);
    if (bytes.size() % 2 != 0)
        sum += std::to_integer<std::uint32_t>(bytes.back()) << 8;
    return sum;
}

std::uint32_t fold(std::uint32_t sum)
{
    while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
    return sum;
}

// The transport header and what is behind it, as long as the network header says.
struct Transport {
    std::size_t at = 0;
    std::size_t length = 0;
    unsigned protocol = 0;
    std::uint32_t addresses = 0; // their sum
};

// Nothing: no IP, a fragment, or cut off.
std::optional<Transport> swap_ipv4(Bytes packet, std::size_t at, std::size_t whole)
{
    if (packet.size() < at + 20)
        return std::nullopt;
    swap(packet, at + 12, at + 16, 4);
    const std::size_t header = (std::to_integer<std::size_t>(packet[at]) & 15) * 4;
    const std::size_t total = be16(packet, at + 2);
    const bool fragment = (be16(packet, at + 6) & 0x3fff) != 0;
    if (header < 20 || total < header || whole < at + total || fragment)
        return std::nullopt;
    return Transport{at + header, total - header, std::to_integer<unsigned>(packet[at + 9]),
                     sum_of(packet.subspan(at + 12, 8))};
}

std::optional<Transport> swap_ipv6(Bytes packet, std::size_t at, std::size_t whole)
{
    if (packet.size() < at + 40)
        return std::nullopt;
    swap(packet, at + 8, at + 24, 16);
    const std::size_t length = be16(packet, at + 4);
    if (whole < at + 40 + length)
        return std::nullopt;
    return Transport{at + 40, length, std::to_integer<unsigned>(packet[at + 6]), sum_of(packet.subspan(at + 8, 32))};
}

std::size_t checksum_place(unsigned protocol) { return protocol == IPPROTO_UDP ? 6 : 16; }

void complete_checksum(Bytes packet, Bytes whole, const Transport &transport)
{
    const std::size_t place = transport.at + checksum_place(transport.protocol);
    const std::uint32_t pseudo =
        fold(transport.addresses + transport.protocol + static_cast<std::uint32_t>(transport.length));
    if (be16(packet, place) != pseudo) // whoever sent it has completed it, or UDP has none
        return;
    const std::uint32_t sum = fold(sum_of(whole.subspan(transport.at, transport.length)));
    const std::uint32_t checksum = ~sum & 0xffff; // the pseudo header's sum stands in its place already
    put_be16(packet, place, checksum == 0 && transport.protocol == IPPROTO_UDP ? 0xffff : checksum);
}

} // namespace

void turn_around(std::span<std::byte> packet, std::span<std::byte> whole)
{
    if (packet.size() < 14)
        return;
    swap(packet, 0, 6, 6);
    std::size_t at = 12;
    for (int tags = 0; tags < 2 && packet.size() >= at + 6; ++tags)
        if (const auto type = be16(packet, at); type == 0x8100 || type == 0x88a8)
            at += 4;
    const std::uint16_t type = be16(packet, at);
    std::optional<Transport> transport;
    if (type == 0x0800)
        transport = swap_ipv4(packet, at + 2, whole.size());
    else if (type == 0x86dd)
        transport = swap_ipv6(packet, at + 2, whole.size());
    const bool ports = transport && (transport->protocol == IPPROTO_UDP || transport->protocol == IPPROTO_TCP);
    const std::size_t least = ports && transport->protocol == IPPROTO_UDP ? 8 : 20;
    if (!ports || transport->length < least || packet.size() < transport->at + least)
        return;
    swap(packet, transport->at, transport->at + 2, 2);
    complete_checksum(packet, whole, *transport);
}

namespace {

// All that the ring takes; what it does not take at once gets a second chance.
Result<std::uint32_t> send_all(Batch &batch, Queue &by)
{
    std::uint32_t refused = 0;
    for (std::uint32_t i = 0; i < batch.size(); ++i) {
        if (batch.send(i, by))
            continue;
        if (Result<void> sent = by.flush(); !sent)
            return std::unexpected(std::move(sent.error()));
        refused += batch.send(i, by) ? 0 : 1;
    }
    if (Result<void> sent = by.flush(); !sent)
        return std::unexpected(std::move(sent.error()));
    return refused;
}

// An interface that is down sends again when it is up; its session says so.
Result<void> counted(const Result<std::uint32_t> &refused, const Batch &batch, std::atomic<std::uint64_t> &not_sent)
{
    if (!refused && refused.error().code != ENETDOWN)
        return std::unexpected(refused.error());
    not_sent += refused ? *refused : batch.size();
    return {};
}

} // namespace

Result<void> Echo::operator()(Queue &queue, Batch &batch)
{
    for (std::uint32_t i = 0; i < batch.size(); ++i) // another processor wrote them: together they come faster
        __builtin_prefetch(batch.head(i).data(), 1);
    for (std::uint32_t i = 0; i < batch.size(); ++i)
        turn_around(batch.head(i), batch[i]);
    return counted(send_all(batch, queue), batch, not_sent_);
}

Result<void> Forward::operator()(std::size_t session, Queue &queue, Batch &batch)
{
    const std::span<Queue> here = sessions_[session].queues();
    const std::span<Queue> there = sessions_[1 - session].queues();
    const auto place = static_cast<std::size_t>(&queue - here.data());
    return counted(send_all(batch, there[place % there.size()]), batch, not_sent_);
}

} // namespace xdpf::runtime
