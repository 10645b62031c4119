#include "compiler/object/btf.hpp"

#include <algorithm>
#include <cassert>

namespace xdpf {
namespace {

// The record every type begins with; `size_or_type` is one or the other, as the kind has it.
btf_type head(std::uint32_t name, std::uint32_t kind, std::size_t length, std::uint32_t size_or_type)
{
    assert(length <= BTF_MAX_VLEN);
    btf_type type{};
    type.name_off = name;
    type.info = kind << 24 | static_cast<std::uint32_t>(length);
    type.size = size_or_type;
    return type;
}

// <linux/btf.h> ends at .BTF; this is the head of .BTF.ext as libbpf and the compilers have it.
struct BtfExtHeader {
    std::uint16_t magic = BTF_MAGIC;
    std::uint8_t version = BTF_VERSION;
    std::uint8_t flags = 0;
    std::uint32_t length = sizeof(BtfExtHeader);
    std::uint32_t functions_offset = 0; // offsets count from the header's end
    std::uint32_t functions_length = 0;
    std::uint32_t lines_offset = 0;
    std::uint32_t lines_length = 0;
    std::uint32_t relocations_offset = 0; // CO-RE, which packet programs do without
    std::uint32_t relocations_length = 0;
};

// One part of .BTF.ext: the size of a record, then each section's name, number of records, records.
template <class Record>
void put_part(ByteWriter &out, std::span<const BtfExtSection> sections, std::vector<Record> BtfExtSection::*records)
{
    out.put(static_cast<std::uint32_t>(sizeof(Record)));
    for (const BtfExtSection &section : sections) {
        const std::vector<Record> &list = section.*records;
        if (list.empty()) // libbpf takes an empty list for a broken one
            continue;
        out.put(section.name);
        out.put(static_cast<std::uint32_t>(list.size()));
        out.put(std::as_bytes(std::span(list)));
    }
}

} // namespace

BtfId BtfBuilder::add(const ByteWriter &record)
{
    const std::string key(reinterpret_cast<const char *>(record.bytes().data()), record.size());
    const auto [place, is_new] = ids_.try_emplace(key, BtfId(ids_.size() + 1)); // id 0 is void
    if (is_new)
        types_.put(std::span(record.bytes()));
    return place->second;
}

BtfId BtfBuilder::add_int(std::string_view name, std::uint32_t bytes, std::uint32_t encoding)
{
    ByteWriter record;
    record.put(head(add_string(name), BTF_KIND_INT, 0, bytes));
    record.put(encoding << 24 | bytes * 8);
    return add(record);
}

BtfId BtfBuilder::add_ptr(BtfId to)
{
    ByteWriter record;
    record.put(head(0, BTF_KIND_PTR, 0, to.value));
    return add(record);
}

BtfId BtfBuilder::add_typedef(std::string_view name, BtfId type)
{
    ByteWriter record;
    record.put(head(add_string(name), BTF_KIND_TYPEDEF, 0, type.value));
    return add(record);
}

BtfId BtfBuilder::add_array(BtfId element, BtfId index, std::uint32_t count)
{
    ByteWriter record;
    record.put(head(0, BTF_KIND_ARRAY, 0, 0));
    record.put(btf_array{element.value, index.value, count});
    return add(record);
}

BtfId BtfBuilder::add_struct(std::string_view name, std::uint32_t size, std::span<const BtfMember> members)
{
    ByteWriter record;
    record.put(head(add_string(name), BTF_KIND_STRUCT, members.size(), size));
    for (const BtfMember &member : members)
        record.put(btf_member{add_string(member.name), member.type.value, member.offset * 8});
    return add(record);
}

BtfId BtfBuilder::add_enum(std::string_view name)
{
    ByteWriter record;
    record.put(head(add_string(name), BTF_KIND_ENUM, 0, 4));
    return add(record);
}

BtfId BtfBuilder::add_func_proto(BtfId result, std::span<const BtfParam> params)
{
    ByteWriter record;
    record.put(head(0, BTF_KIND_FUNC_PROTO, params.size(), result.value));
    for (const BtfParam &param : params)
        record.put(btf_param{add_string(param.name), param.type.value});
    return add(record);
}

BtfId BtfBuilder::add_func(std::string_view name, BtfId proto, std::uint32_t linkage)
{
    ByteWriter record;
    record.put(head(add_string(name), BTF_KIND_FUNC, linkage, proto.value)); // linkage stands in the length
    return add(record);
}

BtfId BtfBuilder::add_var(std::string_view name, BtfId type)
{
    ByteWriter record;
    record.put(head(add_string(name), BTF_KIND_VAR, 0, type.value));
    record.put(btf_var{BTF_VAR_GLOBAL_ALLOCATED});
    return add(record);
}

BtfId BtfBuilder::add_datasec(std::string_view name, std::uint32_t size, std::span<const BtfSectionVar> vars)
{
    ByteWriter record;
    record.put(head(add_string(name), BTF_KIND_DATASEC, vars.size(), size));
    for (const BtfSectionVar &var : vars)
        record.put(btf_var_secinfo{var.var.value, var.offset, var.size});
    return add(record);
}

std::vector<std::byte> BtfBuilder::bytes() const
{
    btf_header header{};
    header.magic = BTF_MAGIC;
    header.version = BTF_VERSION;
    header.hdr_len = sizeof header;
    header.type_len = types_.size();
    header.str_off = types_.size();
    header.str_len = strings_.size();

    ByteWriter out;
    out.put(header);
    out.put(std::span(types_.bytes()));
    out.put(std::span(strings_.bytes()));
    return std::move(out).take();
}

std::string identifier_from(std::string_view text)
{
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
    std::string name(text);
    std::ranges::replace_if(
        name, [&](char c) { return !is_letter(c) && !is_digit(c); }, '_');
    if (name.empty() || is_digit(name.front()))
        name.insert(name.begin(), '_');
    return name;
}

std::vector<std::byte> btf_ext_bytes(std::span<const BtfExtSection> sections)
{
    ByteWriter functions, lines;
    put_part(functions, sections, &BtfExtSection::functions);
    put_part(lines, sections, &BtfExtSection::lines);

    BtfExtHeader header;
    header.functions_length = functions.size();
    header.lines_offset = functions.size();
    header.lines_length = lines.size();
    header.relocations_offset = functions.size() + lines.size();

    ByteWriter out;
    out.put(header);
    out.put(std::span(functions.bytes()));
    out.put(std::span(lines.bytes()));
    return std::move(out).take();
}

} // namespace xdpf
