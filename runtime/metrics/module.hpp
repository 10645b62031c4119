// Between `xdpf metrics` and the module libxdpf-metrics.so, which is all the rest of this folder and brings the web
// server and Prometheus's library along.
#pragma once

#include "runtime/observer.hpp"

#include <expected>
#include <functional>
#include <memory>
#include <string>

namespace xdpf::metrics {

// Asked at each scrape, by several threads.
using Look = std::function<runtime::Result<runtime::Observation>()>;

// Serves /metrics as long as it lives.
class Server {
public:
    virtual ~Server() = default;
    [[nodiscard]] virtual int port() const = 0;
};

// `address`: "127.0.0.1:9477", "[::1]:9477"; port 0: any free one. The error is what the web server says.
using Start = std::expected<std::unique_ptr<Server>, std::string>(const std::string &address, Look look);

// Of the module: `extern "C" Start xdpf_start_metrics`, without exceptions.
inline constexpr const char *module_name = "libxdpf-metrics.so";
inline constexpr const char *entry_name = "xdpf_start_metrics";

} // namespace xdpf::metrics
