// Small programs for the tests of the IR.
#pragma once

#include "compiler/ir/text.hpp"

#include <doctest/doctest.h>

#include <string>
#include <string_view>

namespace xdpf::ir {

inline Module read_module(std::string_view text)
{
    auto module = from_text(text);
    if (!module)
        FAIL(module.error());
    return std::move(*module);
}

// One program around the blocks given, with a map of each sort that the tests need.
inline Module read_blocks(std::string_view blocks)
{
    constexpr std::string_view maps = "map xsks : xskmap key 4 value 4 entries 4\n"
                                      "map hits : array key 4 value 16 entries 2\n"
                                      "map seen : hash key 8 value 8 entries 2\n"
                                      "map conf : array key 4 value 16 entries 1\n"
                                      "map devs : devmap key 4 value 4 entries 4\n"
                                      "map progs : prog_array key 4 value 4 entries 4\n"
                                      "map bloom : bloom_filter key 0 value 8 entries 4\n"
                                      "map fifo : queue key 0 value 8 entries 2\n"
                                      "map ring : ringbuf key 0 value 0 entries 4096\n\n"
                                      "program test {\n";
    return read_module(std::string(maps) + std::string(blocks) + "}\n");
}

} // namespace xdpf::ir
