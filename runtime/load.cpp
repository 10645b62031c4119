#include "runtime/load.hpp"

#include "runtime/library_log.hpp"
#include "runtime/loader.hpp"
#include "runtime/program_maps.hpp"
#include "runtime/verifier_log.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <sys/resource.h>

namespace xdpf::runtime {
namespace {

// Kernels before 6.4 take no larger buffer for the log; later ones keep its end when it overflows.
constexpr std::size_t log_size = (1U << 24) - 1;

// Since 5.11 maps and programs are charged to the memory cgroup, and only UMEMs still count. Not everybody may raise
// it.
void raise_locked_memory()
{
    static std::once_flag once;
    std::call_once(once, [] {
        const rlimit unlimited{RLIM_INFINITY, RLIM_INFINITY};
        if (setrlimit(RLIMIT_MEMLOCK, &unlimited) == 0)
            return;
        rlimit limit{};
        if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0) {
            limit.rlim_cur = limit.rlim_max;
            (void)setrlimit(RLIMIT_MEMLOCK, &limit);
        }
    });
}

Error rejected(const ProgramImage &program, int code, std::string log)
{
    Error error = system_error(fmt::format("cannot load '{}'", program.name), "bpf(BPF_PROG_LOAD)", code);
    Rejection rejection = read_rejection(log, program);
    error.place = std::move(rejection.place);
    if (!rejection.message.empty())
        error.message = fmt::format("the kernel's verifier rejects the program: {}", rejection.message);
    // EACCES is the verifier speaking; only where it says so has that to do with capabilities. Without CAP_PERFMON it
    // takes less: no arithmetic with two pointers, for one.
    const std::string missing = missing_capabilities();
    if (missing.find("CAP_PERFMON") != std::string::npos) {
        error.cause = fmt::format("this process lacks {}, and the verifier takes less without CAP_PERFMON", missing);
        error.remedy = fmt::format("{}   (or run it with sudo)", how_to_give_capabilities());
    } else if (rejection.message.find("!root") == std::string::npos) {
        error.cause.clear();
        error.remedy = "xdpf run --verifier-log …   (shows the verifier's whole log)";
    }
    error.log = std::move(log);
    return error;
}

// libbpf tells only in words which pinned map it cannot use.
std::string mismatched_pin(std::string_view said)
{
    constexpr std::string_view before = "reuse pinned map at '";
    const auto at = said.find(before);
    if (at == std::string_view::npos)
        return {};
    const std::string_view rest = said.substr(at + before.size());
    return std::string(rest.substr(0, rest.find('\'')));
}

} // namespace

void Loaded::Closer::operator()(bpf_object *object) const { bpf_object__close(object); }

bpf_program *Loaded::handle(std::size_t program) const
{
    return bpf_object__find_program_by_name(object_.get(), image_.programs[program].name.c_str());
}

// libbpf names the map of a section after the section.
bpf_map *Loaded::map_handle(MapId map) const
{
    if (!map.valid() || map.value >= image_.maps.size())
        return nullptr;
    const MapSpec &spec = image_.maps[map.value];
    return bpf_object__find_map_by_name(object_.get(), (spec.data ? data_section_of(spec) : spec.name).c_str());
}

int Loaded::program_fd() const { return object_ != nullptr ? bpf_program__fd(handle()) : -1; }

std::uint32_t Loaded::program_id() const
{
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    return program_fd() >= 0 && bpf_obj_get_info_by_fd(program_fd(), &info, &size) == 0 ? info.id : 0;
}

int Loaded::map_fd(MapId map) const
{
    const bpf_map *found = map_handle(map);
    return found != nullptr ? bpf_map__fd(found) : -1;
}

std::optional<MapId> Loaded::map_named(std::string_view name) const
{
    const auto found = std::ranges::find(maps(), name, &MapSpec::name);
    return found != maps().end() ? std::optional(MapId(static_cast<std::size_t>(found - maps().begin())))
                                 : std::nullopt;
}

std::vector<MapId> Loaded::used_maps(MapKind kind) const
{
    std::vector<MapId> used;
    for (const std::size_t program : chosen_)
        for (const MapReference &reference : image_.programs[program].map_references)
            if (maps()[reference.map.value].kind == kind && std::ranges::find(used, reference.map) == used.end())
                used.push_back(reference.map);
    return used;
}

ProgramMaps Loaded::at_work() const
{
    return {image_, chosen_, [this](MapId map) { return map_fd(map); }};
}

Result<void> Loaded::set_parameter(std::string_view name, std::string_view value)
{
    return at_work().set_parameter(name, value);
}

Result<void> Loaded::set_parameter(std::string_view name, std::uint64_t value)
{
    return set_parameter(name, fmt::format("{}", value));
}

