#include "runtime/pinned.hpp"

#include "runtime/attached.hpp"
#include "runtime/library_log.hpp"
#include "runtime/map_reuse.hpp"
#include "runtime/pins.hpp"
#include "runtime/running.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

namespace xdpf::runtime {
namespace {

Result<Loaded> load_for(const Image &image, const Interface &interface, const PinnedOptions &options,
                        std::map<std::string, int> reuse_maps = {})
{
    Result<Loaded> loaded = load(image, {.program = options.program,
                                         .verifier_log = options.verifier_log,
                                         .offload_to = options.mode == Mode::offload ? interface.index : 0,
                                         .interface = interface.index,
                                         .parameters = options.parameters,
                                         .entry_programs = options.entry_programs,
                                         .reuse_maps = std::move(reuse_maps)});
    if (loaded && loaded->program().place != ProgramImage::Place::interface)
        return std::unexpected(no_interface_program(loaded->program()));
    return loaded;
}

// Names of bpffs have no dots, which names of interfaces may have.
std::string pin_path(const char *what, const Interface &interface)
{
    return fmt::format("{}/{}-{}-{}", pin_folder, what, current_network(), interface.index);
}

Result<void> make_pin_folder(const Interface &interface)
{
    const std::string stage = fmt::format("cannot keep a program on '{}'", interface.name);
    if (!has_bpffs()) {
        Error error;
        error.stage = stage;
        error.message = "there is no bpffs at /sys/fs/bpf";
        explain_missing_bpffs(error);
        return std::unexpected(std::move(error));
    }
    if (mkdir(std::string(pin_folder).c_str(), 0700) == 0 || errno == EEXIST)
        return {};
    return std::unexpected(system_error(stage, "mkdir(/sys/fs/bpf/xdpf)", errno));
}

// Pins that go again unless all went well.
class Pins {
public:
    Pins() = default;
    Pins(const Pins &) = delete;
    Pins &operator=(const Pins &) = delete;
    ~Pins()
    {
        for (const std::string &path : paths_)
            (void)unlink(path.c_str());
    }
    void add(std::string path) { paths_.push_back(std::move(path)); }
    [[nodiscard]] std::vector<std::string> keep() { return std::exchange(paths_, {}); }

private:
    std::vector<std::string> paths_;
};

// The kernel empties a table of programs (goto) once no process and no pin has it.
Result<void> pin_gotos(const Loaded &program, const Interface &interface, Pins &pins)
{
    if (!program.image().program_table.valid() || program.map_fd(program.image().program_table) < 0)
        return {};
    const std::string path = fmt::format("{}-{}", pin_path("goto", interface), program.program_id());
    if (bpf_obj_pin(program.map_fd(program.image().program_table), path.c_str()) != 0)
        return std::unexpected(system_error(
            fmt::format("cannot keep the programs that '{}' goes on with", program.name()), "bpf(BPF_OBJ_PIN)", errno));
    pins.add(path);
    return {};
}

void warn_of_sockets(const Loaded &program, std::vector<std::string> &warnings)
{
    for (const MapId map : program.used_maps(MapKind::xskmap))
        warnings.push_back(fmt::format("'{}' has no sockets, since no process receives: its packets take the rule's "
                                       "`else`, or pass (xdpf run has receivers)",
                                       program.maps()[map.value].name));
}

void warn_of_link(const Interface &interface, std::vector<std::string> &warnings)
{
    if (!interface.up)
        warnings.push_back(
            fmt::format("{} is down: nothing arrives until: ip link set dev {} up", interface.name, interface.name));
}

// The pinned program of the interface, if there is one. What was left behind and removed is told.
Result<std::optional<Registered>> find_pinned(const Interface &interface, std::vector<std::string> &warnings)
{
    Result<Registry> all = registered(Leftovers::remove);
    if (!all)
        return std::unexpected(std::move(all.error()));
    for (const std::string &removed : all->removed)
        warnings.push_back(fmt::format("cleaned up: {}", removed));
    for (Registered &one : all->programs)
        if (one.network == current_network() && one.interface_index == interface.index && !one.pins.empty())
            return std::move(one);
    if (!all->unreadable.empty())
        return std::unexpected(std::move(all->unreadable.front()));
    return std::nullopt;
}

// What no loaded program refers to goes with this process, unless the source pins it.
void leave_out_unused_maps(Registered &entry)
{
    for (std::size_t i = 0; i < entry.maps.size(); ++i) {
        const MapId map(i);
        const bool used = std::ranges::any_of(entry.loaded, [&](std::size_t program) {
            const auto &references = entry.image.programs[program].map_references;
            return std::ranges::find(references, map, &MapReference::map) != references.end();
        });
        if (used || entry.image.maps[i].pinned)
            continue;
        entry.maps[i] = 0;
        if (map == entry.image.params) {
            entry.image.params = MapId();
            entry.image.parameters.clear();
        }
    }
}

Result<Registered> written(Registered entry, std::vector<std::string> pins)
{
    entry.pid = 0;
    entry.process_start = 0;
    entry.pins = std::move(pins);
    leave_out_unused_maps(entry);
    Result<Registration> file = Registration::write(std::move(entry));
    if (!file)
        return std::unexpected(std::move(file.error()));
    file->keep();
    return file->entry();
}

// ---- replacing ----------------------------------------------------------------------------------------------------

Error other_mode(const Registered &before, Mode wanted)
{
    Error error;
    error.stage = fmt::format("cannot replace '{}' on '{}'", before.program(), before.interface);
    error.message = fmt::format("it is attached in {} mode, not {}", before.mode, name_of(wanted));
    error.cause = "a link keeps its mode";
    error.remedy = fmt::format("xdpf detach -i {}, then xdpf attach without --replace", before.interface);
    return error;
}

Result<void> update_link(const Registered &before, const Loaded &now)
{
    const LibraryLog quiet;
    const std::string stage = fmt::format("cannot replace '{}' on '{}'", before.program(), before.interface);
    const Fd link(bpf_link_get_fd_by_id(before.link_id));
    if (!link)
        return std::unexpected(system_error(stage, "bpf(BPF_LINK_GET_FD_BY_ID)", errno));
    const Fd old(bpf_prog_get_fd_by_id(before.program_id));
    if (!old)
        return std::unexpected(system_error(stage, "bpf(BPF_PROG_GET_FD_BY_ID)", errno));
    DECLARE_LIBBPF_OPTS(bpf_link_update_opts, options, .flags = BPF_F_REPLACE,
                        .old_prog_fd = static_cast<std::uint32_t>(old.get()));
    const int result = bpf_link_update(link.get(), now.program_fd(), &options);
    if (result == 0)
        return {};
    Error error = system_error(stage, "bpf_link_update", -result);
    if (error.code == EPERM && missing_capabilities().empty()) {
        error.cause = "somebody else put another program in its place";
        error.remedy = "xdpf status";
    } else if (error.cause.empty()) {
        error.cause = "the driver does not take this program";
        error.remedy = fmt::format("xdpf detach -i {}, then xdpf attach without --replace", before.interface);
    }
    return std::unexpected(std::move(error));
}

} // namespace

Result<Pinned> attach_pinned(const Image &image, const PinnedOptions &options)
{
    Pinned out;
    const Result<Interface> interface =
        find_interface(options.interface, fmt::format("cannot attach to '{}'", options.interface));
    if (!interface)
        return std::unexpected(interface.error());
    if (Result<void> folder = make_pin_folder(*interface); !folder)
        return std::unexpected(std::move(folder.error()));
    if (const auto cleaned = find_pinned(*interface, out.warnings); !cleaned)
        return std::unexpected(cleaned.error());
    Result<Loaded> loaded = load_for(image, *interface, options);
    if (!loaded)
        return std::unexpected(std::move(loaded.error()));
    warn_of_link(*interface, out.warnings);
    warn_of_sockets(*loaded, out.warnings);
    Pins pins;
    Result<Attachment> attached = attach(*loaded, *interface, options.mode);
    if (!attached)
        return std::unexpected(std::move(attached.error()));
    if (!attached->fallback().empty())
        out.warnings.push_back(fmt::format("attached in skb mode, which is slower: {}", attached->fallback()));
    const Registered entry = describe(*loaded, *interface, *attached, options.origin);
    const std::string link = pin_path("link", *interface);
    if (Result<void> pinned = attached->pin(link); !pinned)
        return std::unexpected(std::move(pinned.error()));
    pins.add(link);
    if (Result<void> pinned = pin_gotos(*loaded, *interface, pins); !pinned)
        return std::unexpected(std::move(pinned.error()));
    std::vector<std::string> paths = pins.keep();
    Result<Registered> file = written(entry, paths);
    if (!file) {
        for (std::string &path : paths)
            pins.add(std::move(path));
        return std::unexpected(std::move(file.error()));
    }
    out.entry = std::move(*file);
    out.verifier_log = loaded->verifier_log();
    return out;
}

Result<Pinned> replace_pinned(const Image &image, const PinnedOptions &options)
{
    Pinned out;
    const std::string stage = fmt::format("cannot attach to '{}'", options.interface);
    const Result<Interface> interface = find_interface(options.interface, stage);
    if (!interface)
        return std::unexpected(interface.error());
    const Result<std::optional<Registered>> before = find_pinned(*interface, out.warnings);
    if (!before)
        return std::unexpected(before.error());
    if (!*before) {
        Result<Pinned> fresh = attach_pinned(image, options);
        if (fresh)
            fresh->warnings.insert(fresh->warnings.begin(), out.warnings.begin(), out.warnings.end());
        return fresh;
    }
    if (options.mode != Mode::automatic && name_of(options.mode) != (*before)->mode)
        return std::unexpected(other_mode(**before, options.mode));
    if (Result<void> folder = make_pin_folder(*interface); !folder)
        return std::unexpected(std::move(folder.error()));
    const Result<Running> running = Running::open(**before);
    if (!running)
        return std::unexpected(running.error());
    const std::map<std::string, int> keep = maps_to_keep(running->maps(), image);
    Result<Loaded> loaded = load_for(image, *interface, options, keep);
    if (!loaded)
        return std::unexpected(std::move(loaded.error()));
    warn_of_sockets(*loaded, out.warnings);
    Pins pins;
    if (Result<void> pinned = pin_gotos(*loaded, *interface, pins); !pinned)
        return std::unexpected(std::move(pinned.error()));
    // What others could not be told of is not done: the description that is there is written once more.
    if (Result<Registration> told = Registration::write(**before); told)
        told->keep();
    else
        return std::unexpected(std::move(told.error()));
    if (Result<void> updated = update_link(**before, *loaded); !updated)
        return std::unexpected(std::move(updated.error()));
    std::vector<std::string> paths = pins.keep();
    paths.insert(paths.begin(), (*before)->pins.front());
    Registered entry = describe(*loaded, *interface, (*before)->mode, (*before)->link_id, options.origin);
    Result<Registered> file = written(std::move(entry), std::move(paths));
    if (!file)
        return std::unexpected(std::move(file.error()));
    out.entry = std::move(*file);
    for (std::size_t i = 1; i < (*before)->pins.size(); ++i)
        (void)unlink((*before)->pins[i].c_str());
    if (Result<void> gone = forget(**before); !gone)
        return std::unexpected(std::move(gone.error()));
    out.replaced = (*before)->program();
    for (const auto &[name, fd] : keep)
        out.kept.push_back(name);
    out.verifier_log = loaded->verifier_log();
    return out;
}

Result<Detached> detach_pinned(const std::string &name)
{
    const LibraryLog quiet;
    const std::string stage = fmt::format("cannot detach from '{}'", name);
    const Result<Interface> interface = find_interface(name, stage);
    if (!interface)
        return std::unexpected(interface.error());
    std::vector<std::string> cleaned;
    const Result<std::optional<Registered>> found = find_pinned(*interface, cleaned);
    if (!found)
        return std::unexpected(found.error());
    if (!*found) {
        Error error;
        error.stage = stage;
        const AttachedProgram there = find_attached(*interface);
        error.message = there.id == 0 ? "no program is attached there" : "xdpf attach did not put its program there";
        error.cause = there.id == 0 ? fmt::format("{}", fmt::join(cleaned, "; ")) : describe(there);
        error.remedy = there.id == 0 ? "xdpf status" : how_to_remove(there, *interface);
        return std::unexpected(std::move(error));
    }
    const Registered &entry = **found;
    const Fd link(bpf_link_get_fd_by_id(entry.link_id));
    if (!link)
        return std::unexpected(system_error(stage, "bpf(BPF_LINK_GET_FD_BY_ID)", errno));
    if (const int result = bpf_link_detach(link.get()); result < 0)
        return std::unexpected(system_error(stage, "bpf_link_detach", -result));
    if (const AttachedProgram there = find_attached(*interface); there.id == entry.program_id) {
        Error error = system_error(stage, "bpf_link_detach", EBUSY);
        error.cause = describe(there);
        error.remedy = how_to_remove(there, *interface);
        return std::unexpected(std::move(error));
    }
    if (!remove_pins(entry)) {
        Error error;
        error.stage = fmt::format("detached from '{}', but a pin of it stays", name);
        error.message = fmt::format("{} is not in this mount namespace", entry.pins.front());
        explain_missing_bpffs(error);
        error.remedy = "xdpf status   (where it is: removes it)";
        return std::unexpected(std::move(error));
    }
    if (Result<void> gone = forget(entry); !gone)
        return std::unexpected(std::move(gone.error()));
    return Detached{entry, std::move(cleaned)};
}

} // namespace xdpf::runtime
