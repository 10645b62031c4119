#include "runtime/kernel_program.hpp"

#include "runtime/library_log.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/socket.h>

namespace xdpf::runtime {
namespace {

constexpr std::uint32_t filled_slots = 4096;

std::size_t padded(std::size_t size) { return (size + 7) / 8 * 8; }

Error map_error(const MapSpec &map, const char *call, int code)
{
    Error error = system_error(fmt::format("cannot use map '{}'", map.name), call, code);
    if (code == E2BIG)
        error.cause = fmt::format("the map has {} entries and is full, or the key is beyond them", map.max_entries);
    return error;
}

} // namespace

struct KernelProgram::State {
    Loaded loaded;
    Fd socket; // in every filled slot
    std::unique_ptr<TestDevices> devices = std::make_unique<TestDevices>();
    Worker worker;

    [[nodiscard]] const MapSpec &spec(MapId map) const { return loaded.maps()[map.value]; }

    // On the worker. Queue 0 of the loopback interface needs no other device.
    Result<std::uint32_t> device(Arrival arrival)
    {
        if (arrival.rx_queue == 0 && arrival.ingress_ifindex == 1)
            return 1U;
        return devices->with_queue(arrival.ingress_ifindex, arrival.rx_queue);
    }

    // On the worker.
    Result<std::uint32_t> run_once(std::span<const std::byte> packet, std::uint32_t rx_queue, std::uint32_t ifindex)
    {
        xdp_md context{};
        context.data_end = static_cast<std::uint32_t>(packet.size());
        context.rx_queue_index = rx_queue;
        context.ingress_ifindex = ifindex;
        const bool given = rx_queue != 0 || ifindex != 1;
        DECLARE_LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(),
                            .data_size_in = static_cast<std::uint32_t>(packet.size()),
                            .ctx_in = given ? &context : nullptr,
                            .ctx_size_in = given ? static_cast<std::uint32_t>(sizeof context) : 0, .repeat = 1);
        const int result = bpf_prog_test_run_opts(loaded.program_fd(), &options);
        if (result < 0)
            return std::unexpected(system_error(
                fmt::format("cannot run '{}' over {} bytes from queue {}", loaded.name(), packet.size(), rx_queue),
                "bpf(BPF_PROG_TEST_RUN)", -result));
        return options.retval;
    }
};

KernelProgram::KernelProgram(std::unique_ptr<State> state) : state_(std::move(state)) {}
KernelProgram::KernelProgram(KernelProgram &&) noexcept = default;
KernelProgram &KernelProgram::operator=(KernelProgram &&) noexcept = default;
KernelProgram::~KernelProgram() = default;

const Loaded &KernelProgram::loaded() const { return state_->loaded; }

Result<KernelProgram> KernelProgram::load(const Image &image, std::size_t program)
{
    LoadOptions options;
    if (program < image.programs.size())
        options.program = image.programs[program].name;
    Result<Loaded> loaded = runtime::load(image, options);
    if (!loaded)
        return std::unexpected(std::move(loaded.error()));
    auto state = std::make_unique<State>();
    state->loaded = std::move(*loaded);
    return KernelProgram(std::move(state));
}

std::string KernelProgram::cannot_run(std::size_t packet_size, Arrival arrival)
{
    if (packet_size < min_packet)
        return fmt::format("{} bytes: the kernel runs packets of at least {} (an Ethernet header)", packet_size,
                           min_packet);
    if (packet_size > max_packet)
        return fmt::format("{} bytes: the kernel runs packets of at most {} (one page)", packet_size, max_packet);
    if (arrival.rx_queue >= TestDevices::max_queues)
        return fmt::format("queue {}: the kernel runs packets of queues below {}", arrival.rx_queue,
                           TestDevices::max_queues);
    if (arrival.ingress_ifindex == 0 || arrival.ingress_ifindex > INT32_MAX)
        return fmt::format("interface {}: no interface has that index", arrival.ingress_ifindex);
    return {};
}

Result<std::uint32_t> KernelProgram::real_ifindex(Arrival arrival)
{
    return state_->worker.call([&] { return state_->device(arrival); });
}

Result<std::uint32_t> KernelProgram::run(std::span<const std::byte> packet, Arrival arrival)
{
    return state_->worker.call([&]() -> Result<std::uint32_t> {
        const Result<std::uint32_t> ifindex = state_->device(arrival);
        return ifindex ? state_->run_once(packet, arrival.rx_queue, *ifindex) : ifindex;
    });
}

