// Which processor a queue's interrupt goes to.
#include "runtime/interface.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <vector>

namespace xdpf::runtime {
namespace {

// eth0-TxRx-3, eth0-rx-3, virtio0-input.3, mlx5_comp3@pci:…: the owner's name in front, the queue as the first number
// behind it.
bool names_queue(std::string_view action, std::string_view owner, std::uint32_t queue)
{
    if (owner.empty() || !action.starts_with(owner) || action.find("output") != std::string_view::npos)
        return false;
    const auto digits = action.find_first_of("0123456789", owner.size());
    if (digits == std::string_view::npos || digits == owner.size()) // eth1 is no queue of eth
        return false;
    return std::strtoul(std::string(action.substr(digits)).c_str(), nullptr, 10) == queue;
}

// The interface itself, and the device behind it: drivers name interrupts after either.
std::vector<std::string> owners_of(const std::string &interface)
{
    std::vector<std::string> owners{interface};
    std::error_code failed;
    const auto device = std::filesystem::read_symlink("/sys/class/net/" + interface + "/device", failed);
    if (!failed)
        owners.push_back(device.filename());
    return owners;
}

std::optional<unsigned> processor_of(unsigned interrupt)
{
    for (const char *file : {"effective_affinity_list", "smp_affinity_list"}) {
        unsigned cpu = 0;
        if (std::ifstream(fmt::format("/proc/irq/{}/{}", interrupt, file)) >> cpu)
            return cpu;
    }
    return std::nullopt;
}

} // namespace

std::optional<unsigned> interrupt_processor(const std::string &interface, std::uint32_t queue)
{
    const std::vector<std::string> owners = owners_of(interface);
    std::ifstream interrupts("/proc/interrupts");
    for (std::string line; std::getline(interrupts, line);) {
        const std::string_view action = std::string_view(line).substr(line.find_last_of(' ') + 1);
        for (const std::string &owner : owners)
            if (names_queue(action, owner, queue))
                return processor_of(static_cast<unsigned>(std::strtoul(line.c_str(), nullptr, 10)));
    }
    return std::nullopt;
}

} // namespace xdpf::runtime
