// Makes programs smaller and faster without changing what they mean.
#pragma once

#include "compiler/ir/ir.hpp"

#include <span>
#include <string_view>

namespace xdpf::passes {

// One pass: a sound program in, a sound program of the same meaning out.
struct Pass {
    std::string_view name;
    void (*run)(ir::Program &);
};

// In the order in which they run.
[[nodiscard]] std::span<const Pass> pipeline();

// Whether ir::verify() runs before the first pass and after each. A finding is a bug of ours: it is printed with the
// pass's name and the program's text, and the process aborts.
enum class Checks : bool { off, on };
#ifdef NDEBUG
inline constexpr Checks default_checks = Checks::off;
#else
inline constexpr Checks default_checks = Checks::on;
#endif

void optimize(ir::Module &module, Checks checks = default_checks);

} // namespace xdpf::passes
