// What was observed, as Prometheus has it: names, help, types, labels.
#pragma once

#include "runtime/observer.hpp"

#include <prometheus/metric_family.h>

#include <vector>

namespace xdpf::metrics {

// All in base units; only families that have a sample, but `xdpf_up`, which is 0 where nothing could be looked at.
[[nodiscard]] std::vector<prometheus::MetricFamily> families_of(const runtime::Result<runtime::Observation> &observed);

} // namespace xdpf::metrics
