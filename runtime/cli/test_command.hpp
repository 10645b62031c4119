// `xdpf test`: the tests that stand in a source.
#pragma once

#include "runtime/cli/source.hpp"

namespace xdpf::cli {

struct TestOptions {
    SourceOptions source;
    bool kernel = false; // in the kernel, too; both must agree
    std::string filter;  // only tests whose name has this in it
};

// Status 0 where every test passes. A source without tests is no failure.
[[nodiscard]] int test(const TestOptions &options);

} // namespace xdpf::cli
