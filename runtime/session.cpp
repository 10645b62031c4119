#include "runtime/session.hpp"

#include "runtime/attached.hpp"
#include "runtime/steps.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <numeric>
#include <sys/eventfd.h>
#include <utility>

namespace xdpf::runtime {
namespace {

// Behind the MTU: an Ethernet header and two VLAN tags.
constexpr std::uint32_t link_header = 14 + 8;

Result<std::vector<std::uint32_t>> chosen_queues(const Interface &interface, std::vector<std::uint32_t> wanted)
{
    if (wanted.empty()) {
        wanted.resize(interface.receive_queues);
        std::iota(wanted.begin(), wanted.end(), 0U);
        return wanted;
    }
    std::ranges::sort(wanted);
    wanted.erase(std::ranges::unique(wanted).begin(), wanted.end());
    if (wanted.back() < interface.receive_queues)
        return wanted;
    Error error;
    error.stage = fmt::format("cannot use queue {} of '{}'", wanted.back(), interface.name);
    error.call = "bind(AF_XDP)"; // it would say no more than EINVAL
    error.code = EINVAL;
    error.message = interface.receive_queues == 1
                        ? "the interface has only queue 0"
                        : fmt::format("the interface has queues 0 to {}", interface.receive_queues - 1);
    error.cause = fmt::format("{} receive queue{} active (ethtool's channels)", interface.receive_queues,
                              interface.receive_queues == 1 ? " is" : "s are");
    error.remedy = fmt::format("ethtool -l {}   (or --queues=all)", interface.name);
    return std::unexpected(std::move(error));
}

// The socket that has a queue belongs, as a rule, to the process that attached a program there.
void say_who_has_it(Error &error, const Interface &interface)
{
    const AttachedProgram there = error.code == EBUSY ? find_attached(interface) : AttachedProgram();
    if (there.id == 0)
        return;
    error.cause += fmt::format("; {}", describe(there));
    if (there.pid != 0)
        error.remedy = fmt::format("{}, or other --queues", how_to_remove(there, interface));
}

Error no_zero_copy_in_skb_mode(const Interface &interface, const std::string &why)
{
    Error error;
    error.stage = fmt::format("cannot receive from '{}' without copying", interface.name);
    error.message = "skb mode always copies";
    error.cause = why.empty() ? "its packets are the kernel's socket buffers already when the program sees them" : why;
    error.remedy = "the same command with --copy";
    return error;
}

Error detached_by_others(const Interface &interface)
{
    Error error;
    error.stage = fmt::format("cannot receive from '{}'", interface.name);
    error.message = "the program is no longer attached";
    error.cause = "somebody else detached its link (bpftool link detach)";
    error.remedy = fmt::format("bpftool net show dev {}   (what is there now)", interface.name);
    return error;
}

Error no_interface_program(const ProgramImage &program)
{
    const bool device = program.place == ProgramImage::Place::devmap;
    Error error;
    error.stage = fmt::format("cannot attach '{}'", program.name);
    error.message = fmt::format("it is a program on {}", device ? "devmap" : "cpumap");
    error.cause = "such programs stand at the entries of a map, not at an interface";
    error.remedy = "--program NAME   (another one of the file)";
    return error;
}

} // namespace

void Session::choose_frame_size(UmemOptions &umem)
{
    const std::uint32_t longest = interface_.mtu + link_header;
    if (umem.frame_size == 0)
        umem.frame_size = longest <= frame_room(2048, umem.headroom) ? 2048 : 4096;
    const std::uint32_t room = frame_room(umem.frame_size, umem.headroom);
    if (longest > room)
        warnings_.push_back(fmt::format("packets longer than {} bytes do not fit into a frame and are dropped; the MTU "
                                        "of {} is {} (ip link set dev {} mtu {})",
                                        room, interface_.name, interface_.mtu, interface_.name, room - link_header));
}

void Session::warn_of_link()
{
    if (!interface_.up)
        warnings_.push_back(
            fmt::format("{} is down: nothing arrives until: ip link set dev {} up", interface_.name, interface_.name));
    else if (!interface_.running)
        warnings_.push_back(fmt::format("{} has no carrier: the other end is down or not connected (xdpf doctor {})",
                                        interface_.name, interface_.name));
}

Result<void> Session::bind_queues(const SessionOptions &options, CopyMode copy)
{
    Result<std::vector<std::uint32_t>> wanted = chosen_queues(interface_, options.queues);
    if (!wanted)
        return std::unexpected(std::move(wanted.error()));
    if (program_.used_maps(MapKind::xskmap).empty())
        return {};
    QueueOptions settings;
    settings.copy = copy;
    settings.umem = options.umem;
    queues_.clear();
    queues_.reserve(wanted->size());
    for (const std::uint32_t index : *wanted) {
        Result<Queue> queue = Queue::open(interface_, index, settings);
        if (!queue) {
            say_who_has_it(queue.error(), interface_);
            if (queue.error().code == ENOBUFS)
                explain_locked_memory(queue.error(), settings.umem, wanted->size());
            return std::unexpected(std::move(queue.error()));
        }
        queues_.push_back(std::move(*queue));
        tell([&] { return describe(queues_.back(), settings.umem); });
    }
    return {};
}

Result<void> Session::fill_maps()
{
    for (const MapId map : program_.used_maps(MapKind::xskmap)) {
        const MapSpec &spec = program_.maps()[map.value];
        for (const Queue &queue : queues_) {
            const std::uint32_t key = queue.index();
            const int fd = queue.fd();
            const int result = bpf_map_update_elem(program_.map_fd(map), &key, &fd, BPF_ANY);
            if (result == 0)
                continue;
            Error error = system_error(fmt::format("cannot put the socket of queue {} into '{}'", key, spec.name),
                                       "bpf(BPF_MAP_UPDATE_ELEM)", -result);
            if (result == -E2BIG) {
                error.cause = fmt::format("the map has {} entr{}, and queue {} wants entry {}", spec.max_entries,
                                          spec.max_entries == 1 ? "y" : "ies", key, key);
                error.remedy =
                    fmt::format("the same command with --queues {}   (or, in the source: defmap {} : xskmap[{}])",
                                spec.max_entries == 1 ? "0" : fmt::format("0-{}", spec.max_entries - 1), spec.name,
                                interface_.receive_queues);
            }
            return std::unexpected(std::move(error));
        }
        tell([&] {
            return fmt::format("filled '{}': a socket in the slot of each queue, {} in all", spec.name, queues_.size());
        });
    }
    return {};
}

// With the dispatcher the maps come to be while attaching; their slots are empty for that moment, which lets packets
// take the verdict's `else`.
Result<void> Session::attach_program(const SessionOptions &options)
{
    if (!options.dispatcher)
        if (Result<void> filled = fill_maps(); !filled)
            return filled;
    Result<Attachment> attached = options.dispatcher ? attach_by_dispatcher(program_, interface_, options.mode)
                                                     : attach(program_, interface_, options.mode);
    if (!attached)
        return std::unexpected(std::move(attached.error()));
    attachment_.emplace(std::move(*attached));
    tell([&] {
        return fmt::format("attached to '{}' in {} mode, {}", interface_.name, name_of(attachment_->mode()),
                           options.dispatcher ? "by the dispatcher" : "as a bpf_link");
    });
    if (!attachment_->fallback().empty())
        warnings_.push_back(fmt::format("attached in skb mode, which is slower: {}", attachment_->fallback()));
    if (!options.dispatcher)
        return {};
    const Result<void> filled = program_.fill_maps();
    return filled ? fill_maps() : filled;
}

// What wait() listens to.
Result<void> Session::start_waiting()
{
    Result<std::optional<RecordReader>> records = RecordReader::open(program_);
    if (!records)
        return std::unexpected(std::move(records.error()));
    records_ = std::move(*records);
    stop_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_)
        return std::unexpected(system_error("cannot start", "eventfd", errno));
    for (const Queue &queue : queues_)
        polled_.push_back({queue.fd(), POLLIN, 0});
    if (records_)
        polled_.push_back({records_->fd(), POLLIN, 0});
    polled_.push_back({stop_.get(), POLLIN, 0});
    polled_.push_back({watch_.fd(), POLLIN, 0});
    return {};
}

