// Packets that the kernel makes and sends itself. Private to send().
#pragma once

#include "runtime/sender.hpp"

namespace xdpf::runtime {

[[nodiscard]] Result<SendSummary> send_live_frames(std::span<const OutgoingPacket> packets, const Interface &interface,
                                                   const SendOptions &options, const std::function<bool()> &stop);

} // namespace xdpf::runtime