Result<std::string> Loaded::parameter(std::string_view name) const { return at_work().parameter(name); }
Result<std::vector<RuleCount>> Loaded::rule_counts() const { return at_work().rule_counts(); }
Result<std::optional<VerdictCounts>> Loaded::verdict_counts() const { return at_work().verdict_counts(); }

Error Loader::not_loaded(int code, const LibraryLog &said) const
{
    const auto bound = std::ranges::find_if(
        loaded_.chosen_, [&](std::size_t program) { return !image_.programs[program].kfunc_references.empty(); });
    Error error = system_error(fmt::format("cannot load '{}'", loaded_.name()), "bpf", code);
    if (options_.offload_to != 0 && code != EPERM) {
        error.cause = "only a few cards run BPF programs themselves (nfp), and none of them knows XSKMAPs";
        error.remedy = "the same command with --mode=native";
    } else if (const std::string pin = mismatched_pin(said.text()); !pin.empty()) {
        error.cause = fmt::format("{} is a map of another kind or other sizes than the program's of that name", pin);
        error.remedy = fmt::format("rm {}   (with what it holds)", pin);
    } else if (explain_refused_map(error, image_, said.text())) {
        return error;
    } else if (bound != loaded_.chosen_.end() && code != EPERM) {
        error.cause =
            fmt::format("'{}' reads receive metadata (rx_hash, rx_timestamp, rx_vlan), which this interface's "
                        "driver or this kernel (before 6.3; rx_vlan 6.8) does not offer",
                        image_.programs[*bound].name);
        error.remedy = "uname -r; ethtool -i INTERFACE   (which they are)";
    }
    if (error.cause.empty())
        error.cause = said.last_line();
    if (code == ENOMEM)
        error.remedy = "ulimit -l; free -m   (maps need kernel memory)";
    else if (error.remedy.empty())
        error.remedy = "bpftool feature probe kernel   (what this kernel offers)";
    return error;
}

Result<void> Loader::open()
{
    const LibraryLog said;
    const std::string folder(pin_folder);
    DECLARE_LIBBPF_OPTS(bpf_object_open_opts, open, .object_name = image_.name.c_str(),
                        .pin_root_path = folder.c_str());
    loaded_.object_.reset(bpf_object__open_mem(image_.elf.data(), image_.elf.size(), &open));
    if (loaded_.object_ == nullptr) {
        Error error = system_error(fmt::format("cannot load '{}'", loaded_.name()), "bpf_object__open_mem", errno);
        error.cause = said.last_line();
        return std::unexpected(std::move(error));
    }
    bpf_program *program = nullptr;
    bpf_object__for_each_program(program, loaded_.object()) bpf_program__set_autoload(program, false);
    for (const std::size_t chosen : loaded_.chosen_)
        bpf_program__set_autoload(loaded_.handle(chosen), true);
    return {};
}

Result<void> Loader::load()
{
    const LibraryLog said;
    // Its pages stay untouched unless the kernel writes to them.
    std::vector<std::unique_ptr<char[]>> logs;
    for (const std::size_t program : loaded_.chosen_) {
        logs.emplace_back(new char[log_size])[0] = '\0';
        bpf_program__set_log_buf(loaded_.handle(program), logs.back().get(), log_size);
        bpf_program__set_log_level(loaded_.handle(program), options_.verifier_log ? 1 : 0);
    }
    const int result = bpf_object__load(loaded_.object());
    for (std::size_t i = 0; i < logs.size(); ++i) {
        bpf_program__set_log_buf(loaded_.handle(loaded_.chosen_[i]), nullptr, 0);
        // Of several the last one that has a log is the one that failed.
        if (*logs[i].get() != '\0')
            loaded_.verifier_log_ += logs[i].get();
    }
    if (result == 0)
        return {};
    // The verifier has no part in these, though it may have written that it is done.
    const bool is_its = result != -EPERM && result != -EMFILE && result != -ENFILE;
    for (std::size_t i = logs.size(); i-- > 0 && is_its;)
        if (*logs[i].get() != '\0')
            return std::unexpected(rejected(image_.programs[loaded_.chosen_[i]], -result, logs[i].get()));
    return std::unexpected(not_loaded(-result, said));
}

Result<Loaded> load(const Image &image, const LoadOptions &options)
{
    raise_locked_memory();
    Loader loader(image, options);
    Result<void> done = loader.choose();
    if (done)
        done = loader.open();
    if (done)
        done = loader.prepare();
    if (done && !options.for_dispatcher)
        done = loader.load();
    if (!done)
        return std::unexpected(std::move(done.error()));
    Loaded loaded = loader.take();
    if (!options.for_dispatcher)
        if (Result<void> filled = loaded.fill_maps(); !filled)
            return std::unexpected(std::move(filled.error()));
    return loaded;
}

} // namespace xdpf::runtime
