// Keys and values as text: what is printed reads back, and what is no key says why.
#include "compiler/map_text.hpp"

#include <doctest/doctest.h>

#include <random>
#include <utility>

using namespace xdpf;

namespace {

LayoutField field(std::string name, FieldFormat format, std::uint32_t offset, std::uint32_t size, bool big = false)
{
    return {std::move(name), format, offset, size, big};
}

MapSpec tuple_map()
{
    MapSpec map{.name = "flows", .kind = MapKind::hash};
    map.key = {"flows_key",
               32,
               {field("src", FieldFormat::ipv4, 0, 4), field("mac", FieldFormat::mac, 4, 6),
                field("port", FieldFormat::number, 10, 2), field("dst", FieldFormat::ipv6, 12, 16),
                field("tag", FieldFormat::bytes, 28, 3)}};
    map.value = {
        "counter", 16, {field("packets", FieldFormat::number, 0, 8), field("bytes", FieldFormat::number, 8, 8)}};
    return map;
}

MapSpec prefix_map()
{
    MapSpec map{.name = "listed", .kind = MapKind::lpm_trie};
    map.key = {"listed_key", 8, {field("prefixlen", FieldFormat::number, 0, 4), field("src", FieldFormat::ipv4, 4, 4)}};
    map.value = {"", 4, {field("", FieldFormat::number, 0, 4)}};
    return map;
}

std::string value_of(const MapSpec &map, std::string_view text)
{
    const auto value = read_value(map, text);
    return value ? layout_text(map.value, *value) : value.error();
}

std::string key_of(const MapSpec &map, std::string_view text)
{
    const auto key = read_key(map, text);
    return key ? key_text(map, *key) : key.error();
}

} // namespace

TEST_CASE("values by position or by name")
{
    const MapSpec map = tuple_map();
    const std::string both = "{packets = 3, bytes = 180}";
    CHECK(value_of(map, "3,180") == both);
    CHECK(value_of(map, "(3, 0xb4)") == both);
    CHECK(value_of(map, "{bytes = 1_80, packets=3}") == both);
    CHECK(value_of(map, "packets = 3") == "{packets = 3, bytes = 0}");
    CHECK(value_of(map, "{}") == "{packets = 0, bytes = 0}");
    CHECK(value_of(prefix_map(), "7") == "7");

    CHECK(value_of(map, "3") == "'3' has 1 of 2 values: packets, bytes");
    CHECK(value_of(map, "{pakets = 3}") == "there is no field 'pakets'; there are: packets, bytes");
    CHECK(value_of(map, "{packets = 3, packets = 4}") == "'packets' is there twice");
    CHECK(value_of(map, "{packets = 3") == "'{packets = 3' does not end with '}'");
    CHECK(value_of(map, "{packets = x}") == "packets: 'x' is no number");
    CHECK(value_of(map, "{3}") == "'3' does not say which of its fields it is: packets, bytes");
    CHECK(value_of(prefix_map(), "4294967296") == "4294967296 does not fit into 32 bits");
    CHECK(value_of(prefix_map(), "99999999999999999999") == "99999999999999999999 does not fit into 32 bits");
    CHECK(value_of(prefix_map(), "") == "'' is no number");
    CHECK(value_of(prefix_map(), "-1") == "'-1' is no number");
    CHECK(value_of(prefix_map(), "0x") == "'0x' is no number");
    CHECK(value_of(prefix_map(), "0b101") == value_of(prefix_map(), "5"));
    CHECK(value_of(prefix_map(), "5ms") == value_of(prefix_map(), "5_000_000"));
    CHECK(value_of(prefix_map(), "5s") == "5s does not fit into 32 bits");
    CHECK(value_of(prefix_map(), "ms") == "'ms' is no number");
    CHECK(value_of(prefix_map(), "5/s") == "'5/s' is no number");
}

