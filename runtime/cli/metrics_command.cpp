#include "runtime/cli/metrics_command.hpp"

#include "compiler/base/module.hpp"
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/signals.hpp"
#include "runtime/cli/source.hpp"
#include "runtime/metrics/module.hpp"

#include <fmt/format.h>

#include <arpa/inet.h>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <netinet/in.h>
#include <sys/socket.h>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

constexpr auto longest_pause = std::chrono::seconds(30); // between two looks: indices must not go round unseen

struct Address {
    std::string host; // as it is written in a URL
    std::uint16_t port = 0;
    sockaddr_storage bytes{};
    socklen_t size = 0;
    bool loopback = false;
};

std::optional<Address> parse_address(const std::string &text)
{
    const auto colon = text.rfind(':');
    if (colon == std::string::npos)
        return std::nullopt;
    Address out{.host = text.substr(0, colon)};
    const std::string port = text.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
    if (error != std::errc() || end != port.data() + port.size())
        return std::nullopt;
    if (out.host.starts_with('[') && out.host.ends_with(']')) {
        auto &six = reinterpret_cast<sockaddr_in6 &>(out.bytes);
        six.sin6_family = AF_INET6;
        six.sin6_port = htons(out.port);
        out.size = sizeof six;
        if (inet_pton(AF_INET6, out.host.substr(1, out.host.size() - 2).c_str(), &six.sin6_addr) != 1)
            return std::nullopt;
        out.loopback = IN6_IS_ADDR_LOOPBACK(&six.sin6_addr);
        return out;
    }
    auto &four = reinterpret_cast<sockaddr_in &>(out.bytes);
    four.sin_family = AF_INET;
    four.sin_port = htons(out.port);
    out.size = sizeof four;
    if (inet_pton(AF_INET, out.host.c_str(), &four.sin_addr) != 1)
        return std::nullopt;
    out.loopback = ntohl(four.sin_addr.s_addr) >> 24U == 127;
    return out;
}

// The web server does not say why it cannot listen; so this is tried beforehand.
Result<void> try_to_bind(const Address &address, const std::string &stage)
{
    const Fd socket(::socket(address.bytes.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int yes = 1;
    if (socket && setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) == 0 &&
        bind(socket.get(), reinterpret_cast<const sockaddr *>(&address.bytes), address.size) == 0)
        return {};
    Error error = system_error(stage, socket ? "bind" : "socket", errno);
    if (error.code == EADDRINUSE) {
        error.cause = "another process listens there";
        error.remedy = fmt::format("ss -ltnp 'sport = :{}'   (who), or --listen {}:0   (any free port)", address.port,
                                   address.host);
    } else if (error.code == EADDRNOTAVAIL) {
        error.cause = "this machine, or this network namespace, has no such address";
        error.remedy = "ip address";
    }
    return std::unexpected(std::move(error));
}

Error not_built()
{
    Error error;
    error.stage = "cannot serve metrics";
    error.message = fmt::format("{} is not there", metrics::module_name);
    error.cause = "it is a package of its own, and this xdpf may have been built without prometheus-cpp";
    error.remedy = "apt-get install xdpf-metrics   (or prometheus-cpp-dev, and build anew with -DXDPF_METRICS=ON)";
    return error;
}

Error cannot_serve(const std::string &stage, std::string why)
{
    Error error;
    error.stage = stage;
    error.call = "the web server";
    error.message = std::move(why);
    return error;
}

void say_where(const Address &address, int port)
{
    fmt::print("http://{}:{}/metrics, until Ctrl-C\n", address.host, port);
    if (!address.loopback)
        fmt::print(stderr, "warning: whoever reaches {} can read them, without a password and unencrypted\n",
                   address.host);
    std::fflush(stdout);
}

} // namespace

int serve_metrics(const MetricsOptions &options)
{
    const std::optional<Address> address = parse_address(options.listen);
    if (!address) {
        fmt::print(stderr,
                   "xdpf metrics: --listen: '{}' is no address and port, such as 127.0.0.1:9477 or [::1]:9477\n",
                   options.listen);
        return exit_usage;
    }
    const std::string stage = fmt::format("cannot listen on {}", options.listen);
    auto *const start = reinterpret_cast<metrics::Start *>(load_from_module(metrics::module_name, metrics::entry_name));
    if (start == nullptr)
        return report_failure(not_built(), false);
    const HeldSignals signals; // before there are threads
    std::mutex mutex;
    Observer observer(options.interface);
    const auto look = [&] {
        const std::scoped_lock one_at_a_time(mutex);
        return observer.look();
    };
    if (Result<Observation> first = look(); !first)
        return report_failure(first.error(), false);
    if (Result<void> free = try_to_bind(*address, stage); !free)
        return report_failure(free.error(), false);
    const auto server = start(options.listen, look);
    if (!server)
        return report_failure(cannot_serve(stage, server.error()), false);
    say_where(*address, (*server)->port());
    while (!signals.came_within(longest_pause))
        (void)look(); // an error is the next scrape's to tell
    return exit_ok;
}

} // namespace xdpf::cli
