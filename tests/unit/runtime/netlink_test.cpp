#include "runtime/netlink.hpp"

#include <doctest/doctest.h>
#include <linux/rtnetlink.h>

#include <cstring>
#include <map>

using namespace xdpf::runtime::netlink;

TEST_CASE("a request's lengths cover nested attributes, and attributes read back")
{
    Request request(RTM_NEWLINK, NLM_F_CREATE);
    request.attribute(1, std::string_view("abc"));
    const std::size_t outer = request.open(2);
    request.attribute(3, 77U);
    request.close(outer);
    const std::span<const std::byte> bytes = request.bytes();

    nlmsghdr header{};
    std::memcpy(&header, bytes.data(), sizeof header);
    CHECK(header.nlmsg_len == bytes.size());
    CHECK(header.nlmsg_len == sizeof header + 8 + 12);
    CHECK(header.nlmsg_flags == (NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE));

    std::map<int, std::size_t> sizes;
    for_each_attribute(bytes.subspan(sizeof header), [&](std::uint16_t type, std::span<const std::byte> value) {
        sizes[type] = value.size();
        if (type == 2)
            for_each_attribute(value, [&](std::uint16_t inner, std::span<const std::byte> number) {
                CHECK(inner == 3);
                CHECK(number[0] == std::byte{77});
            });
    });
    CHECK(sizes == std::map<int, std::size_t>{{1, 4}, {2, 8}});
}

TEST_CASE("broken attributes end the walk")
{
    std::byte broken[8] = {std::byte{200}};
    int seen = 0;
    for_each_attribute(broken, [&](std::uint16_t, std::span<const std::byte>) { ++seen; });
    broken[0] = std::byte{2};
    for_each_attribute(broken, [&](std::uint16_t, std::span<const std::byte>) { ++seen; });
    CHECK(seen == 0);
}
