// NUL-terminated strings one behind the other, each text once; BTF and ELF name things by offset into such a table.
#pragma once

#include "compiler/object/byte_writer.hpp"

#include <string>
#include <unordered_map>

namespace xdpf {

class StringTable {
public:
    StringTable() { add(""); } // both formats want the empty string at offset 0

    // The offset of the text, which ends at its first NUL if it has one.
    std::uint32_t add(std::string_view text)
    {
        const std::string key(text.substr(0, text.find('\0')));
        const auto [place, is_new] = offsets_.try_emplace(key, bytes_.size());
        if (is_new)
            bytes_.put_string(key);
        return place->second;
    }
    [[nodiscard]] std::uint32_t size() const { return bytes_.size(); }
    [[nodiscard]] const std::vector<std::byte> &bytes() const { return bytes_.bytes(); }

private:
    ByteWriter bytes_;
    std::unordered_map<std::string, std::uint32_t> offsets_;
};

} // namespace xdpf
