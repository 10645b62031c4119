// Captures over several files, named and numbered as tcpdump does it, and the clock of their packets.
#include "runtime/capture_writer.hpp"

#include "runtime/capture_file.hpp"
#include "runtime/wall_clock.hpp"
#include "tests/unit/runtime/pcapng_blocks.hpp"

#include <cerrno>
#include <ctime>

using namespace xdpf;
using namespace xdpf::runtime;

namespace {

using Names = std::vector<std::string>;

const std::vector<std::byte> packet_bytes(1000, std::byte{0x11});

// `count` packets of 1,000 bytes, `step` ns apart, the first one now.
void write_packets(CaptureWriter &writer, int count, std::uint64_t step = 1)
{
    const std::uint64_t now = WallClock::now();
    for (int i = 0; i < count; ++i)
        REQUIRE(
            writer.write({.time = now + static_cast<std::uint64_t>(i) * step, .bytes = packet_bytes, .length = 1000}));
}

int packets_in(const std::string &path)
{
    auto file = CaptureFile::open(path);
    REQUIRE(file);
    int packets = 0;
    while (file->next().value())
        ++packets;
    return packets;
}

CaptureWriter open_with(const CaptureOptions &options)
{
    auto writer = CaptureWriter::open(options);
    REQUIRE(writer);
    REQUIRE(writer->add_interface({.name = "eth0"}).value() == 0);
    return std::move(*writer);
}

} // namespace

TEST_CASE("one file: packets are cut, counted, and sealed with statistics")
{
    const test::Scratch scratch;
    auto writer = open_with({.path = scratch / "a.pcapng", .snap_length = 100, .packets = 3});
    CHECK(writer.add_interface({.name = "eth1", .snap_length = 64}).value() == 1);
    CHECK(!writer.done());
    REQUIRE(writer.write({.interface = 1, .bytes = packet_bytes, .length = 1000}));
    write_packets(writer, 5);
    CHECK(writer.done());
    CHECK(writer.packets() == 3);
    CHECK(writer.bytes() == 264);
    REQUIRE(writer.finish({{.received = 10, .accepted = 5, .dropped = 2}}));
    REQUIRE(writer.finish()); // nothing happens any more
    const auto blocks = test::blocks_of(scratch / "a.pcapng");
    REQUIRE(blocks.size() == 8);
    CHECK(blocks[0].options(16)[4].starts_with("xdpf "));
    CHECK(blocks[1].number<std::uint32_t>(4) == 100);
    CHECK(blocks[2].number<std::uint32_t>(4) == 64);
    CHECK(blocks[3].number<std::uint32_t>(12) == 64);
    CHECK(blocks[4].number<std::uint32_t>(12) == 100);
    CHECK(blocks[4].number<std::uint32_t>(16) == 1000);
    auto statistics = blocks[6].options(12);
    CHECK(test::as<std::uint64_t>(statistics[4]) == 10);
    CHECK(test::as<std::uint64_t>(statistics[5]) == 2);
    CHECK(test::as<std::uint64_t>(statistics[6]) == 5);
    CHECK(test::as<std::uint64_t>(statistics[8]) == 2);
    statistics = blocks[7].options(12);
    CHECK(!statistics.contains(4));
    CHECK(test::as<std::uint64_t>(statistics[8]) == 1);
}

TEST_CASE("what is flushed can be read; with packet_buffered that is each packet")
{
    const test::Scratch scratch;
    auto writer = open_with({.path = scratch / "a.pcapng"});
    write_packets(writer, 1);
    CHECK(test::blocks_of(scratch / "a.pcapng").empty());
    REQUIRE(writer.flush());
    CHECK(packets_in(scratch / "a.pcapng") == 1);
    auto direct = open_with({.path = scratch / "b.pcapng", .packet_buffered = true});
    write_packets(direct, 1);
    CHECK(packets_in(scratch / "b.pcapng") == 1);
}

TEST_CASE("a new file behind so many bytes")
{
    const test::Scratch scratch;
    auto writer = open_with({.path = scratch / "a", .file_bytes = 3000});
    write_packets(writer, 12); // three are more than 3,000 bytes
    REQUIRE(writer.finish());
    CHECK(scratch.files() == Names{"a", "a1", "a2", "a3"});
    CHECK(writer.files() == 4);
    for (const auto &name : scratch.files())
        CHECK(packets_in(scratch / name) == 3);
    CHECK(test::blocks_of(scratch / "a1")[1].options(8)[2] == "eth0");
}