TEST_CASE("keys of all formats")
{
    const MapSpec map = tuple_map();
    const std::string key =
        "{src = 10.0.0.1, mac = 02:00:00:00:00:0a, port = 53, dst = 2001:db8::1, tag = \"\\x01\\x02\\xff\"}";
    CHECK(key_of(map, "10.0.0.1, 02:00:00:00:00:0a, 53, 2001:db8::1, 0102ff") == key);
    CHECK(key_of(map, "10.0.0.1, 02:00:00:00:00:0a, 53, 2001:db8::1, 0x0102ff") == key);
    CHECK(key_of(map, "10.0.0.1, 02:00:00:00:00:0a, 53, 2001:db8::1, \"abc\"").ends_with("tag = \"\\x61\\x62\\x63\"}"));
    CHECK(key_of(map, key) == key);
    CHECK(key_of(map, "10.0.0.1, 02:00:00:00:00:0a, 53, 10.0.0.2, 0102ff").find("dst = ::ffff:10.0.0.2") !=
          std::string::npos);
    CHECK(key_of(map, "src = 10.0.0.1") == "'mac' is missing");
    for (const auto &[text, why] : std::initializer_list<std::pair<const char *, const char *>>{
             {"10.0.0, 02:00:00:00:00:0a, 53, ::1, 0102ff", "'10.0.0' is no IPv4 address"},
             {"1.2.3.4, 02:00:00:00:00, 53, ::1, 0102ff",
              "'02:00:00:00:00' is no MAC address such as 02:00:00:00:00:01"},
             {"1.2.3.4, 02:00:00:00:00:0a:, 53, ::1, 0102ff",
              "'02:00:00:00:00:0a:' is no MAC address such as 02:00:00:00:00:01"},
             {"1.2.3.4, 02:00:00:00:00:0a, 65536, ::1, 0102ff", "65536 does not fit into 16 bits"},
             {"1.2.3.4, 02:00:00:00:00:0a, 1, ::g, 0102ff", "'::g' is no IPv6 address"},
             {"1.2.3.4, 02:00:00:00:00:0a, 1, ::1, 0102", "'0102' is not 3 bytes such as \"\\x01\\x02\""}})
        CHECK(key_of(map, text) == why);
    MapSpec queue{.name = "waiting", .kind = MapKind::queue};
    CHECK(key_of(queue, "1") == "a map of kind queue has no keys");
}

TEST_CASE("prefixes lose what lies behind their length")
{
    const MapSpec map = prefix_map();
    CHECK(key_of(map, "10.0.0.0/8") == "10.0.0.0/8");
    CHECK(key_of(map, "10.1.2.255/25") == "10.1.2.128/25");
    CHECK(key_of(map, "10.1.2.3") == "10.1.2.3/32");
    CHECK(key_of(map, "255.255.255.255/0") == "0.0.0.0/0");
    CHECK(key_of(map, "10.0.0.0/33") == "the length of '10.0.0.0/33' is no number from 0 to 32");
    CHECK(key_of(map, "10.0.0.0/") == "the length of '10.0.0.0/' is no number from 0 to 32");
}

TEST_CASE("IPv4 addresses where both versions stand")
{
    LayoutField address = field("data", FieldFormat::ipv6, 4, 16);
    address.either_ip = true;
    const MapSpec map{.name = "nets",
                      .kind = MapKind::lpm_trie,
                      .key = {"nets_key", 20, {field("prefixlen", FieldFormat::number, 0, 4), address}}};
    CHECK(key_of(map, "10.1.0.0/16") == "10.1.0.0/16");
    CHECK(key_of(map, "10.1.2.3") == "10.1.2.3/32");
    CHECK(key_of(map, "::ffff:10.1.2.3/112") == "10.1.0.0/16");
    CHECK(key_of(map, "2001:db8::1/32") == "2001:db8::/32");
    CHECK(key_of(map, "10.0.0.0/33") == "the length of '10.0.0.0/33' is no number from 0 to 32");
}

TEST_CASE("numbers in either byte order")
{
    std::vector<std::byte> bytes(8);
    put_number(field("", FieldFormat::number, 2, 4, true), 0x01020304, bytes);
    CHECK(bytes[2] == std::byte{1});
    CHECK(number_of(field("", FieldFormat::number, 2, 4, true), bytes) == 0x01020304);
    CHECK(number_of(field("", FieldFormat::number, 2, 4), bytes) == 0x04030201);
}

TEST_CASE("random keys and values read back as they are printed")
{
    std::mt19937 random(7);
    for (const MapSpec &map : {tuple_map(), prefix_map()})
        for (int i = 0; i < 500; ++i) {
            std::vector<std::byte> key(map.key.size);
            std::vector<std::byte> value(map.value.size);
            for (const LayoutField &one : map.key.fields) // padding stays zero
                for (std::uint32_t at = 0; at < one.size; ++at)
                    key[one.offset + at] = static_cast<std::byte>(random());
            for (std::byte &byte : value)
                byte = static_cast<std::byte>(random());
            if (map.kind == MapKind::lpm_trie)
                put_number(map.key.fields[0], 32, key);
            CHECK(read_key(map, key_text(map, key)).value() == key);
            CHECK(read_value(map, layout_text(map.value, value)).value() == value);
        }
}
