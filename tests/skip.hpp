// For tests that need root or a kernel feature: they say what is missing and end as "skipped" in CTest.
#pragma once

#include <string_view>
#include <unistd.h>

namespace xdpf::testing {

// Prints the reason and makes the executable exit with 77 (CTest's SKIP_RETURN_CODE), unless another case failed.
void note_skip(std::string_view reason);

} // namespace xdpf::testing

// Ends the test case: XDPF_SKIP("no AF_XDP in this kernel").
#define XDPF_SKIP(reason)                                                                                              \
    do {                                                                                                               \
        ::xdpf::testing::note_skip(reason);                                                                            \
        return;                                                                                                        \
    } while (false)

// First line of a test that loads programs, makes interfaces or namespaces.
#define XDPF_NEEDS_ROOT()                                                                                              \
    do {                                                                                                               \
        if (::geteuid() != 0)                                                                                          \
            XDPF_SKIP("needs root");                                                                                   \
    } while (false)
