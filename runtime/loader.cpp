// What is loaded, and how: which programs, parameters, the interface that a program is bound to.
#include "runtime/loader.hpp"

#include "compiler/base/diagnostic.hpp"
#include "runtime/library_log.hpp"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ranges>

namespace xdpf::runtime {
namespace {

using Place = ProgramImage::Place;

constexpr std::uint32_t bound_to_device = 1U << 6; // BPF_F_XDP_DEV_BOUND_ONLY, kernel 6.3

bool uses(const ProgramImage &program, MapId map)
{
    return std::ranges::find(program.map_references, map, &MapReference::map) != program.map_references.end();
}

std::string_view name_of(Place place) { return place == Place::devmap ? "devmap" : "cpumap"; }

std::vector<std::string> names_at(const Image &image, Place place)
{
    std::vector<std::string> names;
    for (const ProgramImage &program : image.programs)
        if (program.place == place)
            names.push_back(program.name);
    return names;
}

} // namespace

std::optional<Place> place_at(MapKind kind)
{
    switch (kind) {
    case MapKind::devmap:
    case MapKind::devmap_hash: return Place::devmap;
    case MapKind::cpumap: return Place::cpumap;
    default: return std::nullopt;
    }
}

Loader::Loader(const Image &image, const LoadOptions &options) : image_(image), options_(options)
{
    loaded_.image_ = image;
    loaded_.image_.elf.clear();
    loaded_.image_.tests.clear();
}

Error Loader::failed(std::string message) const
{
    Error error;
    error.stage = fmt::format("cannot load '{}'", loaded_.chosen_.empty() ? image_.name : loaded_.name());
    error.message = std::move(message);
    return error;
}

Result<std::size_t> Loader::main_program() const
{
    const auto programs = image_.own_programs();
    const auto wanted = std::ranges::find_if(programs, [&](const ProgramImage &program) {
        return options_.program.empty() ? program.place == Place::interface : program.name == options_.program;
    });
    if (wanted != programs.end())
        return static_cast<std::size_t>(wanted - programs.begin());
    if (programs.empty())
        return std::unexpected(failed("the file has no program"));
    const auto names = programs | std::views::transform(&ProgramImage::name);
    Error error = failed(options_.program.empty() ? "the file has no program for an interface"
                                                  : "there is no program of that name");
    if (!options_.program.empty())
        error.stage = fmt::format("cannot load '{}'", options_.program);
    error.cause = fmt::format("'{}' has: {}", image_.name, fmt::join(names, ", "));
    if (!options_.program.empty())
        error.remedy = fmt::format("the same command with --program {}", image_.programs.front().name);
    return std::unexpected(std::move(error));
}

Result<void> Loader::choose()
{
    const Result<std::size_t> main = main_program();
    if (!main)
        return std::unexpected(main.error());
    loaded_.main_ = *main;
    loaded_.chosen_ = {*main};
    if (Result<void> chosen = choose_goto(); !chosen || options_.isolated)
        return chosen;
    if (Result<void> checked = check_entry_programs(); !checked)
        return checked;
    for (const MapKind kind : {MapKind::devmap, MapKind::devmap_hash, MapKind::cpumap})
        for (const MapId map : loaded_.used_maps(kind))
            if (Result<void> chosen = choose_entry_program(map); !chosen)
                return chosen;
    return {};
}

Result<void> Loader::choose_goto()
{
    const ProgramImage &main = image_.programs[loaded_.main_];
    if (!image_.program_table.valid() || !uses(main, image_.program_table))
        return {};
    if (options_.for_dispatcher) {
        const bool split = std::ranges::any_of(image_.programs, [&](const ProgramImage &program) {
            return program.part_of == std::optional(loaded_.main_);
        });
        Error error = failed(split ? "a program that is too large in one piece and the dispatcher do not go together"
                                   : "'goto' and the dispatcher do not go together");
        error.cause = "the dispatcher makes an extension of the program, which no table of programs takes";
        error.remedy = "the same command without --dispatcher";
        return std::unexpected(std::move(error));
    }
    std::vector<std::size_t> reached{loaded_.main_};
    for (std::size_t next = 0; next < reached.size(); ++next)
        for (const std::size_t program : image_.programs[reached[next]].goes_on_with)
            if (std::ranges::find(reached, program) == reached.end())
                reached.push_back(program);
    loaded_.chosen_.insert(loaded_.chosen_.end(), reached.begin() + 1, reached.end());
    return {};
}

Result<void> Loader::check_entry_programs() const
{
    for (const auto &[map_name, program_name] : options_.entry_programs) {
        const auto map = loaded_.map_named(map_name);
        const auto place = map ? place_at(image_.maps[map->value].kind) : std::nullopt;
        if (!place)
            return std::unexpected(failed(fmt::format("there is no devmap or cpumap '{}'", map_name)));
        const auto names = names_at(image_, *place);
        if (program_name.empty() || std::ranges::find(names, program_name) != names.end())
            continue;
        Error error = failed(fmt::format("there is no program '{}' on {}", program_name, name_of(*place)));
        error.cause = names.empty() ? fmt::format("the file has no program on {}", name_of(*place))
                                    : fmt::format("there are: {}", fmt::join(names, ", "));
        return std::unexpected(std::move(error));
    }
    return {};
}

Result<void> Loader::choose_entry_program(MapId map)
{
    const MapSpec &spec = image_.maps[map.value];
    const Place place = *place_at(spec.kind);
    const auto names = names_at(image_, place);
    const auto given = options_.entry_programs.find(spec.name);
    if (names.empty() || (given != options_.entry_programs.end() && given->second.empty()))
        return {};
    if (given == options_.entry_programs.end() && names.size() > 1) {
        Error error = failed(fmt::format("which program stands at the entries of '{}'?", spec.name));
        error.cause = fmt::format("the file has several on {}: {}", name_of(place), fmt::join(names, ", "));
        error.remedy = fmt::format("--entry-program {}={}", spec.name, names.front());
        return std::unexpected(std::move(error));
    }
    const std::string &name = given == options_.entry_programs.end() ? names.front() : given->second;
    const auto found = std::ranges::find(image_.programs, name, &ProgramImage::name);
    const auto index = static_cast<std::size_t>(found - image_.programs.begin());
    loaded_.at_entries_[map] = index;
    if (std::ranges::find(loaded_.chosen_, index) == loaded_.chosen_.end())
        loaded_.chosen_.push_back(index);
    return {};
}

Result<void> Loader::prepare()
{
    if (Result<void> pins = prepare_pins(); !pins)
        return pins;
    if (Result<void> reused = prepare_reused(); !reused)
        return reused;
    if (Result<void> parameters = prepare_parameters(); !parameters)
        return parameters;
    return bind_to_interface();
}

// The functions that read receive metadata are the driver's: a program that calls them is for one interface.
Result<void> Loader::bind_to_interface()
{
    if (options_.offload_to != 0) {
        bpf_program__set_ifindex(loaded_.handle(), static_cast<std::uint32_t>(options_.offload_to));
        bpf_map *map = nullptr;
        bpf_object__for_each_map(map, loaded_.object())
            bpf_map__set_ifindex(map, static_cast<std::uint32_t>(options_.offload_to));
        return {};
    }
    for (const std::size_t chosen : loaded_.chosen_) {
        const ProgramImage &program = image_.programs[chosen];
        if (program.kfunc_references.empty())
            continue;
        if (options_.interface == 0 || program.place != Place::interface) {
            Error error =
                failed(fmt::format("'{}' reads receive metadata (rx_hash, rx_timestamp, rx_vlan)", program.name));
            error.cause = "the kernel takes such a program only for an interface, whose driver knows them";
            error.remedy = "xdpf run -i INTERFACE …";
            return std::unexpected(std::move(error));
        }
        bpf_program *handle = loaded_.handle(chosen);
        bpf_program__set_ifindex(handle, static_cast<std::uint32_t>(options_.interface));
        bpf_program__set_flags(handle, bpf_program__flags(handle) | bound_to_device);
    }
    return {};
}

Result<void> Loader::prepare_parameters()
{
    if (!image_.params.valid()) {
        if (options_.parameters.empty())
            return {};
        Error error = failed(fmt::format("there is no parameter '{}'", options_.parameters.begin()->first));
        error.cause = "the file declares none";
        error.remedy = "param limit : u32 = 100   (in the source)";
        return std::unexpected(std::move(error));
    }
    std::vector<std::byte> all = image_.maps[image_.params.value].initial;
    for (const auto &[name, value] : options_.parameters)
        if (Result<void> put = put_parameter(image_, name, value, all); !put)
            return put;
    const LibraryLog said;
    const int result = bpf_map__set_initial_value(loaded_.map_handle(image_.params), all.data(), all.size());
    if (result == 0)
        return {};
    Error error = system_error(fmt::format("cannot load '{}'", loaded_.name()), "bpf_map__set_initial_value", -result);
    error.cause = said.last_line();
    return std::unexpected(std::move(error));
}

} // namespace xdpf::runtime
