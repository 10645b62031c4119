// The library's face: source text in, an image out, with everything there is to say about the source.
//
//   auto compilation = xdpf::compile("match udp.dport == 53 -> xsk");
//   if (!compilation.ok())
//       fmt::print(stderr, "{}", xdpf::to_text(compilation.diagnostics(), compilation.sources()));
//   else
//       use(compilation.image());
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/image.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf {

// What makes instructions of the intermediate representation: our own code generator, or LLVM's BPF target.
enum class Backend : std::uint8_t { own, llvm };

// Whether this build has it: LLVM is an optional part. Without it, compiling with it is an error.
[[nodiscard]] bool has_backend(Backend backend);

struct CompileOptions {
    bool optimize = true;
    bool rule_counters = false; // each rule counts its packets: ProgramImage::rule_counters
    TableBytes table_bytes{};   // for others that shall take the place of rules from files
    Backend backend = Backend::own;
    // Programs of an interface count what they decide: Image::verdict_counters. `asm` ends by itself, uncounted.
    bool verdict_counters = false;
    Overlay overlay{}; // of modules that are imported
};

// What can be looked at: the syntax tree, the intermediate representation behind the passes, the same as LLVM's IR (as
// it is handed to LLVM's passes), the BPF instructions.
enum class Stage : std::uint8_t { ast, ir, llvm, bpf };

[[nodiscard]] std::optional<Stage> stage_named(std::string_view name); // "ast", "ir", "llvm", "bpf"

// One source through all stages. Owns the sources that its spans point into; movable, not copyable.
class Compilation {
public:
    struct State;

    explicit Compilation(std::unique_ptr<State> state);
    Compilation(Compilation &&) noexcept;
    Compilation &operator=(Compilation &&) noexcept;
    ~Compilation();

    // Whether there is an image: no error was reported. Warnings may have been.
    [[nodiscard]] bool ok() const;
    [[nodiscard]] const Sources &sources() const;
    [[nodiscard]] const Diagnostics &diagnostics() const;
    [[nodiscard]] const Image &image() const; // only where ok()
    // Image::elf for other loaders, which libbpf makes fill the table of programs (`goto`, a program that was split).
    [[nodiscard]] std::vector<std::byte> object() const; // only where ok()
    // Stable text. `ast` is there for whatever could be parsed; the others only where ok().
    [[nodiscard]] std::string dump(Stage stage) const;
    // What form the rules have got and why, and what a program costs; only where ok().
    [[nodiscard]] std::string explain_forms() const;
    [[nodiscard]] const State &state() const { return *state_; }

private:
    std::unique_ptr<State> state_;
};

// Compiles a text; `name` is what messages and the implicit program call it, imports are looked up beside it.
[[nodiscard]] Compilation compile(std::string text, std::string name = "program.xdpf",
                                  const CompileOptions &options = {});

// Compiles a file. A file that cannot be read is a diagnostic like any other.
[[nodiscard]] Compilation compile_file(const std::filesystem::path &path, const CompileOptions &options = {});

} // namespace xdpf
