#include "runtime/kernel_program.hpp"

#include "runtime/library_log.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <sys/socket.h>
#include <utility>

namespace xdpf::runtime {
namespace {

constexpr std::uint32_t filled_slots = 4096;
constexpr std::uint32_t loopback = 1;          // its index, in every network namespace
constexpr std::uint32_t waiting_packets = 192; // of an entry of a cpumap
constexpr std::size_t page = 4096;             // bytes: no packet and its metadata have more

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
    Fd socket;                                                   // in every filled slot
    std::set<std::pair<std::uint32_t, std::uint32_t>> far_slots; // map and slot: those filled beyond filled_slots
    std::unique_ptr<TestDevices> devices = std::make_unique<TestDevices>();
    struct CloseRings {
        void operator()(ring_buffer *rings) const { ring_buffer__free(rings); }
    };
    struct Ring {
        MapId map;
        std::vector<KernelRecord> *records;
    };
    std::vector<KernelRecord> records;
    std::vector<std::unique_ptr<Ring>> readers; // what the library hands back with each record
    std::unique_ptr<ring_buffer, CloseRings> rings;
    Worker worker;

    static int keep(void *reader, void *data, std::size_t size)
    {
        const auto *ring = static_cast<const Ring *>(reader);
        const auto *bytes = static_cast<const std::byte *>(data);
        ring->records->push_back({ring->map, {bytes, bytes + size}});
        return 0;
    }

    Result<void> open_rings()
    {
        for (std::size_t i = 0; i < loaded.maps().size(); ++i) {
            const int fd = has(loaded.maps()[i].kind, map_trait::ring) ? loaded.map_fd(MapId(i)) : -1;
            if (fd < 0)
                continue;
            readers.push_back(std::make_unique<Ring>(Ring{MapId(i), &records}));
            int result = 0;
            if (rings)
                result = ring_buffer__add(rings.get(), fd, &State::keep, readers.back().get());
            else
                rings.reset(ring_buffer__new(fd, &State::keep, readers.back().get(), nullptr));
            if (!rings || result < 0)
                return std::unexpected(map_error(loaded.maps()[i], "ring_buffer__new", rings ? -result : errno));
        }
        return {};
    }

    // Between packets: a ring that is full takes no more.
    Result<void> read_rings()
    {
        const int result = rings ? ring_buffer__consume(rings.get()) : 0;
        if (result < 0)
            return std::unexpected(system_error("cannot read ring buffers", "ring_buffer__consume", -result));
        return {};
    }

    template <class At> Result<std::vector<PacketOutcome>> run_each(std::size_t count, Arrival arrival, At at);

    [[nodiscard]] const MapSpec &spec(MapId map) const { return loaded.maps()[map.value]; }

    // On the worker. Queue 0 of the loopback interface needs no other device.
    Result<std::uint32_t> device(Arrival arrival)
    {
        if (arrival.rx_queue == 0 && arrival.ingress_ifindex == 1)
            return 1U;
        return devices->with_queue(arrival.ingress_ifindex, arrival.rx_queue);
    }

