// A relocatable ELF object for the BPF machine in the making (<elf.h>, 64-bit, the host's byte order). Knows sections,
// symbols and relocations; what they mean is the caller's.
#pragma once

#include "compiler/object/string_table.hpp"

#include <elf.h>

#include <string_view>
#include <vector>

namespace xdpf {

class ElfFile {
public:
    using SectionIndex = std::uint16_t;

    ElfFile();
    SectionIndex add_section(std::string_view name, std::uint32_t type, std::uint64_t flags, std::uint64_t alignment,
                             std::vector<std::byte> data);
    // A global symbol. `type`: STT_FUNC, STT_OBJECT; `value` is its offset in the section. Gives its index.
    std::uint32_t add_symbol(std::string_view name, unsigned char type, SectionIndex section, std::uint64_t value,
                             std::uint64_t size);
    // Relocations of a section, in order of offset. None: no section is made for them.
    void add_relocations(SectionIndex section, std::string_view section_name, std::vector<Elf64_Rel> relocations);

    [[nodiscard]] std::vector<std::byte> bytes() &&;

private:
    struct Section {
        Elf64_Shdr header{};
        std::vector<std::byte> data;
    };
    std::vector<Section> sections_; // the first is the null section
    std::vector<Elf64_Sym> symbols_;
    std::vector<SectionIndex> relocation_sections_; // their link is set once the symbol table has an index
    StringTable names_;                             // of sections and of symbols
};

} // namespace xdpf
