// What a compilation keeps; private to the compiler's own files.
#pragma once

#include "compiler/compile.hpp"
#include "compiler/ir/ir.hpp"
#include "compiler/sema/modules.hpp"
#include "compiler/sema/typed.hpp"

namespace xdpf {

struct Compilation::State {
    Sources sources;
    Diagnostics diagnostics;
    sema::Modules modules;
    sema::Unit unit;
    ir::Module module;
    Image image;
};

} // namespace xdpf
