// Brings a compiled program into the kernel through libbpf: its maps are made, the verifier has its say.
#pragma once

#include "compiler/image.hpp"
#include "runtime/error.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct bpf_object;
struct bpf_program;

namespace xdpf::runtime {

struct LoadOptions {
    std::string program;       // its name; empty: the image's first
    bool verifier_log = false; // keep the verifier's log of a success, too
    int offload_to = 0;        // index of an interface whose card is to run the program; 0: the kernel runs it
    // Only open the object: libxdp's dispatcher loads it while attaching, as an extension program. Map and program
    // descriptors are there after that.
    bool for_dispatcher = false;
};

// A program and its maps in the kernel. They go when it is destroyed, unless something else (a link, a socket's
// process) holds them.
class Loaded {
public:
    [[nodiscard]] const std::string &name() const { return program_.name; }
    // The program's map references, lines and name, without its instructions' owner.
    [[nodiscard]] const ProgramImage &program() const { return program_; }
    [[nodiscard]] const std::vector<MapSpec> &maps() const { return maps_; }

    [[nodiscard]] int program_fd() const;           // -1 before loading
    [[nodiscard]] std::uint32_t program_id() const; // the kernel's id, as bpftool shows it; 0 before loading
    [[nodiscard]] int map_fd(MapId map) const;      // -1: the object does not have it
    [[nodiscard]] const std::string &verifier_log() const { return verifier_log_; }
    // The maps of one kind that this program refers to, without repetition.
    [[nodiscard]] std::vector<MapId> used_maps(MapKind kind) const;

    // For the dispatcher, which loads the object itself.
    [[nodiscard]] bpf_object *object() const { return object_.get(); }
    [[nodiscard]] bpf_program *handle() const { return handle_; }

private:
    struct Closer {
        void operator()(bpf_object *object) const;
    };
    friend Result<Loaded> load(const Image &image, const LoadOptions &options);
    friend Result<Loaded> open_object(const Image &image, const LoadOptions &options);

    std::unique_ptr<bpf_object, Closer> object_;
    bpf_program *handle_ = nullptr;
    ProgramImage program_;
    std::vector<MapSpec> maps_;
    std::string verifier_log_;
};

// Errors: no such program in the image, missing capabilities, a kernel without a map type, the verifier's rejection
// (Error::place and Error::log).
[[nodiscard]] Result<Loaded> load(const Image &image, const LoadOptions &options = {});

} // namespace xdpf::runtime
