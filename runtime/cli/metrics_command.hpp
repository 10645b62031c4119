// `xdpf metrics`: what programs at work count, for Prometheus.
#pragma once

#include <string>

namespace xdpf::cli {

struct MetricsOptions {
    std::string listen = "127.0.0.1:9477"; // an address and a port, [::1]:9477
    std::string interface;                 // empty: all of this network namespace
};

[[nodiscard]] int serve_metrics(const MetricsOptions &options);

} // namespace xdpf::cli
