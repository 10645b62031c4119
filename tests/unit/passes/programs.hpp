// Small programs before and after a pass.
#pragma once

#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/pipeline.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>
#include <string_view>

namespace xdpf::passes {

inline ir::Module read(std::string_view blocks)
{
    constexpr std::string_view maps = "map xsks : xskmap key 4 value 4 entries 4\n"
                                      "map seen : hash key 4 value 8 entries 2\n"
                                      "map last : lru_hash key 4 value 8 entries 2\n"
                                      "map conf : array key 4 value 16 entries 1\n"
                                      "map progs : prog_array key 4 value 4 entries 4\n"
                                      "map bloom : bloom_filter key 0 value 8 entries 4\n"
                                      "map fifo : queue key 0 value 8 entries 4\n"
                                      "map ring : ringbuf key 0 value 0 entries 4096\n"
                                      "map other : array key 4 value 16 entries 1\n"
                                      "program test {\n";
    auto module = ir::from_text(std::string(maps) + std::string(blocks) + "}");
    if (!module)
        FAIL(module.error());
    return std::move(*module);
}

inline std::string text(const ir::Module &module) { return ir::to_text(module.programs[0], module.maps); }

// Compares programs as text, so that spaces and numbers in `expected` do not matter.
inline void becomes(void (*pass)(ir::Program &), std::string_view before, std::string_view expected)
{
    ir::Module module = read(before);
    REQUIRE(fmt::format("{}", fmt::join(ir::verify(module), "\n")) == "");
    pass(module.programs[0]);
    CHECK(fmt::format("{}", fmt::join(ir::verify(module), "\n")) == "");
    CHECK(text(module) == text(read(expected)));
}

inline void stays(void (*pass)(ir::Program &), std::string_view blocks) { becomes(pass, blocks, blocks); }

} // namespace xdpf::passes
