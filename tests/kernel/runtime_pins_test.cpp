// A pinned map of any kind is taken over by the next program that declares it.
#include "compiler/compile.hpp"
#include "runtime/load.hpp"
#include "runtime/maps.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>

#include <sys/mount.h>

using namespace xdpf;
using namespace xdpf::runtime;
using namespace xdpf::testing;

namespace pins_test {
namespace {

// With a bpffs that nobody else sees.
void with_own_bpffs(const std::function<void()> &test)
{
    with_veth(1, [&] {
        REQUIRE(unshare(CLONE_NEWNS) == 0);
        REQUIRE(mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
        REQUIRE(mount("bpf", "/sys/fs/bpf", "bpf", 0, nullptr) == 0);
        test();
    });
}

std::uint32_t id_of_map(const Loaded &loaded, const char *name)
{
    bpf_map_info info{};
    std::uint32_t size = sizeof info;
    REQUIRE(bpf_obj_get_info_by_fd(loaded.map_fd(*loaded.map_named(name)), &info, &size) == 0);
    return info.id;
}

Result<Loaded> load_source(const std::string &source)
{
    const Compilation compiled = compile(source);
    REQUIRE(compiled.ok());
    return load(compiled.image());
}

} // namespace

TEST_CASE("a pinned map is the same one for the next program, whatever its kind")
{
    XDPF_NEEDS_ROOT();
    const std::vector<std::string> sources = {
        "defmap m : devmap[4] (pinned) = {0 -> \"xdpfrt0\"}\nmatch udp -> redirect m[0]",
        "defmap m : devmap_hash[4] (pinned) = {7 -> \"xdpfrt0\"}\nmatch udp -> redirect m[7]",
        "defmap m : cpumap[1] (pinned) = {0 -> 192}\nmatch udp -> redirect m[0]",
        "defmap m : xskmap[4] (pinned)\nmatch udp -> xsk m",
        "defmap m : array<u64>[4] (pinned)\nmatch udp -> count m[0]",
        "defmap m : percpu_array<u64>[4] (pinned)\nmatch udp -> count m[0]",
        "defmap m : hash<ipv4.src -> u64>[4] (pinned)\nmatch ipv4 -> count m[ipv4.src]",
        "defmap m : percpu_hash<ipv4.src -> u64>[4] (pinned)\nmatch ipv4 -> count m[ipv4.src]",
        "defmap m : lru_hash<ipv4.src -> u64>[4] (pinned)\nmatch ipv4 -> count m[ipv4.src]",
        "defmap m : lru_percpu_hash<ipv4.src -> u64>[4] (pinned)\nmatch ipv4 -> count m[ipv4.src]",
        "defmap m : lpm_trie<ipv4.src>[4] (pinned) = {10.0.0.0/8}\nmatch ipv4.src in m -> drop",
        "defmap m : bloom_filter<ipv4.src>[4] (pinned) = {10.0.0.1}\nmatch ipv4.src in m -> drop",
        "defmap m : queue<u32>[4] (pinned)\nmatch udp -> drop",
        "defmap m : stack<u32>[4] (pinned)\nmatch udp -> drop",
        "defmap m : ringbuf[4096] (pinned)\nmatch udp -> emit m {a = ipv4.src}",
    };
    for (const std::string &source : sources)
        with_own_bpffs([&] {
            CAPTURE(source);
            std::uint32_t first = 0;
            for (int run = 0; run < 3; ++run) {
                const Result<Loaded> loaded = load_source(source);
                REQUIRE_MESSAGE(loaded.has_value(), to_string(loaded.error()));
                const std::uint32_t id = id_of_map(*loaded, "m");
                CHECK((run == 0 || id == first));
                first = id;
            }
        });
}

TEST_CASE("a pinned devmap of other sizes is refused, and keeps what it has")
{
    XDPF_NEEDS_ROOT();
    with_own_bpffs([] {
        REQUIRE(load_source("defmap m : devmap[4] (pinned) = {0 -> \"xdpfrt0\"}\nmatch udp -> redirect m[0]"));
        const Result<Loaded> other = load_source("defmap m : devmap[8] (pinned)\nmatch udp -> redirect m[0]");
        REQUIRE_FALSE(other.has_value());
        CHECK(other.error().cause.find("of another kind or other sizes") != std::string::npos);
        CHECK(load_source("defmap m : devmap[4] (pinned)\nmatch udp -> redirect m[0]").has_value());
    });
}

} // namespace pins_test
