// What the kernel refuses is named: the map and why, the metadata that a mode does not have.
#include "compiler/compile.hpp"
#include "runtime/loader.hpp"
#include "runtime/maps.hpp"
#include "runtime/session.hpp"
#include "tests/kernel/runtime_net.hpp"
#include "tests/kernel/runtime_programs.hpp"
#include "tests/skip.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

using namespace xdpf;
using namespace xdpf::runtime;
using namespace xdpf::testing;

namespace refused_test {
namespace {

bool says(const std::string &text, const char *part) { return text.find(part) != std::string::npos; }

Error refusal(const std::string &source)
{
    const Compilation compiled = compile(source);
    REQUIRE(compiled.ok());
    const Result<Loaded> loaded = load(compiled.image());
    REQUIRE_FALSE(loaded.has_value());
    return loaded.error();
}

} // namespace

TEST_CASE("a cpumap with more entries than there can be processors")
{
    XDPF_NEEDS_ROOT();
    const Error error = refusal("defmap wide : cpumap[8192] = {0 -> 192}\nmatch udp -> redirect wide[0]");
    CHECK(says(error.stage, "map 'wide'"));
    CHECK(says(error.cause, "'defmap wide : cpumap[8192]': entries of a cpumap are processors"));
    CHECK(says(error.remedy, "defmap wide : cpumap["));
    CHECK(error.span.valid());
}

// The compiler refuses such maps; images may come from elsewhere, and kernels differ.
TEST_CASE("flags and sizes that the kernel does not take")
{
    XDPF_NEEDS_ROOT();
    Image image;
    image.maps = {map_spec("odd", MapKind::hash, 4, 4), map_spec("huge", MapKind::array, 1U << 31, 1U << 20),
                  map_spec("none", MapKind::hash, 4, 0)};
    image.maps[0].flags = 0x40000;
    const auto explained = [&](const char *name, int code) {
        Error error = system_error("", "bpf", code);
        CHECK(explain_refused_map(error, image, std::string("libbpf: map '") + name + "': failed to create: x(-1)\n"));
        CHECK(error.stage == std::string("cannot make map '") + name + "'");
        return error;
    };
    const Error odd = explained("odd", EINVAL);
    CHECK(says(odd.cause, "'defmap odd : hash[4] (flags = 0x40000)': it takes one without these flags"));
    CHECK(says(odd.remedy, "other flags for 'odd'"));
    const Error huge = explained("huge", ENOMEM);
    CHECK(says(huge.cause, "it takes one with fewer entries; this one wants 2251799814 MB"));
    CHECK(says(huge.remedy, "free -m"));
    CHECK(says(explained("none", EINVAL).cause, "however few its entries"));
    Error other = system_error("", "bpf", EINVAL);
    CHECK_FALSE(explain_refused_map(other, image, "libbpf: something else\n"));
}

TEST_CASE("receive metadata in skb mode")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Compilation compiled = compile("match rx_hash == 4 and rx_hash != 7 -> drop");
        REQUIRE(compiled.ok());
        SessionOptions options;
        options.interface = "xdpfrt0";
        options.mode = Mode::skb;
        const Result<Session> session = Session::open(compiled.image(), options);
        REQUIRE_FALSE(session.has_value());
        CHECK(says(session.error().cause, "the program reads rx_hash, which only a driver knows"));
        CHECK(says(session.error().remedy, "--mode=native"));
    });
}

TEST_CASE("entries of every kind that has them, by batches and by keys; a walk can be ended")
{
    XDPF_NEEDS_ROOT();
    with_veth(1, [] {
        const Compilation compiled = compile("defmap a : array<u64>[100_000] = {3 -> 5, 99_999 -> 7}\n"
                                             "defmap b : percpu_array<u32>[3] = {1 -> 4}\n"
                                             "defmap c : hash<u16 -> u8>[9000] = {9 -> 3, 2 -> 1}\n"
                                             "defmap d : lru_percpu_hash<u32 -> u64>[80] = {2 -> 9}\n"
                                             "defmap e : lpm_trie<ipv4.src>[8] = {10.0.0.0/8, 10.1.0.0/16}\n"
                                             "defmap f : devmap_hash[8] = {3 -> \"xdpfrt0\"}\n"
                                             "defmap g : hash<u16 -> u8>[9000]\n"
                                             "match udp -> drop");
        REQUIRE(compiled.ok());
        const Result<Loaded> loaded = load(compiled.image());
        REQUIRE_MESSAGE(loaded.has_value(), to_string(loaded.error()));
        const auto texts = [&](const char *name) {
            const Map map = map_of(*loaded, name).value();
            std::vector<std::string> out;
            const std::vector<Entry> entries = map.entries().value();
            for (const Entry &entry : entries)
                if (std::ranges::any_of(entry.value, [](std::byte b) { return b != std::byte{0}; }) ||
                    map.spec().is_set)
                    out.push_back(map.text(entry));
            return out;
        };
        using Texts = std::vector<std::string>;
        const auto processors = libbpf_num_possible_cpus();
        CHECK(texts("a") == Texts{"3 -> 5", "99999 -> 7"});
        CHECK(texts("b") == Texts{"1 -> " + std::to_string(4 * processors)});
        CHECK(texts("c") == Texts{"2 -> 1", "9 -> 3"});
        CHECK(texts("d") == Texts{"2 -> " + std::to_string(9 * processors)});
        CHECK(texts("e") == Texts{"10.0.0.0/8", "10.1.0.0/16"});
        CHECK(texts("f").size() == 1);
        CHECK(texts("g").empty());
        CHECK(map_of(*loaded, "a").value().entries().value().size() == 100'000);
        CHECK(map_of(*loaded, "a").value().entries(3).value().size() == 3);
        int seen = 0;
        CHECK(map_of(*loaded, "a").value().for_each([&](auto, auto) { return ++seen < 7; }).has_value());
        CHECK(seen == 7);
    });
}

} // namespace refused_test