Result<std::vector<PacketOutcome>> KernelProgram::run_all(std::span<const std::vector<std::byte>> packets,
                                                          Arrival arrival)
{
    return state_->worker.call([&]() -> Result<std::vector<PacketOutcome>> {
        std::vector<PacketOutcome> outcomes;
        outcomes.reserve(packets.size());
        std::optional<std::uint32_t> ifindex;
        for (const std::vector<std::byte> &packet : packets) {
            PacketOutcome outcome;
            outcome.skipped = cannot_run(packet.size(), arrival);
            if (outcome.skipped.empty()) {
                const Result<std::uint32_t> device = ifindex ? *ifindex : state_->device(arrival);
                if (!device)
                    return std::unexpected(device.error());
                ifindex = *device;
                const Result<std::uint32_t> verdict = state_->run_once(packet, arrival.rx_queue, *ifindex);
                if (!verdict)
                    return std::unexpected(verdict.error());
                outcome.verdict = *verdict;
            }
            outcomes.push_back(std::move(outcome));
        }
        return outcomes;
    });
}

Result<void> KernelProgram::set(MapId map, std::span<const std::byte> key, std::span<const std::byte> value)
{
    const MapSpec &spec = state_->spec(map);
    std::vector<std::byte> bytes(value.begin(), value.end());
    if (has(spec.kind, map_trait::per_cpu)) {
        const std::size_t stride = padded(value.size());
        const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
        bytes.assign(stride * cpus, std::byte{0});
        for (std::size_t cpu = 0; cpu < cpus; ++cpu)
            std::ranges::copy(value, bytes.begin() + static_cast<std::ptrdiff_t>(cpu * stride));
    }
    const int result = bpf_map_update_elem(state_->loaded.map_fd(map), key.data(), bytes.data(), BPF_ANY);
    if (result < 0)
        return std::unexpected(map_error(spec, "bpf(BPF_MAP_UPDATE_ELEM)", -result));
    return {};
}

Result<void> KernelProgram::fill_slot(MapId map, std::uint32_t slot)
{
    if (!state_->socket)
        state_->socket = Fd(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
    if (!state_->socket)
        return std::unexpected(map_error(state_->spec(map), "socket(AF_XDP)", errno));
    const int fd = state_->socket.get();
    const int result = bpf_map_update_elem(state_->loaded.map_fd(map), &slot, &fd, BPF_ANY);
    if (result < 0)
        return std::unexpected(map_error(state_->spec(map), "bpf(BPF_MAP_UPDATE_ELEM)", -result));
    return {};
}

Result<void> KernelProgram::clear_slot(MapId map, std::uint32_t slot)
{
    const int result = bpf_map_delete_elem(state_->loaded.map_fd(map), &slot);
    if (result < 0 && result != -ENOENT)
        return std::unexpected(map_error(state_->spec(map), "bpf(BPF_MAP_DELETE_ELEM)", -result));
    return {};
}

Result<void> KernelProgram::fill_slots(MapId map)
{
    const std::uint32_t slots = std::min(state_->spec(map).max_entries, filled_slots);
    for (std::uint32_t slot = 0; slot < slots; ++slot)
        if (Result<void> filled = fill_slot(map, slot); !filled)
            return filled;
    return {};
}

Result<std::optional<std::vector<std::byte>>> KernelProgram::lookup(MapId map, std::span<const std::byte> key) const
{
    const MapSpec &spec = state_->spec(map);
    const int fd = state_->loaded.map_fd(map);
    const bool per_cpu = has(spec.kind, map_trait::per_cpu);
    if (has(spec.kind, map_trait::prefix)) {
        std::vector<std::byte> found(key.size());
        int result = bpf_map_get_next_key(fd, nullptr, found.data());
        while (result == 0 && !std::ranges::equal(found, key))
            result = bpf_map_get_next_key(fd, found.data(), found.data());
        if (result == -ENOENT)
            return std::nullopt;
    }
    const std::size_t stride = padded(spec.value.size);
    std::vector<std::byte> value(per_cpu ? stride * static_cast<std::size_t>(libbpf_num_possible_cpus()) : stride);
    const int result = bpf_map_lookup_elem(fd, key.data(), value.data());
    if (result == -ENOENT)
        return std::nullopt;
    if (result < 0)
        return std::unexpected(map_error(spec, "bpf(BPF_MAP_LOOKUP_ELEM)", -result));
    if (per_cpu)
        value.erase(value.begin(), value.begin() + static_cast<std::ptrdiff_t>(stride * state_->worker.cpu()));
    value.resize(spec.value.size);
    return value;
}

} // namespace xdpf::runtime
