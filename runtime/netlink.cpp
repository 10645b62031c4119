#include "runtime/netlink.hpp"

#include <array>
#include <cerrno>
#include <cstring>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

namespace xdpf::runtime::netlink {

Request::Request(std::uint16_t type, std::uint16_t flags)
{
    nlmsghdr header{};
    header.nlmsg_type = type;
    header.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
    header.nlmsg_seq = 1;
    add_struct(header);
}

void Request::add_bytes(std::span<const std::byte> bytes)
{
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
    bytes_.resize(NLMSG_ALIGN(bytes_.size()));
}

void Request::attribute(std::uint16_t type, std::span<const std::byte> value)
{
    const rtattr header{static_cast<unsigned short>(RTA_LENGTH(value.size())), type};
    add_struct(header);
    add_bytes(value);
}

void Request::attribute(std::uint16_t type, std::string_view text)
{
    std::vector<std::byte> value(text.size() + 1);
    std::memcpy(value.data(), text.data(), text.size());
    attribute(type, value);
}

std::size_t Request::open(std::uint16_t type)
{
    const std::size_t at = bytes_.size();
    attribute(type, std::span<const std::byte>());
    return at;
}

void Request::close(std::size_t opened)
{
    const auto length = static_cast<unsigned short>(bytes_.size() - opened);
    std::memcpy(bytes_.data() + opened, &length, sizeof length);
}

std::span<const std::byte> Request::bytes()
{
    const auto length = static_cast<std::uint32_t>(bytes_.size());
    std::memcpy(bytes_.data(), &length, sizeof length);
    return bytes_;
}

namespace {

Result<Fd> open_protocol(int protocol, std::uint32_t groups)
{
    Fd fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (groups != 0 ? SOCK_NONBLOCK : 0), protocol));
    if (!fd)
        return std::unexpected(system_error("cannot ask about interfaces", "socket(AF_NETLINK)", errno));
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    if (bind(fd.get(), reinterpret_cast<const sockaddr *>(&address), sizeof address) != 0)
        return std::unexpected(system_error("cannot ask about interfaces", "bind(AF_NETLINK)", errno));
    return fd;
}

} // namespace

Result<Fd> open(std::uint32_t groups) { return open_protocol(NETLINK_ROUTE, groups); }
Result<Fd> open_generic() { return open_protocol(NETLINK_GENERIC, 0); }

std::uint16_t generic_family(int fd, std::string_view name)
{
    Request request(GENL_ID_CTRL, 0);
    request.add_struct(genlmsghdr{.cmd = CTRL_CMD_GETFAMILY, .version = 1, .reserved = 0});
    request.attribute(CTRL_ATTR_FAMILY_NAME, name);
    std::uint16_t family = 0;
    const int code = ask(fd, request, [&](const nlmsghdr &message) {
        for_each_attribute(generic_attributes(message), [&](std::uint16_t type, std::span<const std::byte> value) {
            if (type == CTRL_ATTR_FAMILY_ID && value.size() >= sizeof family)
                std::memcpy(&family, value.data(), sizeof family);
        });
    });
    return code == 0 ? family : 0;
}

std::span<const std::byte> generic_attributes(const nlmsghdr &message)
{
    if (message.nlmsg_len < NLMSG_LENGTH(GENL_HDRLEN))
        return {};
    const auto *begin = static_cast<const std::byte *>(NLMSG_DATA(&message)) + GENL_HDRLEN;
    return {begin, message.nlmsg_len - NLMSG_LENGTH(GENL_HDRLEN)};
}

int ask(int fd, Request &request, const std::function<void(const nlmsghdr &)> &answer)
{
    const std::span<const std::byte> bytes = request.bytes();
    if (send(fd, bytes.data(), bytes.size(), 0) < 0)
        return errno;
    alignas(nlmsghdr) std::array<char, 32768> buffer;
    while (true) {
        const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        auto length = static_cast<unsigned>(got);
        for (auto *message = reinterpret_cast<nlmsghdr *>(buffer.data()); NLMSG_OK(message, length);
             message = NLMSG_NEXT(message, length)) {
            if (message->nlmsg_type == NLMSG_ERROR)
                return -static_cast<const nlmsgerr *>(NLMSG_DATA(message))->error;
            if (message->nlmsg_type == NLMSG_DONE)
                return 0;
            if (answer)
                answer(*message);
        }
    }
}

void for_each_attribute(std::span<const std::byte> attributes,
                        const std::function<void(std::uint16_t, std::span<const std::byte>)> &each)
{
    while (attributes.size() >= sizeof(rtattr)) {
        rtattr header{};
        std::memcpy(&header, attributes.data(), sizeof header);
        if (header.rta_len < sizeof header || header.rta_len > attributes.size())
            return;
        each(header.rta_type & NLA_TYPE_MASK, attributes.subspan(sizeof header, header.rta_len - sizeof header));
        attributes = attributes.subspan(std::min<std::size_t>(NLA_ALIGN(header.rta_len), attributes.size()));
    }
}

} // namespace xdpf::runtime::netlink
