// What the writer of pcapng writes, by the format's specification and by libpcap; and what it says when it cannot.
#include "runtime/pcapng.hpp"

#include "runtime/capture_file.hpp"
#include "tests/unit/runtime/pcapng_blocks.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fcntl.h>
#include <sys/stat.h>

using namespace xdpf;
using namespace xdpf::runtime;
using xdpf::test::as;

namespace {

std::vector<std::byte> bytes_from(std::size_t first, std::size_t count)
{
    std::vector<std::byte> bytes;
    for (std::size_t i = 0; i < count; ++i)
        bytes.push_back(static_cast<std::byte>(first + i));
    return bytes;
}

std::string text_of(std::span<const std::byte> bytes)
{
    return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

constexpr std::uint64_t time_of_first = 1'700'000'000'123'456'789;

} // namespace

TEST_CASE("blocks of a file, as the specification has them")
{
    const test::Scratch scratch;
    const std::string path = scratch / "a.pcapng";
    const auto bytes = bytes_from(1, 61);
    {
        auto file = PcapngFile::create(path);
        REQUIRE(file);
        REQUIRE(file->section({"x86_64", "Linux 6.1", "xdpf 1.0"}));
        REQUIRE(file->interface({"eth0", "a tap", "udp.dport == 53", 64}));
        REQUIRE(file->packet({.interface = 0,
                              .time = time_of_first,
                              .bytes = bytes,
                              .length = 1500,
                              .queue = 3,
                              .verdict = 4,
                              .dropped = 7,
                              .comment = "first"}));
        REQUIRE(file->packet({.interface = 0, .time = 5, .bytes = {}, .length = 0}));
        REQUIRE(file->statistics(0, {time_of_first, time_of_first + 9, 100, 7, 50, 2}));
        REQUIRE(file->statistics(0, {1, 2}));
        const std::uint64_t size = file->size();
        REQUIRE(file->close());
        CHECK(std::filesystem::file_size(path) == size);
    }
    const auto blocks = test::blocks_of(path);
    REQUIRE(blocks.size() == 6);

    CHECK(blocks[0].type == 0x0a0d0d0a);
    CHECK(blocks[0].number<std::uint32_t>(0) == 0x1a2b3c4d);
    CHECK(blocks[0].number<std::uint16_t>(4) == 1);
    CHECK(blocks[0].number<std::uint16_t>(6) == 0);
    CHECK(blocks[0].number<std::int64_t>(8) == -1);
    auto options = blocks[0].options(16);
    CHECK(options[2] == "x86_64");
    CHECK(options[3] == "Linux 6.1");
    CHECK(options[4] == "xdpf 1.0");

    CHECK(blocks[1].type == 1);
    CHECK(blocks[1].number<std::uint16_t>(0) == 1); // Ethernet
    CHECK(blocks[1].number<std::uint32_t>(4) == 64);
    options = blocks[1].options(8);
    CHECK(options[2] == "eth0");
    CHECK(options[3] == "a tap");
    CHECK(options[9] == "\x09");
    CHECK(options[11] == std::string("\0udp.dport == 53", 16));

    CHECK(blocks[2].type == 6);
    CHECK(blocks[2].number<std::uint32_t>(0) == 0);
    CHECK((std::uint64_t{blocks[2].number<std::uint32_t>(4)} << 32 | blocks[2].number<std::uint32_t>(8)) ==
          time_of_first);
    CHECK(blocks[2].number<std::uint32_t>(12) == 61);
    CHECK(blocks[2].number<std::uint32_t>(16) == 1500);
    CHECK(blocks[2].body.substr(20, 61) == text_of(bytes));
    CHECK(blocks[2].body.substr(81, 3) == std::string(3, '\0'));
    options = blocks[2].options(84);
    CHECK(options[1] == "first");
    CHECK(as<std::uint64_t>(options[4]) == 7);
    CHECK(as<std::uint32_t>(options[6]) == 3);
    CHECK(options[7].front() == 2); // Linux_eBPF_XDP
    CHECK(as<std::uint64_t>(options[7].substr(1)) == 4);

    CHECK(blocks[3].body.size() == 24);
    CHECK(blocks[3].options(20).size() == 1);

    CHECK(blocks[4].type == 5);
    options = blocks[4].options(12);
    CHECK(as<std::uint64_t>(options[4]) == 100);
    CHECK(as<std::uint64_t>(options[5]) == 7);
    CHECK(as<std::uint64_t>(options[6]) == 50);
    CHECK(as<std::uint64_t>(options[8]) == 2);
    for (const auto &[code, time] : {std::pair(2, time_of_first), {3, time_of_first + 9}}) {
        CHECK(as<std::uint32_t>(options[code].substr(0, 4)) == time >> 32);
        CHECK(as<std::uint32_t>(options[code].substr(4, 4)) == (time & 0xffffffff));
    }
    CHECK(blocks[5].options(12).size() == 3); // unknown counters are left out
}

TEST_CASE("libpcap reads packets of every size back, through many fills of the buffer")
{
    const test::Scratch scratch;
    const std::string path = scratch / "a.pcapng";
    const auto source = bytes_from(0, 9000);
    auto file = PcapngFile::create(path);
    REQUIRE(file);
    REQUIRE(file->section({}));
    REQUIRE(file->interface({.name = "a", .snap_length = 9000}));
    REQUIRE(file->interface({.name = "b", .snap_length = 9000}));
    for (std::uint32_t i = 0; i < 1000; ++i)
        REQUIRE(file->packet({.interface = i % 2,
                              .time = time_of_first + i,
                              .bytes = std::span(source).subspan(i % 7, i * 9),
                              .length = i * 9 + i % 3,
                              .queue = i,
                              .verdict = 2}));
    REQUIRE(file->close());
    auto read = CaptureFile::open(path);
    REQUIRE(read);
    CHECK(read->snap_length() == 9000);
    for (std::uint32_t i = 0; i < 1000; ++i) {
        const auto packet = read->next();
        REQUIRE(packet);
        REQUIRE(packet->has_value());
        CHECK((*packet)->time == time_of_first + i);
        CHECK((*packet)->length == i * 9 + i % 3);
        CHECK(std::ranges::equal((*packet)->bytes, std::span(source).subspan(i % 7, i * 9)));
    }
    CHECK(!read->next().value().has_value());
}

TEST_CASE("a packet larger than the buffer, and texts longer than an option")
{
    const test::Scratch scratch;
    const std::string path = scratch / "a.pcapng";
    const std::vector<std::byte> large(3'000'001, std::byte{0x5a});
    const std::string text = std::string(65'533, 'x') + "\u00e9y"; // the é would lie at 65533, 65534 of the filter
    auto file = PcapngFile::create(path);
    REQUIRE(file);
    REQUIRE(file->section({}));
    REQUIRE(file->interface({.name = "a", .filter = text + text}));
    REQUIRE(file->packet({.bytes = large, .length = 3'000'001, .comment = text + text}));
    REQUIRE(file->close());
    const auto blocks = test::blocks_of(path);
    REQUIRE(blocks.size() == 3);
    CHECK(blocks[1].options(8)[11] == std::string(1, '\0') + std::string(65'533, 'x'));
    CHECK(blocks[2].body.substr(20, large.size()) == text_of(large));
    CHECK(blocks[2].options(20 + 3'000'004)[1] == text.substr(0, 65'535));
}

TEST_CASE("files that cannot be written")
{
    const test::Scratch scratch;
    auto nowhere = PcapngFile::create(scratch / "no/such.pcapng");
    REQUIRE(!nowhere);
    CHECK(nowhere.error().code == ENOENT);
    CHECK(nowhere.error().stage == "cannot write '" + (scratch / "no/such.pcapng") + "'");
    auto folder = PcapngFile::create(scratch.folder);
    REQUIRE(!folder);
    CHECK(folder.error().cause == "it is a folder");

    auto full = PcapngFile::create("/dev/full");
    REQUIRE(full);
    REQUIRE(full->section({}));
    const auto flushed = full->flush();
    REQUIRE(!flushed);
    CHECK(flushed.error().code == ENOSPC);
    CHECK(flushed.error().stage == "cannot write '/dev/full'");
    CHECK(flushed.error().remedy == "df -h '/dev/full'");
}

TEST_CASE("a pipe whose reader is gone is EPIPE")
{
    const test::Scratch scratch;
    const std::string path = scratch / "pipe";
    REQUIRE(mkfifo(path.c_str(), 0600) == 0);
    const auto before = std::signal(SIGPIPE, SIG_IGN);
    Fd reader(open(path.c_str(), O_RDONLY | O_NONBLOCK));
    auto file = PcapngFile::create(path);
    REQUIRE(file);
    REQUIRE(file->section({}));
    REQUIRE(file->flush());
    reader.reset();
    REQUIRE(file->interface({.name = "a"}));
    const auto flushed = file->flush();
    REQUIRE(!flushed);
    CHECK(flushed.error().code == EPIPE);
    std::signal(SIGPIPE, before);
}