TEST_CASE("a ring of files")
{
    const test::Scratch scratch;
    auto writer = open_with({.path = scratch / "a", .file_bytes = 3000, .files = 11});
    write_packets(writer, 3 * 12 + 1); // 13 files: the first two are overwritten
    REQUIRE(writer.finish());
    CHECK(scratch.files().size() == 11);
    CHECK(scratch.files().front() == "a00");
    CHECK(scratch.files().back() == "a10");
    CHECK(packets_in(scratch / "a00") == 3);
    CHECK(packets_in(scratch / "a01") == 1);
    CHECK(writer.path() == scratch / "a01");

    auto single = open_with({.path = scratch / "b", .file_bytes = 3000, .files = 1});
    write_packets(single, 4);
    REQUIRE(single.finish());
    CHECK(packets_in(scratch / "b") == 1);
}

TEST_CASE("a new file each so many seconds, so many of them")
{
    constexpr std::uint64_t second = 1'000'000'000;
    const test::Scratch scratch;
    auto writer = open_with({.path = scratch / "a-%s", .file_time = std::chrono::seconds(10), .files = 3});
    write_packets(writer, 12, 4 * second); // 0, 4, 8 | 12, 16, 20 | 24, 28, 32 | 36 would begin a fourth
    CHECK(writer.done());
    CHECK(writer.packets() == 9);
    REQUIRE(writer.finish());
    REQUIRE(scratch.files().size() == 3);
    for (const auto &name : scratch.files())
        CHECK(packets_in(scratch / name) == 3);
    const auto apart = std::stoll(scratch.files()[1].substr(2)) - std::stoll(scratch.files()[0].substr(2));
    CHECK(apart >= 12); // seconds; a little later than the file was begun the packets were made
    CHECK(apart <= 13);
}

TEST_CASE("by time and by size: numbers stand behind the time and begin anew with it")
{
    constexpr std::uint64_t second = 1'000'000'000;
    const test::Scratch scratch;
    auto writer =
        open_with({.path = scratch / "a-%s.", .file_bytes = 3000, .file_time = std::chrono::seconds(20), .files = 10});
    write_packets(writer, 8, 4 * second); // 0, 4, 8 | 12, 16 || 20, 24, 28
    REQUIRE(writer.finish());
    const auto names = scratch.files();
    REQUIRE(names.size() == 3);
    CHECK(names[0].ends_with(".0"));
    CHECK(names[1].ends_with(".1"));
    CHECK(names[2].ends_with(".0"));
    CHECK(packets_in(scratch / names[0]) == 3);
    CHECK(packets_in(scratch / names[1]) == 2);
    CHECK(packets_in(scratch / names[2]) == 3);
}

TEST_CASE("a file that cannot be begun or written ends the capture, once")
{
    const test::Scratch scratch;
    CHECK(CaptureWriter::open({.path = scratch / "no/such"}).error().code == ENOENT);
    CHECK(CaptureWriter::open({.path = "-", .file_bytes = 1}).error().stage == "cannot write to standard output");
    auto writer = open_with({.path = "/dev/full", .packet_buffered = true});
    const auto written = writer.write({.bytes = packet_bytes, .length = 1000});
    REQUIRE(!written);
    CHECK(written.error().code == ENOSPC);
    CHECK(writer.done());
    CHECK(writer.write({.bytes = packet_bytes, .length = 1000}));
    CHECK(writer.finish());
}

TEST_CASE("times of the kernel's records become wall-clock times")
{
    WallClock clock;
    timespec time{};
    for (int i = 0; i < 3; ++i) {
        REQUIRE(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
        const auto monotonic =
            static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
        const std::uint64_t real = WallClock::now();
        const std::uint64_t converted = clock.of_monotonic(monotonic);
        CHECK(converted <= real + 1'000'000);
        CHECK(real - converted < 1'000'000'000); // the test may have been interrupted between the two
        CHECK(clock.of_monotonic(monotonic + 3'000'000'000) - converted < 3'001'000'000); // compares anew
    }
}