Result<Session> Session::open(const Image &image, const SessionOptions &options)
{
    Session session;
    SessionOptions settings = options;
    Result<Interface> interface =
        find_interface(options.interface, fmt::format("cannot attach to '{}'", options.interface));
    if (!interface)
        return std::unexpected(std::move(interface.error()));
    session.interface_ = std::move(*interface);
    session.step_ = options.step;
    session.tell([&] { return describe(session.interface_); });
    if (options.dispatcher)
        if (Result<void> possible = dispatcher_possible(); !possible)
            return std::unexpected(std::move(possible.error()));
    Result<LinkWatch> watch = LinkWatch::open(session.interface_);
    if (!watch)
        return std::unexpected(std::move(watch.error()));
    session.watch_ = std::move(*watch);
    session.link_ = session.interface_.up ? LinkWatch::State::up : LinkWatch::State::down;
    session.warn_of_link();

    Result<Loaded> loaded = load(image, {.program = options.program,
                                         .verifier_log = options.verifier_log,
                                         .offload_to = options.mode == Mode::offload ? session.interface_.index : 0,
                                         .for_dispatcher = options.dispatcher,
                                         .interface = session.interface_.index,
                                         .parameters = options.parameters,
                                         .entry_programs = options.entry_programs});
    if (!loaded)
        return std::unexpected(std::move(loaded.error()));
    if (loaded->program().place != ProgramImage::Place::interface)
        return std::unexpected(no_interface_program(loaded->program()));
    session.program_ = std::move(*loaded);
    session.tell([&] { return describe(session.program_); });
    if (!session.program_.used_maps(MapKind::xskmap).empty())
        session.choose_frame_size(settings.umem);
    if (options.mode == Mode::skb && options.copy == CopyMode::zero_copy)
        return std::unexpected(no_zero_copy_in_skb_mode(session.interface_, ""));
    const CopyMode copy = options.mode == Mode::skb ? CopyMode::copy : options.copy;
    if (Result<void> bound = session.bind_queues(settings, copy); !bound)
        return std::unexpected(std::move(bound.error()));
    if (Result<void> attached = session.attach_program(settings); !attached)
        return std::unexpected(std::move(attached.error()));

    // In skb mode the kernel copies, which a socket bound for zero-copy does not take.
    const bool zero_copy = std::ranges::any_of(session.queues_, &Queue::zero_copy);
    if (session.attachment_->mode() == Mode::skb && zero_copy) {
        if (options.copy == CopyMode::zero_copy)
            return std::unexpected(no_zero_copy_in_skb_mode(session.interface_, session.attachment_->fallback()));
        if (Result<void> bound = session.bind_queues(settings, CopyMode::copy); !bound)
            return std::unexpected(std::move(bound.error()));
        if (Result<void> filled = session.fill_maps(); !filled)
            return std::unexpected(std::move(filled.error()));
    }

    if (Result<void> started = session.start_waiting(); !started)
        return std::unexpected(std::move(started.error()));
    return session;
}

