// Records of ring buffers as bytes: taken apart, printed, or refused.
#include "runtime/records.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <vector>

using namespace xdpf;
using namespace xdpf::runtime;

namespace {

const MapId events{std::size_t{0}};

LayoutField number(std::string name, std::uint32_t offset, std::uint32_t size)
{
    return {std::move(name), FieldFormat::number, offset, size, false};
}

// Type 0 has an address and a port, type 1 is a sample.
Image image()
{
    Image image;
    image.maps.push_back({.name = "events", .kind = MapKind::ringbuf});
    image.maps.push_back({.name = "other", .kind = MapKind::ringbuf});
    const std::vector<LayoutField> head{number("time", 0, 8), number("type", 8, 4)};
    RecordType emitted{.name = "events_0", .map = events, .layout = {"events_0", 24, head}};
    emitted.layout.fields.push_back({"src", FieldFormat::ipv4, 12, 4, false});
    emitted.layout.fields.push_back(number("port", 16, 2));
    emitted.layout.fields.push_back({"tag", FieldFormat::bytes, 18, 2, false});
    RecordType sample{.name = "events_1", .map = events, .layout = {"events_1", 32, head}, .sample = true, .bytes = 8};
    for (const char *name : {"captured", "length", "rx_queue", "iface"})
        sample.layout.fields.push_back(
            number(name, 12 + 4 * (static_cast<std::uint32_t>(sample.layout.fields.size()) - 2), 4));
    image.records = {emitted, sample};
    return image;
}

std::vector<std::byte> record(std::uint64_t time, std::uint32_t type, std::initializer_list<unsigned> rest)
{
    std::vector<std::byte> bytes(12);
    std::memcpy(bytes.data(), &time, 8);
    std::memcpy(bytes.data() + 8, &type, 4);
    for (const unsigned byte : rest)
        bytes.push_back(static_cast<std::byte>(byte));
    return bytes;
}

} // namespace

TEST_CASE("an emitted record")
{
    const Image source = image();
    const auto bytes = record(12'000'000'034, 0, {10, 0, 0, 1, 53, 0, 0xab, 0xcd, 0, 0, 0, 0});
    const auto decoded = decode_record(source, events, bytes);
    REQUIRE(decoded);
    CHECK(decoded->time == 12'000'000'034);
    CHECK(decoded->fields.size() == 3);
    CHECK(decoded->fields[1].number() == 53);
    CHECK(to_text(*decoded) == R"(12.000000034 events src = 10.0.0.1, port = 53, tag = "\xab\xcd")");
    CHECK(to_json(*decoded) ==
          R"({"map":"events","time":12000000034,"fields":{"src":"10.0.0.1","port":53,"tag":"abcd"}})");
}

TEST_CASE("a sample has as many bytes as were captured")
{
    const Image source = image();
    const auto bytes =
        record(1, 1, {3, 0, 0, 0, 90, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 0xde, 0xad, 0xbe, 0, 0, 0, 0, 0});
    const auto decoded = decode_record(source, events, bytes);
    REQUIRE(decoded);
    CHECK(decoded->packet.size() == 3);
    CHECK(to_text(*decoded) == "0.000000001 events captured = 3, length = 90, rx_queue = 2, iface = 7: deadbe");
    CHECK(to_json(*decoded) ==
          R"({"map":"events","time":1,"fields":{"captured":3,"length":90,"rx_queue":2,"iface":7},"packet":"deadbe"})");
}

TEST_CASE("what is no record of this map is refused")
{
    const Image source = image();
    const auto good = record(1, 0, {10, 0, 0, 1, 53, 0, 0, 0, 0, 0, 0, 0});
    CHECK(decode_record(source, events, good));
    CHECK_FALSE(decode_record(source, MapId(std::size_t{1}), good));
    CHECK_FALSE(decode_record(source, events, std::span(good).first(23)));
    CHECK_FALSE(decode_record(source, events, std::span(good).first(11)));
    CHECK_FALSE(decode_record(source, events, record(1, 2, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})));
    auto sample = record(1, 1, {9, 0, 0, 0, 90, 0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8});
    CHECK_FALSE(decode_record(source, events, sample));
    sample[12] = std::byte{8};
    CHECK(decode_record(source, events, sample));
}
