// Brings a compiled program into the kernel through libbpf: its maps are made, the verifier has its say.
#pragma once

#include "compiler/image.hpp"
#include "runtime/error.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct bpf_map;
struct bpf_object;
struct bpf_program;

namespace xdpf::runtime {

struct LoadOptions {
    std::string program{};     // its name; empty: the first that an interface can have
    bool verifier_log = false; // keep the verifier's log of a success, too
    int offload_to = 0;        // index of an interface whose card is to run the program; 0: the kernel runs it
    // Only open the object: libxdp's dispatcher loads it while attaching, as an extension program. Map and program
    // descriptors are there after that, and then the maps are to be filled: Loaded::fill_maps().
    bool for_dispatcher = false;
    int interface = 0; // index of the one it is for: programs that read receive metadata are bound to it
    // By name: 53, 10.0.0.1, as in the source. The others keep what the source says.
    std::map<std::string, std::string> parameters{};
    // Name of a devmap or cpumap -> name of the program at its entries; "" for none. A source that has one program for
    // such maps needs nothing said.
    std::map<std::string, std::string> entry_programs{};
    // Name of a map -> descriptor of one of the same kind, sizes and flags that takes its place, with what it holds:
    // the contents of the source are not put in. Duplicated; the caller's stays open.
    std::map<std::string, int> reuse_maps{};
    // Touches nothing outside: pinned maps are its own, and devmaps and cpumaps stay empty.
    bool isolated = false;
};

class ProgramMaps; // runtime/program_maps.hpp

// What a rule met (CompileOptions::rule_counters), of all processors together.
struct RuleCount {
    std::size_t program = 0; // index into Image::programs
    std::size_t rule = 0;    // index into ProgramImage::rules: its number - 1
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

// What the programs decided (CompileOptions::verdict_counters), of all processors together.
struct VerdictCounts {
    std::uint64_t aborted = 0;
    std::uint64_t dropped = 0;
    std::uint64_t passed = 0;
    std::uint64_t transmitted = 0;
    std::uint64_t redirected = 0; // to sockets, interfaces and processors
};

// A program and its maps in the kernel, with the programs that it goes on with (goto) and those at the entries of its
// maps. They go when it is destroyed, unless something else (a link, a socket's process, a pin) holds them.
class Loaded {
public:
    [[nodiscard]] const std::string &name() const { return program().name; }
    [[nodiscard]] const ProgramImage &program() const { return image_.programs[main_]; }
    // What it was loaded from, without the object's bytes and the tests.
    [[nodiscard]] const Image &image() const { return image_; }
    [[nodiscard]] const std::vector<MapSpec> &maps() const { return image_.maps; }

    [[nodiscard]] int program_fd() const;           // -1 before loading
    [[nodiscard]] std::uint32_t program_id() const; // the kernel's id, as bpftool shows it; 0 before loading
    [[nodiscard]] int map_fd(MapId map) const;      // -1: the object does not have it
    [[nodiscard]] std::optional<MapId> map_named(std::string_view name) const;
    [[nodiscard]] const std::string &verifier_log() const { return verifier_log_; }
    // The programs that are loaded: indices into Image::programs.
    [[nodiscard]] const std::vector<std::size_t> &programs() const { return chosen_; }
    // The maps of one kind that these programs refer to, without repetition.
    [[nodiscard]] std::vector<MapId> used_maps(MapKind kind) const;

    // Puts in what maps hold from the beginning: their contents, programs. load() does it.
    [[nodiscard]] Result<void> fill_maps();

    // Of a running program: takes effect at once, for numbers as a whole. Errors: no such parameter, out of its bounds,
    // not a value of its type.
    [[nodiscard]] Result<void> set_parameter(std::string_view name, std::string_view value);
    [[nodiscard]] Result<void> set_parameter(std::string_view name, std::uint64_t value);
    [[nodiscard]] Result<std::string> parameter(std::string_view name) const;

    // In order of programs and rules; empty where rules are not counted.
    [[nodiscard]] Result<std::vector<RuleCount>> rule_counts() const;
    // Nothing where verdicts are not counted.
    [[nodiscard]] Result<std::optional<VerdictCounts>> verdict_counts() const;

    // The same and more, as other processes have it, too.
    [[nodiscard]] ProgramMaps at_work() const;

    // For the dispatcher, which loads the object itself.
    [[nodiscard]] bpf_object *object() const { return object_.get(); }
    [[nodiscard]] bpf_program *handle() const { return handle(main_); }

private:
    struct Closer {
        void operator()(bpf_object *object) const;
    };
    friend class Loader; // runtime/loader.hpp

    [[nodiscard]] bpf_program *handle(std::size_t program) const;
    [[nodiscard]] bpf_map *map_handle(MapId map) const;

    std::unique_ptr<bpf_object, Closer> object_;
    Image image_;
    std::size_t main_ = 0;
    std::vector<std::size_t> chosen_;         // main_ first
    std::map<MapId, std::size_t> at_entries_; // of devmaps and cpumaps: the program at their entries
    std::vector<MapId> kept_;                 // not to be filled
    std::string verifier_log_;
};

// Errors: no such program in the image, missing capabilities, a kernel without a map type, no bpffs for pinned maps or
// another map under their name, an interface that a map names and that is not there, the verifier's rejection
// (Error::place and Error::log).
[[nodiscard]] Result<Loaded> load(const Image &image, const LoadOptions &options = {});

} // namespace xdpf::runtime