// A link that somebody else detaches wakes nobody, so a wait looks at it now and then; while packets come, it is there.
Result<Session::Wake> Session::wait(std::chrono::milliseconds timeout)
{
    constexpr std::chrono::milliseconds longest(1000);
    const bool for_ever = timeout.count() < 0;
    while (true) {
        const auto once = for_ever ? longest : std::min(timeout, longest);
        const int ready = poll(polled_.data(), polled_.size(), static_cast<int>(once.count()));
        if (ready < 0 && errno != EINTR)
            return std::unexpected(
                system_error(fmt::format("cannot wait for packets of '{}'", interface_.name), "poll", errno));
        if (ready > 0)
            return woken();
        if (ready < 0)
            return Wake::timeout;
        if (attachment_ && !attachment_->holds())
            return std::unexpected(detached_by_others(interface_));
        timeout -= once;
        if (!for_ever && timeout.count() <= 0)
            return Wake::timeout;
    }
}

Result<Session::Wake> Session::woken()
{
    const pollfd &stopped = polled_[polled_.size() - 2];
    if ((stopped.revents & POLLIN) != 0) {
        std::uint64_t times = 0;
        (void)!read(stop_.get(), &times, sizeof times);
        return Wake::stop;
    }
    if ((polled_.back().revents & POLLIN) != 0) {
        const LinkWatch::State before = std::exchange(link_, watch_.read());
        if (link_ == LinkWatch::State::gone) {
            Error error =
                system_error(fmt::format("cannot receive from '{}'", interface_.name), "rtnetlink RTM_DELLINK", ENODEV);
            error.cause = "the interface was removed, or moved to another network namespace";
            error.remedy = "ip link show";
            return std::unexpected(std::move(error));
        }
        if (link_ != before)
            return link_ == LinkWatch::State::up ? Wake::up : Wake::down;
    }
    const std::span sockets(polled_.data(), queues_.size());
    if (std::ranges::any_of(sockets, [](const pollfd &entry) { return entry.revents != 0; }))
        return Wake::packets;
    return records_ && polled_[queues_.size()].revents != 0 ? Wake::records : Wake::timeout;
}

void Session::stop() const
{
    const std::uint64_t once = 1;
    (void)!write(stop_.get(), &once, sizeof once);
}

Result<void> Session::detach() { return attachment_ ? attachment_->detach() : Result<void>(); }

Result<void> Session::close()
{
    Result<void> detached = detach();
    attachment_.reset();
    polled_.erase(polled_.begin(), polled_.begin() + static_cast<std::ptrdiff_t>(queues_.size()));
    queues_.clear();
    return detached;
}

} // namespace xdpf::runtime
