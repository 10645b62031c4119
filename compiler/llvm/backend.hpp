// The second way from the IR to instructions: LLVM's BPF target. An optional part of the build (XDPF_LLVM), and the
// only folder that includes LLVM, in a module of its own that is loaded when it is first asked for (module.hpp).
//
// What comes out is a ProgramImage as our own backend makes it, so that maps, BTF, lines and sections are those of
// compiler/object either way.
#pragma once

#include "compiler/bpf/codegen.hpp"
#include "compiler/ir/ir.hpp"

#include <expected>
#include <optional>
#include <span>
#include <string>

namespace xdpf::llvm_backend {

// Whether it is there.
[[nodiscard]] bool available();

struct Failure {
    std::string why;                        // LLVM's words, or ours
    std::optional<bpf::CodegenError> limit; // in place of them: one that holds for every backend
};

// `maps`: those of the module. `sources` may be null: then the program has no line entries.
[[nodiscard]] std::expected<ProgramImage, Failure> generate(const ir::Program &program, std::span<const MapSpec> maps,
                                                            const Sources *sources);

// The module as LLVM's own IR, before any of LLVM's passes: text for `opt-19` and `llc-19 -march=bpf`. Empty where it
// is not available().
[[nodiscard]] std::string to_llvm(const ir::Module &module, const Sources &sources);

} // namespace xdpf::llvm_backend
