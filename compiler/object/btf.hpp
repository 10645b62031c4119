// BTF, the kernel's type format (Documentation/bpf/btf.rst, <linux/btf.h>): a builder for the .BTF section, and the
// bytes of .BTF.ext, which says which function and which source line an instruction belongs to.
#pragma once

#include "compiler/base/id.hpp"
#include "compiler/object/string_table.hpp"

#include <linux/bpf.h>
#include <linux/btf.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace xdpf {

using BtfId = Id<struct BtfTag>;
inline constexpr BtfId btf_void{0};

struct BtfMember {
    std::string_view name;
    BtfId type;
    std::uint32_t offset = 0; // bytes
};

struct BtfParam {
    std::string_view name;
    BtfId type;
};

// A variable's place in its section, in bytes. (In the section of external functions: a function.)
struct BtfSectionVar {
    BtfId var;
    std::uint32_t offset = 0;
    std::uint32_t size = 0;
};

// Types get their ids in the order they are added; adding the same type again gives the id it has. Types refer only to
// types that were added before. The kernel wants names (except of ints and sections) to be C identifiers:
// identifier_from() makes one.
class BtfBuilder {
public:
    // `encoding`: 0 (unsigned) or BTF_INT_… of <linux/btf.h>.
    BtfId add_int(std::string_view name, std::uint32_t bytes, std::uint32_t encoding = 0);
    BtfId add_ptr(BtfId to);
    BtfId add_typedef(std::string_view name, BtfId type);
    BtfId add_array(BtfId element, BtfId index, std::uint32_t count);
    // An empty name makes the struct anonymous. `size` in bytes; gaps between members are allowed.
    BtfId add_struct(std::string_view name, std::uint32_t size, std::span<const BtfMember> members);
    // Of 4 bytes, without its constants.
    BtfId add_enum(std::string_view name);
    BtfId add_func_proto(BtfId result, std::span<const BtfParam> params);
    // Functions and variables are visible outside (global linkage), or of the kernel's (external).
    BtfId add_func(std::string_view name, BtfId proto) { return add_func(name, proto, BTF_FUNC_GLOBAL); }
    BtfId add_extern_func(std::string_view name, BtfId proto) { return add_func(name, proto, BTF_FUNC_EXTERN); }
    BtfId add_var(std::string_view name, BtfId type);
    BtfId add_datasec(std::string_view name, std::uint32_t size, std::span<const BtfSectionVar> vars);

    std::uint32_t add_string(std::string_view text) { return strings_.add(text); }
    [[nodiscard]] std::uint32_t string_bytes() const { return strings_.size(); }
    [[nodiscard]] std::size_t type_count() const { return ids_.size(); }

    // The whole .BTF section: header, types, strings.
    [[nodiscard]] std::vector<std::byte> bytes() const;

private:
    BtfId add(const ByteWriter &record);
    BtfId add_func(std::string_view name, BtfId proto, std::uint32_t linkage);

    ByteWriter types_;
    StringTable strings_;
    std::unordered_map<std::string, BtfId> ids_; // by the bytes of the type's record
};

// A C identifier that is close to the text: "ipv4.src" gives "ipv4_src".
[[nodiscard]] std::string identifier_from(std::string_view text);

// What .BTF.ext says of one section of code. insn_off counts bytes from the section's start, as in object files (the
// kernel's own interface counts instructions); both lists are in order of it.
struct BtfExtSection {
    std::uint32_t name = 0; // offset into the strings of .BTF
    std::vector<bpf_func_info> functions;
    std::vector<bpf_line_info> lines;
};

[[nodiscard]] std::vector<std::byte> btf_ext_bytes(std::span<const BtfExtSection> sections);

} // namespace xdpf
