// What it means when the kernel refuses an AF_XDP socket its work.
#pragma once

#include "runtime/queue.hpp"

namespace xdpf::runtime {

[[nodiscard]] Error not_bound(const Interface &interface, std::uint32_t queue, const QueueOptions &options,
                              const xsk::Refusal &refusal);
[[nodiscard]] Error not_sent(std::uint32_t queue, int code);

} // namespace xdpf::runtime
