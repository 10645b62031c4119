// Types are compared by id: the builder gives equal types the same one.
#include "compiler/object/types.hpp"

#include "tests/unit/object/sample_images.hpp"

#include <array>
#include <doctest/doctest.h>

using namespace xdpf;

namespace {

struct Types {
    BtfBuilder btf;
    BtfId u8 = btf.add_typedef("__u8", btf.add_int("unsigned char", 1));
    BtfId u32_base = btf.add_int("unsigned int", 4);
    BtfId u32 = btf.add_typedef("__u32", u32_base);
    BtfId u64 = btf.add_typedef("__u64", btf.add_int("unsigned long long", 8));

    BtfId bytes(std::uint32_t count) { return btf.add_array(u8, u32_base, count); }
    BtfId plain(const LayoutField &field) { return add_layout(btf, {"", field.size, {field}}, "unused"); }
};

} // namespace

TEST_CASE("a plain number is the kernel's unsigned type of its size")
{
    Types types;
    CHECK(types.plain(samples::number("", 0, 1)) == types.u8);
    CHECK(types.plain(samples::number("", 0, 4)) == types.u32);
    CHECK(types.plain(samples::number("", 0, 8)) == types.u64);
}

TEST_CASE("addresses, bytes and big-endian numbers are bytes")
{
    Types types;
    CHECK(types.plain({"", FieldFormat::mac, 0, 6, false}) == types.bytes(6));
    CHECK(types.plain({"", FieldFormat::ipv4, 0, 4, false}) == types.bytes(4));
    CHECK(types.plain({"", FieldFormat::ipv6, 0, 16, false}) == types.bytes(16));
    CHECK(types.plain({"", FieldFormat::bytes, 0, 5, false}) == types.bytes(5));
    CHECK(types.plain({"", FieldFormat::number, 0, 4, true}) == types.bytes(4));
}

TEST_CASE("named fields make a struct, also a single one; names become identifiers")
{
    Types types;
    const std::array members{BtfMember{"ipv4_src", types.u32, 0}, BtfMember{"_6to4", types.u8, 9}};
    const BtfId expected = types.btf.add_struct("hits_key", 12, members);
    const Layout layout{"", 12, {samples::number("ipv4.src", 0, 4), samples::number("6to4", 9, 1)}};
    CHECK(add_layout(types.btf, layout, "hits_key") == expected);

    const std::array one{BtfMember{"packets", types.u64, 0}};
    const BtfId single = types.btf.add_struct("only", 8, one);
    CHECK(add_layout(types.btf, {"only", 8, {samples::number("packets", 0, 8)}}, "unused") == single);
}

TEST_CASE("maps with the same types share them")
{
    BtfBuilder btf;
    const MapSpec first = samples::map("first", MapKind::hash, samples::flow_key(), samples::counter(), 16);
    MapSpec second = first;
    second.name = "second";
    const MapVariable one = add_map(btf, first);
    const std::size_t types = btf.type_count();
    const MapVariable two = add_map(btf, second);
    CHECK(one.var != two.var);
    CHECK(one.size == two.size);
    CHECK(btf.type_count() == types + 1); // the variable
}

TEST_CASE("what a map does not have is no member of its definition")
{
    BtfBuilder btf;
    MapSpec spec = samples::map("m", MapKind::hash, samples::plain(4), samples::plain(4), 16);
    CHECK(add_map(btf, spec).size == 32);
    spec.key = {};
    CHECK(add_map(btf, spec).size == 24);
    spec.value = {};
    CHECK(add_map(btf, spec).size == 16);
    spec.pinned = true;
    CHECK(add_map(btf, spec).size == 24);
}
