// The little of netlink that the runtime needs: <linux/rtnetlink.h>, man 7 rtnetlink, and <linux/genetlink.h>.
#pragma once

#include "runtime/error.hpp"
#include "runtime/fd.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>
#include <vector>

struct nlmsghdr;

namespace xdpf::runtime::netlink {

// One request, built attribute by attribute; nested ones are opened and closed.
class Request {
public:
    Request(std::uint16_t type, std::uint16_t flags);

    void add_bytes(std::span<const std::byte> bytes); // padded to 4
    template <class T> void add_struct(const T &value) { add_bytes(std::as_bytes(std::span(&value, 1))); }
    void attribute(std::uint16_t type, std::span<const std::byte> value);
    void attribute(std::uint16_t type, std::uint32_t value) { attribute(type, std::as_bytes(std::span(&value, 1))); }
    void attribute(std::uint16_t type, std::string_view text); // with its ending zero
    [[nodiscard]] std::size_t open(std::uint16_t type);
    void close(std::size_t opened);

    // The finished message.
    [[nodiscard]] std::span<const std::byte> bytes();

private:
    std::vector<std::byte> bytes_;
};

// A NETLINK_ROUTE socket in the calling thread's network namespace, member of `groups` (RTMGRP_…), non-blocking if it
// has any.
[[nodiscard]] Result<Fd> open(std::uint32_t groups = 0);
// The same of NETLINK_GENERIC.
[[nodiscard]] Result<Fd> open_generic();
// The number of a generic netlink family, which is the type of its messages; 0: the kernel does not have it.
[[nodiscard]] std::uint16_t generic_family(int fd, std::string_view name);

// Of a message of such a family, for for_each_attribute().
[[nodiscard]] std::span<const std::byte> generic_attributes(const nlmsghdr &message);

// Sends, and hands each answer to `answer` until the acknowledgement. Returns 0 or the kernel's errno value.
[[nodiscard]] int ask(int fd, Request &request, const std::function<void(const nlmsghdr &)> &answer = {});

// Calls with each attribute's type and content.
void for_each_attribute(std::span<const std::byte> attributes,
                        const std::function<void(std::uint16_t, std::span<const std::byte>)> &each);

} // namespace xdpf::runtime::netlink
