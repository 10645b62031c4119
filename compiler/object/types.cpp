#include "compiler/object/types.hpp"

#include <linux/bpf.h>
#include <linux/btf.h>

#include <array>
#include <cassert>
#include <cstddef>
#include <string>

namespace xdpf {
namespace {

BtfId add_signed_int(BtfBuilder &btf) { return btf.add_int("int", 4, BTF_INT_SIGNED); }

// __u8, __u16, __u32, __u64 over C's own types: so "bpftool btf dump … format c" prints a header that compiles.
BtfId add_unsigned(BtfBuilder &btf, std::uint32_t bytes)
{
    switch (bytes) {
    case 1: return btf.add_typedef("__u8", btf.add_int("unsigned char", 1));
    case 2: return btf.add_typedef("__u16", btf.add_int("unsigned short", 2));
    case 4: return btf.add_typedef("__u32", btf.add_int("unsigned int", 4));
    default: assert(bytes == 8); return btf.add_typedef("__u64", btf.add_int("unsigned long long", 8));
    }
}

BtfId add_array_of(BtfBuilder &btf, BtfId element, std::uint32_t count)
{
    return btf.add_array(element, btf.add_int("unsigned int", 4), count);
}

BtfId add_field(BtfBuilder &btf, const LayoutField &field)
{
    // A big-endian number is shown as its bytes: tools would print it in the machine's order.
    if (field.format == FieldFormat::number && !field.big_endian)
        return add_unsigned(btf, field.size);
    return add_array_of(btf, add_unsigned(btf, 1), field.size);
}

bool is_plain(const Layout &layout) { return layout.fields.size() == 1 && layout.fields.front().name.empty(); }

// A number in a map's definition is the length of an array that its member points to.
BtfId add_constant(BtfBuilder &btf, std::uint32_t value)
{
    return btf.add_ptr(add_array_of(btf, add_signed_int(btf), value));
}

// LIBBPF_PIN_BY_NAME of libbpf's bpf_helpers.h.
constexpr std::uint32_t pin_by_name = 1;

BtfId add_xdp_md(BtfBuilder &btf)
{
    const BtfId u32 = add_unsigned(btf, 4);
    const std::array members{
        BtfMember{"data", u32, offsetof(xdp_md, data)},
        BtfMember{"data_end", u32, offsetof(xdp_md, data_end)},
        BtfMember{"data_meta", u32, offsetof(xdp_md, data_meta)},
        BtfMember{"ingress_ifindex", u32, offsetof(xdp_md, ingress_ifindex)},
        BtfMember{"rx_queue_index", u32, offsetof(xdp_md, rx_queue_index)},
        BtfMember{"egress_ifindex", u32, offsetof(xdp_md, egress_ifindex)},
    };
    return btf.add_struct("xdp_md", sizeof(xdp_md), members);
}

} // namespace

BtfId add_layout(BtfBuilder &btf, const Layout &layout, const std::string &fallback_name)
{
    if (is_plain(layout))
        return add_field(btf, layout.fields.front());
    std::vector<std::string> names; // the members below point into it
    names.reserve(layout.fields.size());
    std::vector<BtfMember> members;
    for (const LayoutField &field : layout.fields) {
        names.push_back(identifier_from(field.name));
        members.push_back({names.back(), add_field(btf, field), field.offset});
    }
    return btf.add_struct(identifier_from(layout.name.empty() ? fallback_name : layout.name), layout.size, members);
}

namespace {

BtfId add_prototype(BtfBuilder &btf)
{
    const std::array params{BtfParam{"ctx", btf.add_ptr(add_xdp_md(btf))}};
    return btf.add_func_proto(add_signed_int(btf), params);
}

MapVariable add_map(BtfBuilder &btf, const MapSpec &map, bool of_programs)
{
    std::vector<BtfMember> members;
    const auto add_member = [&](std::string_view name, BtfId type) {
        members.push_back({name, type, static_cast<std::uint32_t>(members.size() * sizeof(std::uint64_t))});
    };
    add_member("type", add_constant(btf, bpf_type_of(map.kind)));
    add_member("max_entries", add_constant(btf, map.max_entries));
    if (map.flags != 0)
        add_member("map_flags", add_constant(btf, map.flags));
    if (map.pinned)
        add_member("pinning", add_constant(btf, pin_by_name));
    if (of_programs) // with a type the kernel would want one of the values, too
        add_member("key_size", add_constant(btf, map.key.size));
    else if (map.key.size != 0)
        add_member("key", btf.add_ptr(add_layout(btf, map.key, map.name + "_key")));
    if (map.value.size != 0 && !of_programs)
        add_member("value", btf.add_ptr(add_layout(btf, map.value, map.name + "_value")));
    const auto size = static_cast<std::uint32_t>(members.size() * sizeof(std::uint64_t));
    if (of_programs) // of no length, and the last
        add_member("values", add_array_of(btf, btf.add_ptr(add_prototype(btf)), 0));
    return {btf.add_var(map.name, btf.add_struct("", size, members)), size};
}

} // namespace

MapVariable add_map(BtfBuilder &btf, const MapSpec &map) { return add_map(btf, map, false); }
MapVariable add_program_table(BtfBuilder &btf, const MapSpec &map) { return add_map(btf, map, true); }

BtfId add_data_variable(BtfBuilder &btf, std::string_view name, const LayoutField &field)
{
    return btf.add_var(name, add_field(btf, field));
}

BtfId add_kfunc(BtfBuilder &btf, Kfunc kfunc)
{
    const auto pointer_to = [&](BtfId type) { return btf.add_ptr(type); };
    std::vector<BtfParam> params{{"ctx", pointer_to(add_xdp_md(btf))}};
    switch (kfunc) {
    case Kfunc::rx_hash:
        params.push_back({"hash", pointer_to(add_unsigned(btf, 4))});
        params.push_back({"rss_type", pointer_to(btf.add_enum("xdp_rss_hash_type"))});
        break;
    case Kfunc::rx_timestamp: params.push_back({"timestamp", pointer_to(add_unsigned(btf, 8))}); break;
    case Kfunc::rx_vlan_tag:
        params.push_back({"vlan_proto", pointer_to(add_unsigned(btf, 2))});
        params.push_back({"vlan_tci", pointer_to(add_unsigned(btf, 2))});
        break;
    }
    return btf.add_extern_func(name_of(kfunc), btf.add_func_proto(add_signed_int(btf), params));
}

BtfId add_program(BtfBuilder &btf, std::string_view name) { return btf.add_func(name, add_prototype(btf)); }

void add_license(BtfBuilder &btf, std::string_view section, std::string_view variable, std::uint32_t size)
{
    const BtfId text = add_array_of(btf, btf.add_int("char", 1, BTF_INT_SIGNED), size);
    const std::array vars{BtfSectionVar{btf.add_var(variable, text), 0, size}};
    btf.add_datasec(section, size, vars);
}

} // namespace xdpf
