#include "compiler/object/object.hpp"

#include "compiler/object/elf_file.hpp"
#include "compiler/object/types.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <cassert>
#include <span>
#include <utility>

namespace xdpf {
namespace {

constexpr std::string_view license_section = "license";
constexpr std::string_view maps_section = ".maps";

// The kernel takes no more than 16 MB of strings. Past half of it, lines keep their number and lose their text.
constexpr std::uint32_t most_string_bytes = 8u << 20;

constexpr std::uint32_t most_line = (1u << 22) - 1;   // bpf_line_info::line_col has 22 bits for the line
constexpr std::uint32_t most_column = (1u << 10) - 1; // and 10 for the column

[[maybe_unused]] constexpr bool is_wide(const Insn &insn) { return insn.code == (BPF_LD | BPF_IMM | BPF_DW); }

// The object in the making; each method adds one part of it.
class ObjectWriter {
public:
    explicit ObjectWriter(const Image &image) : image_(image) {}

    std::vector<std::byte> write()
    {
        add_license_section();
        add_maps_section();
        add_programs();
        const std::vector<std::byte> ext = btf_ext_bytes(std::span(&ext_, 1));
        elf_.add_section(".BTF", SHT_PROGBITS, 0, 4, btf_.bytes());
        elf_.add_section(".BTF.ext", SHT_PROGBITS, 0, 4, ext);
        return std::move(elf_).bytes();
    }

private:
    void add_license_section();
    void add_maps_section();
    void add_programs();
    void put_code(const ProgramImage &program);
    void put_lines(const ProgramImage &program, std::uint32_t start);

    const Image &image_;
    ElfFile elf_;
    BtfBuilder btf_;
    std::vector<std::uint32_t> map_symbols_; // by MapId
    ByteWriter code_;                        // section "xdp", its relocations, its part of .BTF.ext
    std::vector<Elf64_Rel> relocations_;
    BtfExtSection ext_;
};

void ObjectWriter::add_license_section()
{
    ByteWriter text;
    text.put_string(image_.license);
    const std::uint32_t size = text.size();
    const auto section =
        elf_.add_section(license_section, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 1, std::move(text).take());
    elf_.add_symbol("_license", STT_OBJECT, section, 0, size);
    add_license(btf_, license_section, "_license", size);
}

void ObjectWriter::add_maps_section()
{
    if (image_.maps.empty())
        return;
    std::vector<BtfSectionVar> vars;
    std::uint32_t size = 0;
    for (const MapSpec &map : image_.maps) {
        const MapVariable variable = add_map(btf_, map);
        vars.push_back({variable.var, size, variable.size});
        size += variable.size;
    }
    btf_.add_datasec(maps_section, size, vars);

    const auto section =
        elf_.add_section(maps_section, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 8, std::vector<std::byte>(size));
    for (std::size_t i = 0; i < vars.size(); ++i)
        map_symbols_.push_back(elf_.add_symbol(image_.maps[i].name, STT_OBJECT, section, vars[i].offset, vars[i].size));
}

void ObjectWriter::add_programs()
{
    ext_.name = btf_.add_string(program_section);
    std::vector<std::uint32_t> starts;
    for (const ProgramImage &program : image_.programs) {
        assert(!program.insns.empty());
        starts.push_back(code_.size());
        ext_.functions.push_back({code_.size(), add_program(btf_, program.name).value});
        put_lines(program, code_.size());
        put_code(program);
    }
    const auto section = elf_.add_section(program_section, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, sizeof(Insn),
                                          std::move(code_).take());
    for (std::size_t i = 0; i < starts.size(); ++i)
        elf_.add_symbol(image_.programs[i].name, STT_FUNC, section, starts[i],
                        image_.programs[i].insns.size() * sizeof(Insn));
    elf_.add_relocations(section, program_section, std::move(relocations_));
}

// The instructions, with the address of a map left to its relocation.
void ObjectWriter::put_code(const ProgramImage &program)
{
    const std::uint32_t start = code_.size();
    std::vector<Insn> insns = program.insns;
    std::vector<MapReference> references = program.map_references;
    std::ranges::sort(references, {}, &MapReference::insn);
    for (const MapReference &reference : references) {
        assert(reference.insn + 1 < insns.size() && is_wide(insns[reference.insn]));
        assert(reference.map.value < map_symbols_.size());
        insns[reference.insn].src = 0;
        insns[reference.insn].imm = 0;
        insns[reference.insn + 1] = Insn{};
        relocations_.push_back({start + reference.insn * sizeof(Insn),
                                ELF64_R_INFO(std::uint64_t{map_symbols_[reference.map.value]}, R_BPF_64_64)});
    }
    code_.put(std::as_bytes(std::span(insns)));
}

// The kernel wants one line at most for an instruction; of several the last counts.
void ObjectWriter::put_lines(const ProgramImage &program, std::uint32_t start)
{
    assert(program.lines.empty() || program.lines.front().insn == 0);
    for (const LineEntry &entry : program.lines) {
        assert(entry.insn < program.insns.size());
        assert(entry.insn == 0 || !is_wide(program.insns[entry.insn - 1])); // not inside a wide instruction
        const bool keep_text = btf_.string_bytes() + entry.text.size() <= most_string_bytes;
        bpf_line_info line{};
        line.insn_off = start + entry.insn * static_cast<std::uint32_t>(sizeof(Insn));
        line.file_name_off = btf_.add_string(entry.file);
        line.line_off = keep_text ? btf_.add_string(entry.text) : 0;
        line.line_col = std::min(entry.line, most_line) << 10 | std::min(entry.column, most_column);
        if (!ext_.lines.empty() && ext_.lines.back().insn_off == line.insn_off)
            ext_.lines.back() = line;
        else
            ext_.lines.push_back(line);
    }
}

} // namespace

std::vector<std::byte> write_object(const Image &image) { return ObjectWriter(image).write(); }

} // namespace xdpf
