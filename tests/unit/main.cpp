#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/skip.hpp"

#include <doctest/doctest.h>

#include <cstdio>

namespace {
bool skipped = false;
}

void xdpf::testing::note_skip(std::string_view reason)
{
    skipped = true;
    std::printf("skipped: %.*s\n", static_cast<int>(reason.size()), reason.data());
}

int main(int argc, char **argv)
{
    doctest::Context context(argc, argv);
    const int result = context.run();
    if (context.shouldExit() || result != 0)
        return result;
    return skipped ? 77 : 0;
}
