#include "runtime/registry.hpp"

#include "runtime/library_log.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fstream>
#include <iterator>
#include <memory>
#include <net/if.h>
#include <sstream>
#include <sys/stat.h>
#include <tuple>
#include <unistd.h>
#include <utility>

namespace xdpf::runtime {
namespace {

constexpr const char *registry_folder = "/run/xdpf";

// The program's id: it is unique while the program is loaded, and a program has one interface.
std::string file_of(std::uint32_t program_id) { return fmt::format("{}/{}.json", registry_folder, program_id); }
std::string file_of(const Registered &entry) { return file_of(entry.program_id); }

Error registry_error(std::string stage, const char *call, int code)
{
    Error error = system_error(std::move(stage), call, code);
    if (code == EACCES || code == EPERM) {
        error.cause =
            fmt::format("{} is only for the user that programs are put to work by, as a rule root", registry_folder);
        error.remedy = "sudo xdpf …";
    } else if (code == ENOENT || code == EROFS) {
        error.cause = "/run is no place to write to";
        error.remedy = "mount | grep /run";
    }
    return error;
}

// When a process began, in ticks since boot (proc(5)); nothing where there is none, or nothing but its exit status.
std::optional<std::uint64_t> start_of(int pid)
{
    std::ifstream file(fmt::format("/proc/{}/stat", pid));
    std::string line;
    std::getline(file, line);
    const auto name_end = line.rfind(')'); // the name may have blanks and brackets in it
    if (name_end == std::string::npos)
        return std::nullopt;
    std::istringstream fields(line.substr(name_end + 1));
    std::string field; // the state, field 3, first
    for (int number = 3; number <= 22; ++number)
        if (!(fields >> field) || (number == 3 && (field == "Z" || field == "X")))
            return std::nullopt;
    return std::strtoull(field.c_str(), nullptr, 10);
}

Result<void> write_file(const Registered &entry, const std::string &file)
{
    const std::string stage = fmt::format("cannot tell other xdpf commands of '{}'", entry.program());
    if (mkdir(registry_folder, 0700) != 0 && errno != EEXIST)
        return std::unexpected(registry_error(stage, "mkdir(/run/xdpf)", errno));
    const std::string text = to_json(entry);
    const std::string fresh = fmt::format("{}/.{}-{}", registry_folder, getpid(), entry.program_id);
    const Fd out(open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!out)
        return std::unexpected(registry_error(stage, "open", errno));
    std::size_t written = 0;
    while (written < text.size()) {
        const ssize_t some = ::write(out.get(), text.data() + written, text.size() - written);
        if (some < 0 && errno != EINTR)
            break;
        written += static_cast<std::size_t>(std::max<ssize_t>(some, 0));
    }
    if (written == text.size() && rename(fresh.c_str(), file.c_str()) == 0)
        return {};
    const int code = errno;
    (void)unlink(fresh.c_str());
    return std::unexpected(registry_error(stage, written == text.size() ? "rename" : "write", code));
}

enum class LinkState : std::uint8_t { attached, replaced, detached, gone };

// A link that cannot be looked at counts as attached: nothing of it is to be removed. So does one whose program another
// is about to take the place of: xdpf attach --replace writes its file a moment later.
LinkState state_of_link(const Registered &entry)
{
    const LibraryLog quiet;
    const Fd link(bpf_link_get_fd_by_id(entry.link_id));
    if (!link)
        return errno == ENOENT ? LinkState::gone : LinkState::attached;
    bpf_link_info info{};
    std::uint32_t size = sizeof info;
    if (bpf_obj_get_info_by_fd(link.get(), &info, &size) != 0)
        return LinkState::attached;
    if (info.type != BPF_LINK_TYPE_XDP) // the id was given anew
        return LinkState::gone;
    if (info.xdp.ifindex == 0)
        return LinkState::detached;
    const bool other = info.prog_id != entry.program_id && eaccess(file_of(info.prog_id).c_str(), F_OK) == 0;
    return other ? LinkState::replaced : LinkState::attached;
}

// Empty: it is at work.
std::string what_was_left(const Registered &entry)
{
    const std::string what = fmt::format("'{}' on {}", entry.program(), entry.interface);
    if (entry.pid != 0)
        return start_of(entry.pid) == entry.process_start
                   ? std::string()
                   : fmt::format("{}: process {} was killed, the kernel detached its program", what, entry.pid);
    switch (state_of_link(entry)) {
    case LinkState::attached: return {};
    case LinkState::replaced: return fmt::format("{}: another program took its place", what);
    case LinkState::detached: return fmt::format("{}: its interface is gone, or somebody detached its link", what);
    case LinkState::gone: return fmt::format("{}: somebody removed the pin of its link", what);
    }
    return {};
}

bool is_pin_of(const std::string &path, std::uint32_t link_id)
{
    const LibraryLog quiet;
    const Fd link(bpf_obj_get(path.c_str()));
    bpf_link_info info{};
    std::uint32_t size = sizeof info;
    return link && bpf_obj_get_info_by_fd(link.get(), &info, &size) == 0 && info.id == link_id && info.xdp.ifindex == 0;
}

void read_entry(const std::string &file, Leftovers leftovers, Registry &into)
{
    std::ifstream in(file);
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    if (!in.is_open())
        return; // removed meanwhile
    Result<Registered> entry = read_registered(text, file);
    if (!entry) {
        into.unreadable.push_back(std::move(entry.error()));
        return;
    }
    const std::string left = what_was_left(*entry);
    if (left.empty()) {
        into.programs.push_back(std::move(*entry));
        return;
    }
    if (leftovers == Leftovers::keep)
        return;
    if (!remove_pins(*entry))
        into.removed.push_back(
            fmt::format("{}; its pin stays, {} is not in this mount namespace", left, entry->pins[0]));
    else if (Result<void> gone = forget(*entry); gone)
        into.removed.push_back(left);
    else
        into.unreadable.push_back(std::move(gone.error()));
}

} // namespace

bool remove_pins(const Registered &entry)
{
    if (entry.pins.empty())
        return true;
    for (std::size_t i = 1; i < entry.pins.size(); ++i)
        (void)unlink(entry.pins[i].c_str());
    if (state_of_link(entry) != LinkState::detached)
        return true;
    return is_pin_of(entry.pins[0], entry.link_id) && unlink(entry.pins[0].c_str()) == 0;
}

std::uint64_t current_network()
{
    struct stat about {};
    return stat("/proc/thread-self/ns/net", &about) == 0 ? about.st_ino : 0;
}

Registered describe(const Loaded &program, const Interface &interface, const Attachment &attachment, Origin origin)
{
    Registered entry =
        describe(program, interface, std::string(name_of(attachment.mode())), attachment.link_id(), std::move(origin));
    entry.program_id = attachment.program_id(); // through the dispatcher another one than was loaded
    return entry;
}

Registered describe(const Loaded &program, const Interface &interface, std::string mode, std::uint32_t link_id,
                    Origin origin)
{
    Registered entry;
    entry.pid = getpid();
    entry.process_start = start_of(entry.pid).value_or(0);
    entry.network = current_network();
    entry.interface = interface.name;
    entry.interface_index = interface.index;
    entry.started = std::chrono::system_clock::now();
    entry.mode = std::move(mode);
    entry.program_id = program.program_id();
    entry.link_id = link_id;
    entry.image = program.image();
    entry.loaded = program.programs();
    entry.origin = std::move(origin);
    entry.origin.rules.resize(entry.image.programs.size());
    for (std::size_t i = 0; i < entry.image.maps.size(); ++i) {
        bpf_map_info info{};
        std::uint32_t size = sizeof info;
        const int fd = program.map_fd(MapId(i));
        const bool known = fd >= 0 && bpf_obj_get_info_by_fd(fd, &info, &size) == 0;
        entry.maps.push_back(known ? info.id : 0);
    }
    return entry;
}

Result<Registration> Registration::write(Registered entry)
{
    Registration out(std::move(entry));
    if (Result<void> written = write_file(out.entry_, file_of(out.entry_)); !written) {
        out.keep();
        return std::unexpected(std::move(written.error()));
    }
    return out;
}

Registration::Registration(Registration &&other) noexcept
    : entry_(std::move(other.entry_)), kept_(std::exchange(other.kept_, true))
{
}

Registration &Registration::operator=(Registration &&other) noexcept
{
    if (this != &other) {
        remove();
        entry_ = std::move(other.entry_);
        kept_ = std::exchange(other.kept_, true);
    }
    return *this;
}

Registration::~Registration() { remove(); }

void Registration::remove()
{
    if (!std::exchange(kept_, true))
        (void)forget(entry_); // the next who reads removes what is left
}

Result<void> Registration::update(Registered entry)
{
    if (Result<void> written = write_file(entry, file_of(entry)); !written)
        return written;
    const Registered before = std::exchange(entry_, std::move(entry));
    return before.program_id != entry_.program_id ? forget(before) : Result<void>();
}

Result<void> forget(const Registered &entry)
{
    const std::string file = file_of(entry);
    if (unlink(file.c_str()) == 0 || errno == ENOENT)
        return {};
    return std::unexpected(registry_error(fmt::format("cannot remove '{}'", file), "unlink", errno));
}

std::optional<Registered> registered_program(std::uint32_t program_id)
{
    std::ifstream in(file_of(program_id));
    const std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    Result<Registered> entry = read_registered(text, file_of(program_id));
    return entry ? std::optional(std::move(*entry)) : std::nullopt;
}

bool is_at_work(const Registered &entry)
{
    return eaccess(file_of(entry).c_str(), F_OK) == 0 && what_was_left(entry).empty();
}

Result<Registry> registered(Leftovers leftovers)
{
    Registry out;
    const std::unique_ptr<DIR, int (*)(DIR *)> folder(opendir(registry_folder), &closedir);
    if (folder == nullptr) {
        if (errno == ENOENT)
            return out;
        return std::unexpected(registry_error("cannot see which programs are at work", "opendir(/run/xdpf)", errno));
    }
    std::vector<std::string> files;
    while (const dirent *const found = readdir(folder.get()))
        if (std::string_view(found->d_name).ends_with(".json"))
            files.push_back(fmt::format("{}/{}", registry_folder, found->d_name));
    for (const std::string &file : files)
        read_entry(file, leftovers, out);
    for (Registered &one : out.programs) // it may have been renamed
        if (char name[IF_NAMESIZE]; one.network == current_network() &&
                                    if_indextoname(static_cast<unsigned>(one.interface_index), name) != nullptr)
            one.interface = name;
    std::ranges::sort(out.programs, [](const Registered &a, const Registered &b) {
        return std::tie(a.interface, a.started) < std::tie(b.interface, b.started);
    });
    return out;
}

} // namespace xdpf::runtime
