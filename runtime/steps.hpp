// The steps of a session, for SessionOptions::step: what came out of each.
#pragma once

#include "runtime/load.hpp"
#include "runtime/queue.hpp"

#include <string>

namespace xdpf::runtime {

[[nodiscard]] std::string describe(const Interface &interface);
[[nodiscard]] std::string describe(const Loaded &loaded); // with the verifier's figures
[[nodiscard]] std::string describe(const Queue &queue);

} // namespace xdpf::runtime
