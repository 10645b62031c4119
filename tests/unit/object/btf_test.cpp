#include "compiler/object/btf.hpp"

#include <doctest/doctest.h>
#include <linux/btf.h>

#include <array>
#include <string>

using namespace xdpf;

namespace {

template <class T> T read(const std::vector<std::byte> &bytes, std::size_t offset)
{
    REQUIRE(offset + sizeof(T) <= bytes.size());
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

std::string string_at(const std::vector<std::byte> &bytes, std::uint32_t offset)
{
    const auto header = read<btf_header>(bytes, 0);
    REQUIRE(offset < header.str_len);
    return reinterpret_cast<const char *>(bytes.data()) + header.hdr_len + header.str_off + offset;
}

} // namespace

TEST_CASE("BTF: header, types, strings stand one behind the other")
{
    BtfBuilder btf;
    const BtfId u32 = btf.add_int("unsigned int", 4);
    const BtfId pointer = btf.add_ptr(u32);
    CHECK(u32.value == 1);
    CHECK(pointer.value == 2);

    const std::vector<std::byte> bytes = btf.bytes();
    const auto header = read<btf_header>(bytes, 0);
    CHECK(header.magic == BTF_MAGIC);
    CHECK(header.version == BTF_VERSION);
    CHECK(header.hdr_len == sizeof(btf_header));
    CHECK(header.type_len == sizeof(btf_type) + 4 + sizeof(btf_type));
    CHECK(header.str_off == header.type_len);
    CHECK(bytes.size() == header.hdr_len + header.type_len + header.str_len);
    CHECK(bytes.back() == std::byte{0});

    const auto integer = read<btf_type>(bytes, header.hdr_len);
    CHECK(BTF_INFO_KIND(integer.info) == BTF_KIND_INT);
    CHECK(integer.size == 4);
    CHECK(string_at(bytes, integer.name_off) == "unsigned int");
    const auto encoding = read<std::uint32_t>(bytes, header.hdr_len + sizeof(btf_type));
    CHECK(BTF_INT_BITS(encoding) == 32);
    CHECK(BTF_INT_ENCODING(encoding) == 0);
    const auto reference = read<btf_type>(bytes, header.hdr_len + sizeof(btf_type) + 4);
    CHECK(BTF_INFO_KIND(reference.info) == BTF_KIND_PTR);
    CHECK(reference.type == u32.value);
    CHECK(string_at(bytes, reference.name_off).empty());
}

TEST_CASE("BTF: a type that is there already keeps its id, a different one of the same name does not")
{
    BtfBuilder btf;
    const BtfId u32 = btf.add_int("unsigned int", 4);
    const BtfId u8 = btf.add_int("unsigned char", 1);
    const std::array members{BtfMember{"a", u32, 0}, BtfMember{"b", u8, 4}};
    const BtfId pair = btf.add_struct("pair", 8, members);
    CHECK(btf.add_struct("pair", 8, members) == pair);
    CHECK(btf.add_struct("pair", 12, members) != pair);
    CHECK(btf.add_int("unsigned int", 4) == u32);
    CHECK(btf.type_count() == 4);
}

TEST_CASE("BTF: a string is stored once and ends at its first NUL")
{
    BtfBuilder btf;
    const std::uint32_t first = btf.add_string("match udp -> xsk");
    CHECK(first == 1);
    CHECK(btf.add_string("match udp -> xsk") == first);
    CHECK(btf.add_string("") == 0);
    using namespace std::string_view_literals;
    const std::uint32_t cut = btf.add_string("cut\0off"sv);
    CHECK(btf.add_string("cut") == cut);
    CHECK(btf.string_bytes() == 1 + 17 + 4);
}

TEST_CASE("BTF: members of a struct have their offset in bits")
{
    BtfBuilder btf;
    const BtfId u8 = btf.add_int("unsigned char", 1);
    const std::array members{BtfMember{"near", u8, 1}, BtfMember{"far", u8, 5}};
    const BtfId id = btf.add_struct("holes", 8, members);
    CHECK(id.value == 2);
    const std::vector<std::byte> bytes = btf.bytes();
    const std::size_t start = sizeof(btf_header) + sizeof(btf_type) + 4;
    const auto type = read<btf_type>(bytes, start);
    CHECK(BTF_INFO_VLEN(type.info) == 2);
    CHECK(type.size == 8);
    CHECK(read<btf_member>(bytes, start + sizeof(btf_type)).offset == 8);
    const auto far = read<btf_member>(bytes, start + sizeof(btf_type) + sizeof(btf_member));
    CHECK(far.offset == 40);
    CHECK(string_at(bytes, far.name_off) == "far");
}

TEST_CASE("identifier_from makes C identifiers")
{
    CHECK(identifier_from("packets") == "packets");
    CHECK(identifier_from("ipv4.src") == "ipv4_src");
    CHECK(identifier_from("vlan[1].id") == "vlan_1__id");
    CHECK(identifier_from("6to4") == "_6to4");
    CHECK(identifier_from("") == "_");
}

TEST_CASE(".BTF.ext: two parts behind a header, sections without records left out")
{
    BtfExtSection with, without;
    with.name = 7;
    with.functions = {{0, 3}};
    with.lines = {{0, 1, 2, 5 << 10 | 1}, {16, 1, 9, 6 << 10 | 1}};
    without.name = 8;
    const std::array sections{without, with};
    const std::vector<std::byte> bytes = btf_ext_bytes(sections);
    CHECK(read<std::uint16_t>(bytes, 0) == BTF_MAGIC);
    const auto length = read<std::uint32_t>(bytes, 4);
    const auto functions_length = read<std::uint32_t>(bytes, 12);
    const auto lines_offset = read<std::uint32_t>(bytes, 16);
    const auto lines_length = read<std::uint32_t>(bytes, 20);
    CHECK(functions_length == 4 + 8 + 8);
    CHECK(lines_offset == functions_length);
    CHECK(lines_length == 4 + 8 + 2 * 16);
    CHECK(bytes.size() == length + functions_length + lines_length);
    CHECK(read<std::uint32_t>(bytes, length) == sizeof(bpf_func_info));
    CHECK(read<std::uint32_t>(bytes, length + 4) == 7);
    CHECK(read<std::uint32_t>(bytes, length + lines_offset) == sizeof(bpf_line_info));
    CHECK(read<std::uint32_t>(bytes, length + lines_offset + 8) == 2);
}
