#include "compiler/object/elf_file.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <string>

namespace xdpf {
namespace {

std::vector<std::byte> to_bytes(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

Elf64_Ehdr file_header()
{
    Elf64_Ehdr header{};
    std::copy_n(ELFMAG, SELFMAG, header.e_ident);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = std::endian::native == std::endian::little ? ELFDATA2LSB : ELFDATA2MSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_REL;
    header.e_machine = EM_BPF;
    header.e_version = EV_CURRENT;
    header.e_ehsize = sizeof(Elf64_Ehdr);
    header.e_shentsize = sizeof(Elf64_Shdr);
    return header;
}

} // namespace

ElfFile::ElfFile() : sections_(1), symbols_(1) {}

ElfFile::SectionIndex ElfFile::add_section(std::string_view name, std::uint32_t type, std::uint64_t flags,
                                           std::uint64_t alignment, std::vector<std::byte> data)
{
    assert(sections_.size() < SHN_LORESERVE);
    Section section;
    section.header.sh_name = names_.add(name);
    section.header.sh_type = type;
    section.header.sh_flags = flags;
    section.header.sh_addralign = alignment;
    section.data = std::move(data);
    sections_.push_back(std::move(section));
    return static_cast<SectionIndex>(sections_.size() - 1);
}

std::uint32_t ElfFile::add_symbol(std::string_view name, unsigned char type, SectionIndex section, std::uint64_t value,
                                  std::uint64_t size)
{
    Elf64_Sym symbol{};
    symbol.st_name = names_.add(name);
    symbol.st_info = ELF64_ST_INFO(STB_GLOBAL, type);
    symbol.st_shndx = section;
    symbol.st_value = value;
    symbol.st_size = size;
    symbols_.push_back(symbol);
    return static_cast<std::uint32_t>(symbols_.size() - 1);
}

void ElfFile::add_relocations(SectionIndex section, std::string_view section_name, std::vector<Elf64_Rel> relocations)
{
    if (relocations.empty())
        return;
    const SectionIndex index = add_section(".rel" + std::string(section_name), SHT_REL, SHF_INFO_LINK, 8,
                                           to_bytes(std::as_bytes(std::span(relocations))));
    sections_[index].header.sh_info = section;
    sections_[index].header.sh_entsize = sizeof(Elf64_Rel);
    relocation_sections_.push_back(index);
}

std::vector<std::byte> ElfFile::bytes() &&
{
    const SectionIndex symtab = add_section(".symtab", SHT_SYMTAB, 0, 8, to_bytes(std::as_bytes(std::span(symbols_))));
    names_.add(".strtab"); // before its own bytes are copied
    const SectionIndex strtab = add_section(".strtab", SHT_STRTAB, 0, 1, names_.bytes());
    sections_[symtab].header.sh_link = strtab;
    sections_[symtab].header.sh_info = 1; // the first global symbol; only the null symbol is local
    sections_[symtab].header.sh_entsize = sizeof(Elf64_Sym);
    for (const SectionIndex index : relocation_sections_)
        sections_[index].header.sh_link = symtab;

    // File header, the sections' bytes, the section headers.
    std::uint64_t end = sizeof(Elf64_Ehdr);
    const auto align_to = [](std::uint64_t offset, std::uint64_t a) { return (offset + a - 1) / a * a; };
    for (Section &section : std::span(sections_).subspan(1)) {
        section.header.sh_offset = align_to(end, section.header.sh_addralign);
        section.header.sh_size = section.data.size();
        end = section.header.sh_offset + section.header.sh_size;
    }
    Elf64_Ehdr header = file_header();
    header.e_shoff = align_to(end, 8);
    header.e_shnum = static_cast<std::uint16_t>(sections_.size());
    header.e_shstrndx = strtab;

    ByteWriter out;
    out.put(header);
    for (const Section &section : std::span(sections_).subspan(1)) {
        out.align(section.header.sh_addralign);
        out.put(std::span(section.data));
    }
    out.align(8);
    for (const Section &section : sections_)
        out.put(section.header);
    return std::move(out).take();
}

} // namespace xdpf