    // On the worker.
    Result<std::uint32_t> run_once(std::span<const std::byte> packet, std::uint32_t rx_queue, std::uint32_t ifindex,
                                   PacketOutcome *out = nullptr)
    {
        xdp_md context{};
        context.data_end = static_cast<std::uint32_t>(packet.size());
        context.rx_queue_index = rx_queue;
        // Without an interface the kernel takes the loopback.
        const bool given = rx_queue != 0 || ifindex != 1;
        context.ingress_ifindex = given ? ifindex : 0;
        xdp_md after{};
        std::vector<std::byte> *const left = out != nullptr ? &out->left : nullptr;
        if (left != nullptr)
            left->resize(page);
        DECLARE_LIBBPF_OPTS(
            bpf_test_run_opts, options, .data_in = packet.data(), .data_out = left != nullptr ? left->data() : nullptr,
            .data_size_in = static_cast<std::uint32_t>(packet.size()),
            .data_size_out = left != nullptr ? static_cast<std::uint32_t>(left->size()) : 0, .ctx_in = &context,
            .ctx_out = &after, .ctx_size_in = static_cast<std::uint32_t>(sizeof context),
            .ctx_size_out = static_cast<std::uint32_t>(sizeof after), .repeat = 1);
        const int result = bpf_prog_test_run_opts(loaded.program_fd(), &options);
        if (result < 0)
            return std::unexpected(system_error(
                fmt::format("cannot run '{}' over {} bytes from queue {}", loaded.name(), packet.size(), rx_queue),
                "bpf(BPF_PROG_TEST_RUN)", -result));
        if (out != nullptr) {
            left->resize(options.data_size_out);
            out->metadata = after.data;
        }
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
    LoadOptions options{.isolated = true};
    if (program < image.programs.size())
        options.program = image.programs[program].name;
    Result<Loaded> loaded = runtime::load(image, options);
    if (!loaded)
        return std::unexpected(std::move(loaded.error()));
    auto state = std::make_unique<State>();
    state->loaded = std::move(*loaded);
    if (Result<void> opened = state->open_rings(); !opened)
        return std::unexpected(std::move(opened.error()));
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

// By the kernel's own clock: around the call there is also the making of its dispatcher, for milliseconds.
Result<TimedRuns> KernelProgram::time(std::span<const std::byte> packet, std::uint32_t repeat)
{
    return state_->worker.call([&]() -> Result<TimedRuns> {
        DECLARE_LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(),
                            .data_size_in = static_cast<std::uint32_t>(packet.size()),
                            .repeat = static_cast<int>(repeat));
        const int result = bpf_prog_test_run_opts(state_->loaded.program_fd(), &options);
        if (result < 0)
            return std::unexpected(
                system_error(fmt::format("cannot run '{}' over {} bytes", state_->loaded.name(), packet.size()),
                             "bpf(BPF_PROG_TEST_RUN)", -result));
        return TimedRuns{options.retval, options.duration};
    });
}

// `at` gives a packet's bytes by its number.
template <class At>
Result<std::vector<PacketOutcome>> KernelProgram::State::run_each(std::size_t count, Arrival arrival, At at)
{
    return worker.call([&]() -> Result<std::vector<PacketOutcome>> {
        std::vector<PacketOutcome> outcomes;
        outcomes.reserve(count);
        std::optional<std::uint32_t> ifindex;
        for (std::size_t i = 0; i < count; ++i) {
            const std::span<const std::byte> packet = at(i);
            PacketOutcome outcome;
            outcome.skipped = cannot_run(packet.size(), arrival);
            if (outcome.skipped.empty()) {
                const Result<std::uint32_t> found = ifindex ? *ifindex : device(arrival);
                if (!found)
                    return std::unexpected(found.error());
                ifindex = *found;
                const Result<std::uint32_t> verdict = run_once(packet, arrival.rx_queue, *ifindex, &outcome);
                if (!verdict)
                    return std::unexpected(verdict.error());
                if (Result<void> read = read_rings(); !read)
                    return std::unexpected(std::move(read.error()));
                outcome.verdict = *verdict;
            }
            outcomes.push_back(std::move(outcome));
        }
        return outcomes;
    });
}

Result<std::vector<PacketOutcome>> KernelProgram::run_all(std::span<const std::vector<std::byte>> packets,
                                                          Arrival arrival)
{
    return state_->run_each(packets.size(), arrival, [&](std::size_t i) { return std::span(packets[i]); });
}

Result<std::vector<PacketOutcome>> KernelProgram::run_all(std::span<const TestPacket> packets, Arrival arrival)
{
    std::vector<std::span<const std::byte>> all;
    for (const TestPacket &packet : packets)
        all.insert(all.end(), packet.times, packet.bytes);
    return state_->run_each(all.size(), arrival, [&](std::size_t i) { return all[i]; });
}

Result<std::vector<KernelRecord>> KernelProgram::take_records()
{
    if (Result<void> read = state_->read_rings(); !read)
        return std::unexpected(std::move(read.error()));
    return std::exchange(state_->records, {});
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
    const void *const at = has(spec.kind, map_trait::keyless) ? nullptr : key.data();
    const int result = bpf_map_update_elem(state_->loaded.map_fd(map), at, bytes.data(), BPF_ANY);
    if (result < 0)
        return std::unexpected(map_error(spec, "bpf(BPF_MAP_UPDATE_ELEM)", -result));
    return {};
}

Result<void> KernelProgram::fill_slot(MapId map, std::uint32_t slot)
{
    const MapSpec &spec = state_->spec(map);
    // struct bpf_devmap_val and bpf_cpumap_val: a number, then perhaps a program, which 0 is not.
    std::array<std::uint32_t, 2> value{};
    if (spec.kind == MapKind::xskmap) {
        if (!state_->socket)
            state_->socket = Fd(socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0));
        if (!state_->socket)
            return std::unexpected(map_error(spec, "socket(AF_XDP)", errno));
        value[0] = static_cast<std::uint32_t>(state_->socket.get());
    } else {
        value[0] = spec.kind == MapKind::cpumap ? waiting_packets : loopback;
    }
    const int result = bpf_map_update_elem(state_->loaded.map_fd(map), &slot, value.data(), BPF_ANY);
    if (result == -ENODEV && spec.kind == MapKind::cpumap)
        return std::unexpected(Error{.stage = fmt::format("cannot fill slot {} of map '{}'", slot, spec.name),
                                     .message = "this machine has no such processor"});
    if (result < 0)
        return std::unexpected(map_error(spec, "bpf(BPF_MAP_UPDATE_ELEM)", -result));
    if (slot >= filled_slots)
        state_->far_slots.emplace(map.value, slot);
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
    const MapSpec &spec = state_->spec(map);
    std::uint32_t slots = std::min(spec.max_entries, filled_slots);
    if (spec.kind == MapKind::cpumap)
        slots = std::min(slots, static_cast<std::uint32_t>(libbpf_num_possible_cpus()));
    for (std::uint32_t slot = 0; slot < slots; ++slot)
        if (Result<void> filled = fill_slot(map, slot); !filled)
            return filled;
    return {};
}

Result<void> KernelProgram::clear(MapId map)
{
    const MapSpec &spec = state_->spec(map);
    const int fd = state_->loaded.map_fd(map);
    if (spec.kind == MapKind::bloom_filter)
        return std::unexpected(Error{.stage = fmt::format("cannot empty map '{}'", spec.name),
                                     .message = "nothing can be taken out of a Bloom filter"});
    if (has(spec.kind, map_trait::array)) {
        const std::vector<std::byte> zeros(spec.value.size);
        for (std::uint32_t index = 0; index < spec.max_entries; ++index)
            if (Result<void> done = set(map, std::as_bytes(std::span(&index, 1)), zeros); !done)
                return done;
        return {};
    }
    int result = 0;
    if (has(spec.kind, map_trait::keyless)) {
        std::vector<std::byte> value(padded(spec.value.size));
        while (result == 0)
            result = bpf_map_lookup_and_delete_elem(fd, nullptr, value.data());
    } else if (has(spec.kind, map_trait::redirect) && spec.kind != MapKind::devmap_hash) {
        for (std::uint32_t slot = 0;
             slot < std::min(spec.max_entries, filled_slots) && (result == 0 || result == -ENOENT); ++slot)
            result = bpf_map_delete_elem(fd, &slot);
        for (const auto &[of, slot] : state_->far_slots)
            if (of == map.value && (result == 0 || result == -ENOENT))
                result = bpf_map_delete_elem(fd, &slot);
    } else {
        std::vector<std::byte> key(std::max<std::size_t>(spec.key.size, sizeof(std::uint32_t)));
        while (result == 0) {
            result = bpf_map_get_next_key(fd, nullptr, key.data());
            if (result == 0)
                result = bpf_map_delete_elem(fd, key.data());
        }
    }
    if (result < 0 && result != -ENOENT)
        return std::unexpected(map_error(spec, "bpf(BPF_MAP_DELETE_ELEM)", -result));
    return {};
}

Result<std::optional<std::vector<std::byte>>> KernelProgram::lookup(MapId map, std::span<const std::byte> key) const
{
    const MapSpec &spec = state_->spec(map);
    const int fd = state_->loaded.map_fd(map);
    const bool per_cpu = has(spec.kind, map_trait::per_cpu);
    if (spec.kind == MapKind::bloom_filter) {
        std::vector<std::byte> value(key.begin(), key.end());
        const int result = bpf_map_lookup_elem(fd, nullptr, value.data());
        if (result < 0 && result != -ENOENT)
            return std::unexpected(map_error(spec, "bpf(BPF_MAP_LOOKUP_ELEM)", -result));
        return result == 0 ? std::optional(std::move(value)) : std::nullopt;
    }
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
