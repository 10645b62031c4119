#include "runtime/metrics/families.hpp"
#include "runtime/metrics/module.hpp"

#include <prometheus/collectable.h>
#include <prometheus/exposer.h>

#include <exception>
#include <utility>

namespace xdpf::metrics {
namespace {

class Source : public prometheus::Collectable {
public:
    explicit Source(Look look) : look_(std::move(look)) {}
    [[nodiscard]] std::vector<prometheus::MetricFamily> Collect() const override { return families_of(look_()); }

private:
    Look look_;
};

class Exposed : public Server {
public:
    Exposed(const std::string &address, Look look)
        : source_(std::make_shared<Source>(std::move(look))), exposer_(address)
    {
        exposer_.RegisterCollectable(source_);
    }
    [[nodiscard]] int port() const override
    {
        const std::vector<int> ports = exposer_.GetListeningPorts();
        return ports.empty() ? 0 : ports.front();
    }

private:
    std::shared_ptr<Source> source_; // the exposer does not own it
    prometheus::Exposer exposer_;
};

} // namespace
} // namespace xdpf::metrics

extern "C" __attribute__((visibility("default"))) std::expected<std::unique_ptr<xdpf::metrics::Server>, std::string>
xdpf_start_metrics(const std::string &address, xdpf::metrics::Look look)
{
    try {
        return std::make_unique<xdpf::metrics::Exposed>(address, std::move(look));
    } catch (const std::exception &error) {
        return std::unexpected(std::string(error.what()));
    }
}
