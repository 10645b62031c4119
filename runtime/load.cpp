#include "runtime/load.hpp"

#include "runtime/library_log.hpp"
#include "runtime/verifier_log.hpp"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <ranges>
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

Error no_such_program(const Image &image, const std::string &name)
{
    Error error;
    error.stage = name.empty() ? fmt::format("cannot load '{}'", image.name) : fmt::format("cannot load '{}'", name);
    if (image.programs.empty()) {
        error.message = "the file has no program";
        return error;
    }
    error.message = "there is no program of that name";
    const auto names = image.programs | std::views::transform(&ProgramImage::name);
    error.cause = fmt::format("'{}' has: {}", image.name, fmt::join(names.begin(), names.end(), ", "));
    return error;
}

Error rejected(const ProgramImage &program, int code, std::string log)
{
    Error error = system_error(fmt::format("cannot load '{}'", program.name), "bpf(BPF_PROG_LOAD)", code);
    Rejection rejection = read_rejection(log, program);
    error.place = std::move(rejection.place);
    if (!rejection.message.empty())
        error.message = fmt::format("the kernel's verifier rejects the program: {}", rejection.message);
    // EACCES is the verifier speaking; only where it says so has that to do with capabilities.
    if (rejection.message.find("!root") == std::string::npos) {
        error.cause.clear();
        error.remedy = "xdpf run --verifier-log …   (shows the verifier's whole log)";
    }
    error.log = std::move(log);
    return error;
}

// libbpf's last words name the map that the kernel would not make.
Error not_loaded(const ProgramImage &program, int code, const LibraryLog &said, int offload_to)
{
    Error error = system_error(fmt::format("cannot load '{}'", program.name), "bpf", code);
    if (offload_to != 0 && code != EPERM) {
        error.cause = "only a few cards run BPF programs themselves (nfp), and none of them knows XSKMAPs";
        error.remedy = "the same command with --mode=native";
    }
    if (error.cause.empty())
        error.cause = said.last_line();
    if (code == ENOMEM)
        error.remedy = "ulimit -l; free -m   (maps need kernel memory)";
    else if (error.remedy.empty())
        error.remedy = "bpftool feature probe kernel   (what this kernel offers)";
    return error;
}

} // namespace

void Loaded::Closer::operator()(bpf_object *object) const { bpf_object__close(object); }

int Loaded::program_fd() const { return handle_ != nullptr ? bpf_program__fd(handle_) : -1; }

std::uint32_t Loaded::program_id() const
{
    bpf_prog_info info{};
    std::uint32_t size = sizeof info;
    return program_fd() >= 0 && bpf_obj_get_info_by_fd(program_fd(), &info, &size) == 0 ? info.id : 0;
}

int Loaded::map_fd(MapId map) const
{
    if (!map.valid() || map.value >= maps_.size())
        return -1;
    const bpf_map *found = bpf_object__find_map_by_name(object_.get(), maps_[map.value].name.c_str());
    return found != nullptr ? bpf_map__fd(found) : -1;
}

std::vector<MapId> Loaded::used_maps(MapKind kind) const
{
    std::vector<MapId> used;
    for (const MapReference &reference : program_.map_references)
        if (maps_[reference.map.value].kind == kind && std::ranges::find(used, reference.map) == used.end())
            used.push_back(reference.map);
    return used;
}

Result<Loaded> open_object(const Image &image, const LoadOptions &options)
{
    const auto wanted = std::ranges::find_if(image.programs, [&](const ProgramImage &program) {
        return options.program.empty() || program.name == options.program;
    });
    if (wanted == image.programs.end())
        return std::unexpected(no_such_program(image, options.program));

    const LibraryLog said;
    Loaded loaded;
    loaded.program_ = *wanted;
    loaded.maps_ = image.maps;
    DECLARE_LIBBPF_OPTS(bpf_object_open_opts, open, .object_name = image.name.c_str());
    loaded.object_.reset(bpf_object__open_mem(image.elf.data(), image.elf.size(), &open));
    if (loaded.object_ == nullptr) {
        Error error = system_error(fmt::format("cannot load '{}'", wanted->name), "bpf_object__open_mem", errno);
        error.cause = said.last_line();
        return std::unexpected(std::move(error));
    }
    bpf_program *program = nullptr;
    bpf_object__for_each_program(program, loaded.object_.get())
    {
        const bool mine = wanted->name == bpf_program__name(program);
        bpf_program__set_autoload(program, mine);
        if (mine)
            loaded.handle_ = program;
    }
    if (loaded.handle_ == nullptr)
        return std::unexpected(no_such_program(image, wanted->name));
    return loaded;
}

Result<Loaded> load(const Image &image, const LoadOptions &options)
{
    raise_locked_memory();
    Result<Loaded> loaded = open_object(image, options);
    if (!loaded || options.for_dispatcher)
        return loaded;

    if (options.offload_to != 0) {
        bpf_program__set_ifindex(loaded->handle_, static_cast<std::uint32_t>(options.offload_to));
        bpf_map *map = nullptr;
        bpf_object__for_each_map(map, loaded->object())
            bpf_map__set_ifindex(map, static_cast<std::uint32_t>(options.offload_to));
    }
    const LibraryLog said;
    // Its pages stay untouched unless the kernel writes to them.
    const std::unique_ptr<char[]> log(new char[log_size]);
    log[0] = '\0';
    bpf_program__set_log_buf(loaded->handle_, log.get(), log_size);
    bpf_program__set_log_level(loaded->handle_, options.verifier_log ? 1 : 0);
    const int result = bpf_object__load(loaded->object());
    std::string text(log.get());
    bpf_program__set_log_buf(loaded->handle_, nullptr, 0);
    if (result < 0) {
        const bool verifier = !text.empty() && result != -EPERM;
        return std::unexpected(verifier ? rejected(loaded->program_, -result, std::move(text))
                                        : not_loaded(loaded->program_, -result, said, options.offload_to));
    }
    if (options.verifier_log)
        loaded->verifier_log_ = std::move(text);
    return loaded;
}

} // namespace xdpf::runtime
