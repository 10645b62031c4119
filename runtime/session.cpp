#include "runtime/session.hpp"

#include "runtime/attached.hpp"
#include "runtime/steps.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <numeric>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <utility>

namespace xdpf::runtime {
namespace {

// Behind the MTU: an Ethernet header and two VLAN tags.
constexpr std::uint32_t link_header = 14 + 8;

Error no_such_queue(const Interface &interface, std::uint32_t queue)
{
    Error error;
    error.stage = fmt::format("cannot use queue {} of '{}'", queue, interface.name);
    error.call = "bind(AF_XDP)"; // it would say no more than EINVAL
    error.code = EINVAL;
    error.message = interface.receive_queues == 1
                        ? "the interface has only queue 0"
                        : fmt::format("the interface has queues 0 to {}", interface.receive_queues - 1);
    error.cause = fmt::format("{} receive queue{} active (ethtool's channels)", interface.receive_queues,
                              interface.receive_queues == 1 ? " is" : "s are");
    error.remedy = fmt::format("ethtool -l {}   (or --queues=all)", interface.name);
    return error;
}

Result<std::vector<SocketPlace>> chosen_sockets(const Interface &interface, const SessionOptions &options)
{
    std::vector<SocketPlace> sockets = options.sockets;
    if (sockets.empty()) {
        std::vector<std::uint32_t> queues = options.queues;
        if (queues.empty()) {
            queues.resize(interface.receive_queues);
            std::iota(queues.begin(), queues.end(), 0U);
        }
        std::ranges::sort(queues);
        queues.erase(std::ranges::unique(queues).begin(), queues.end());
        for (const std::uint32_t queue : queues)
            sockets.push_back({queue, queue});
    }
    const std::uint32_t last = std::ranges::max(sockets, {}, &SocketPlace::queue).queue;
    if (last >= interface.receive_queues)
        return std::unexpected(no_such_queue(interface, last));
    return sockets;
}

// The socket that has a queue belongs, as a rule, to the process that attached a program there.
void say_who_has_it(Error &error, const Interface &interface)
{
    const AttachedProgram there = error.code == EBUSY ? find_attached(interface) : AttachedProgram();
    if (there.id == 0)
        return;
    error.cause += fmt::format("; {}", describe(there));
    if (there.pid != 0 || !there.seen)
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

Error no_slot(const Interface &interface, const MapSpec &spec, std::uint32_t queue, std::uint32_t slot, int code)
{
    Error error = system_error(fmt::format("cannot put the socket of queue {} into '{}'", queue, spec.name),
                               "bpf(BPF_MAP_UPDATE_ELEM)", code);
    if (code != E2BIG)
        return error;
    error.cause = fmt::format("the map has {} entr{}, and queue {} wants entry {}", spec.max_entries,
                              spec.max_entries == 1 ? "y" : "ies", queue, slot);
    error.remedy = fmt::format("the same command with --queues {}   (or, in the source: defmap {} : xskmap[{}])",
                               spec.max_entries == 1 ? "0" : fmt::format("0-{}", spec.max_entries - 1), spec.name,
                               std::max(interface.receive_queues, slot + 1));
    return error;
}

Error taken_by_others(const Interface &interface, Attachment::Hold hold)
{
    const bool replaced = hold == Attachment::Hold::replaced;
    Error error;
    error.stage = fmt::format("cannot receive from '{}'", interface.name);
    error.message = "the program is no longer attached";
    error.cause = replaced ? "somebody else put another program into its link (BPF_LINK_UPDATE)"
                           : "somebody else detached its link (bpftool link detach)";
    error.remedy = fmt::format("bpftool net show dev {}   (what is there now)", interface.name);
    return error;
}

} // namespace

void Session::choose_frame_size(QueueOptions &socket)
{
    UmemOptions &umem = socket.umem;
    const std::uint32_t longest = interface_.mtu + link_header;
    if (umem.frame_size == 0)
        umem.frame_size = longest <= frame_room(2048, umem.headroom) ? 2048 : 4096;
    const std::uint32_t room = frame_room(umem.frame_size, umem.headroom);
    if (longest > room && !socket.multi_buffer)
        warnings_.push_back(fmt::format(
            "packets longer than {} bytes do not fit into a frame and are dropped; the MTU of {} is {} (ip link set "
            "dev {} mtu {}, or a program with 'frags': defprogram NAME (frags))",
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

// With the memory that the options name; else with that of another socket on the same queue, or its own.
Result<Queue> Session::bind_queue(const SessionOptions &options, std::uint32_t queue) const
{
    std::shared_ptr<Umem> memory;
    if (!options.memory.empty())
        memory = options.memory[queues_.size() % options.memory.size()];
    else if (const auto there = std::ranges::find(queues_, queue, &Queue::index); there != queues_.end())
        memory = there->memory();
    return Queue::open(interface_, queue, options.socket, memory, options.frames_of_memory);
}

Result<void> Session::bind_queues(const Loaded &program, const SessionOptions &options)
{
    Result<std::vector<SocketPlace>> wanted = chosen_sockets(interface_, options);
    if (!wanted)
        return std::unexpected(wanted.error());
    if (program.used_maps(MapKind::xskmap).empty())
        return {};
    queues_.clear();
    slots_.clear();
    queues_.reserve(wanted->size());
    for (const auto &[index, slot] : *wanted) {
        Result<Queue> queue = bind_queue(options, index);
        if (!queue) {
            say_who_has_it(queue.error(), interface_);
            if (queue.error().code == ENOBUFS)
                explain_locked_memory(queue.error(), options.socket.umem, wanted->size());
            return std::unexpected(std::move(queue.error()));
        }
        queues_.push_back(std::move(*queue));
        slots_.push_back(slot);
        tell([&] { return describe(queues_.back()); });
    }
    return {};
}

Result<void> Session::fill_maps()
{
    for (const MapId map : program_.used_maps(MapKind::xskmap)) {
        const MapSpec &spec = program_.maps()[map.value];
        for (std::size_t i = 0; i < queues_.size(); ++i) {
            const int fd = queues_[i].fd();
            const int result = bpf_map_update_elem(program_.map_fd(map), &slots_[i], &fd, BPF_ANY);
            if (result != 0)
                return std::unexpected(no_slot(interface_, spec, queues_[i].index(), slots_[i], -result));
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
    stop_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!stop_)
        return std::unexpected(system_error("cannot start", "eventfd", errno));
    events_ = Fd(epoll_create1(EPOLL_CLOEXEC));
    if (!events_)
        return std::unexpected(system_error("cannot start", "epoll_create1", errno));
    Result<void> listening = listen(stop_.get(), stopped);
    if (listening)
        listening = listen(watch_.fd(), link_changed);
    if (listening)
        listening = listen_to_records();
    for (std::size_t i = 0; listening && i < queues_.size(); ++i)
        listening = listen(queues_[i].fd(), has_packet);
    checked_ = std::chrono::steady_clock::now();
    return listening;
}

Result<void> Session::listen_to_records()
{
    Result<std::optional<RecordReader>> records = RecordReader::open(program_);
    if (!records)
        return std::unexpected(std::move(records.error()));
    records_ = std::move(*records);
    return records_ ? listen(records_->fd(), has_record) : Result<void>();
}

Result<void> Session::listen(int fd, std::uint32_t tag)
{
    epoll_event event{.events = EPOLLIN, .data = {.u32 = tag}};
    if (epoll_ctl(events_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
        return std::unexpected(system_error("cannot start", "epoll_ctl", errno));
    return {};
}

// That others can look at a program is no condition of its work.
void Session::publish(const SessionOptions &options)
{
    Registered entry = describe(program_, interface_, *attachment_, *options.publish);
    for (const Queue &queue : options.sockets.empty() ? queues() : std::span<const Queue>()) {
        RegisteredSocket &socket = entry.sockets.emplace_back();
        socket.queue = queue.index();
        socket.fd = queue.fd();
        socket.zero_copy = queue.zero_copy();
        socket.frames = queue.memory()->options().frames;
        socket.frame_size = queue.memory()->options().frame_size;
        for (const MapId map : program_.used_maps(MapKind::xskmap))
            socket.maps.push_back(program_.maps()[map.value].name);
    }
    Result<Registration> written = Registration::write(std::move(entry));
    if (written)
        registration_ = std::move(*written);
    else
        warnings_.push_back(fmt::format("xdpf map and status will not see this program: {}: {}: {}",
                                        written.error().call, written.error().message, written.error().cause));
}

Result<Loaded> Session::load_program(const Image &image, const SessionOptions &options,
                                     std::map<std::string, int> kept) const
{
    Result<Loaded> loaded = load(image, {.program = options.program,
                                         .verifier_log = options.verifier_log,
                                         .offload_to = options.mode == Mode::offload ? interface_.index : 0,
                                         .for_dispatcher = options.dispatcher,
                                         .interface = interface_.index,
                                         .parameters = options.parameters,
                                         .entry_programs = options.entry_programs,
                                         .reuse_maps = std::move(kept)});
    if (loaded && loaded->program().place != ProgramImage::Place::interface)
        return std::unexpected(no_interface_program(loaded->program()));
    return loaded;
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

    Result<Loaded> loaded = session.load_program(image, options, {});
    if (!loaded)
        return std::unexpected(std::move(loaded.error()));
    session.program_ = std::move(*loaded);
    session.tell([&] { return describe(session.program_); });
    settings.socket.multi_buffer = session.program_.program().frags;
    if (!session.program_.used_maps(MapKind::xskmap).empty())
        session.choose_frame_size(settings.socket);
    const bool forced = options.socket.copy == CopyMode::zero_copy;
    if (options.mode == Mode::skb && forced)
        return std::unexpected(no_zero_copy_in_skb_mode(session.interface_, ""));
    if (options.mode == Mode::skb)
        settings.socket.copy = CopyMode::copy;
    if (Result<void> bound = session.bind_queues(session.program_, settings); !bound)
        return std::unexpected(std::move(bound.error()));
    if (Result<void> attached = session.attach_program(settings); !attached)
        return std::unexpected(std::move(attached.error()));

    // In skb mode the kernel copies, which a socket bound for zero-copy does not take.
    const bool zero_copy = std::ranges::any_of(session.queues_, &Queue::zero_copy);
    if (session.attachment_->mode() == Mode::skb && zero_copy) {
        if (forced)
            return std::unexpected(no_zero_copy_in_skb_mode(session.interface_, session.attachment_->fallback()));
        settings.socket.copy = CopyMode::copy;
        if (Result<void> bound = session.bind_queues(session.program_, settings); !bound)
            return std::unexpected(std::move(bound.error()));
        if (Result<void> filled = session.fill_maps(); !filled)
            return std::unexpected(std::move(filled.error()));
    }

    if (Result<void> started = session.start_waiting(); !started)
        return std::unexpected(std::move(started.error()));
    if (options.publish)
        session.publish(settings);
    return session;
}

// Neither a link that somebody else detaches nor a slot that somebody empties wakes anybody.
Result<void> Session::check()
{
    checked_ = std::chrono::steady_clock::now();
    if (attachment_ && attachment_->hold() != Attachment::Hold::attached)
        return std::unexpected(taken_by_others(interface_, attachment_->hold()));
    return attachment_ ? restore_sockets() : Result<void>();
}

// The kernel shows nobody what an XSKMAP holds; but it refuses to replace what is not there.
Result<void> Session::restore_sockets()
{
    for (const MapId map : program_.used_maps(MapKind::xskmap))
        for (std::size_t i = 0; i < queues_.size(); ++i) {
            const int fd = queues_[i].fd();
            if (bpf_map_update_elem(program_.map_fd(map), &slots_[i], &fd, BPF_EXIST) != -ENOENT)
                continue;
            const int result = bpf_map_update_elem(program_.map_fd(map), &slots_[i], &fd, BPF_NOEXIST);
            if (result != 0)
                return std::unexpected(system_error(fmt::format("cannot put the socket of queue {} back into '{}'",
                                                                queues_[i].index(), program_.maps()[map.value].name),
                                                    "bpf(BPF_MAP_UPDATE_ELEM)", -result));
            ++restored_;
        }
    return {};
}

Result<Session::Wake> Session::wait(std::chrono::milliseconds timeout)
{
    constexpr std::chrono::milliseconds longest(1000);
    const bool for_ever = timeout.count() < 0;
    while (true) {
        if (std::chrono::steady_clock::now() - checked_ >= longest)
            if (Result<void> checked = check(); !checked)
                return std::unexpected(std::move(checked.error()));
        const auto once = for_ever ? longest : std::min(timeout, longest);
        std::array<epoll_event, 8> events;
        const int ready = epoll_wait(events_.get(), events.data(), events.size(), static_cast<int>(once.count()));
        if (ready < 0 && errno != EINTR)
            return std::unexpected(
                system_error(fmt::format("cannot wait for packets of '{}'", interface_.name), "epoll_wait", errno));
        std::uint32_t tags = 0;
        for (int i = 0; i < ready; ++i)
            tags |= events[static_cast<std::size_t>(i)].data.u32;
        if (tags != 0)
            return woken(tags);
        if (ready < 0)
            return Wake::timeout;
        timeout -= once;
        if (!for_ever && timeout.count() <= 0)
            return Wake::timeout;
    }
}

std::optional<Result<Session::Wake>> Session::link_news()
{
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
    if (watch_.name() == interface_.name)
        return std::nullopt;
    interface_.name = watch_.name();
    return Wake::renamed;
}

Result<Session::Wake> Session::woken(std::uint32_t tags)
{
    if ((tags & stopped) != 0) {
        std::uint64_t times = 0;
        (void)!read(stop_.get(), &times, sizeof times);
        return Wake::stop;
    }
    if ((tags & link_changed) != 0)
        if (auto news = link_news())
            return *news;
    if ((tags & has_packet) != 0)
        return Wake::packets;
    return (tags & has_record) != 0 ? Wake::records : Wake::timeout;
}

void Session::leave_queues_to_others()
{
    for (const Queue &queue : queues_)
        (void)epoll_ctl(events_.get(), EPOLL_CTL_DEL, queue.fd(), nullptr);
}

void Session::take_queues_back()
{
    for (const Queue &queue : queues_)
        (void)listen(queue.fd(), has_packet);
}

void Session::stop() const
{
    const std::uint64_t once = 1;
    (void)!write(stop_.get(), &once, sizeof once);
}

Result<void> Session::detach()
{
    registration_.reset();
    return attachment_ ? attachment_->detach() : Result<void>();
}

Result<void> Session::close()
{
    Result<void> detached = detach();
    attachment_.reset();
    queues_.clear();
    return detached;
}

} // namespace xdpf::runtime
