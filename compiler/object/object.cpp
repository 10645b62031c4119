#include "compiler/object/object.hpp"

#include "compiler/object/elf_file.hpp"
#include "compiler/object/types.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <iterator>
#include <span>
#include <utility>

namespace xdpf {
namespace {

constexpr std::string_view license_section = "license";
constexpr std::string_view maps_section = ".maps";
constexpr std::string_view kfuncs_section = ".ksyms";

// The kernel takes no more than 16 MB of strings. Past half of it, lines keep their number and lose their text.
constexpr std::uint32_t most_string_bytes = 8u << 20;

constexpr std::uint32_t most_line = (1u << 22) - 1;   // bpf_line_info::line_col has 22 bits for the line
constexpr std::uint32_t most_column = (1u << 10) - 1; // and 10 for the column

[[maybe_unused]] constexpr bool is_wide(const Insn &insn) { return insn.code == (BPF_LD | BPF_IMM | BPF_DW); }

// A section of programs in the making, with its relocations and its part of .BTF.ext.
struct CodeSection {
    std::string_view name;
    ByteWriter code;
    std::vector<Elf64_Rel> relocations;
    BtfExtSection ext;
    struct Start {
        const ProgramImage *program;
        std::uint32_t offset;
    };
    std::vector<Start> starts;
};

// The object in the making; each method adds one part of it.
class ObjectWriter {
public:
    ObjectWriter(const Image &image, ProgramTables tables) : image_(image), tables_(tables)
    {
        map_symbols_.resize(image.maps.size());
    }

    std::vector<std::byte> write()
    {
        add_license_section();
        add_maps_section();
        for (std::size_t i = 0; i < image_.maps.size(); ++i)
            if (image_.maps[i].data)
                add_data_section(MapId(i));
        add_kfuncs();
        add_programs();
        fill_table();
        for (const RecordType &record : image_.records) // nothing refers to them: they are for readers of the rings
            static_cast<void>(add_layout(btf_, record.layout, record.name));
        std::vector<BtfExtSection> infos;
        for (CodeSection &section : code_)
            infos.push_back(std::move(section.ext));
        const std::vector<std::byte> ext = btf_ext_bytes(infos);
        elf_.add_section(".BTF", SHT_PROGBITS, 0, 4, btf_.bytes());
        elf_.add_section(".BTF.ext", SHT_PROGBITS, 0, 4, ext);
        return std::move(elf_).bytes();
    }

private:
    // A symbol of the data, for the bytes from `offset` on.
    struct DataSymbol {
        MapId map;
        std::uint32_t offset;
        std::uint32_t symbol;
    };

    void add_license_section();
    void add_maps_section();
    void add_data_section(MapId map);
    void add_kfuncs();
    void add_programs();
    void fill_table();
    [[nodiscard]] std::vector<std::size_t> table_slots() const;
    CodeSection &code_section(std::string_view name);
    void finish(CodeSection &section);
    void put_code(const ProgramImage &program, CodeSection &section);
    void put_lines(const ProgramImage &program, CodeSection &section);
    Elf64_Rel relocate(const MapReference &reference, std::span<Insn> insns) const;

    const Image &image_;
    ElfFile elf_;
    BtfBuilder btf_;
    std::vector<std::uint32_t> map_symbols_; // by MapId
    std::vector<DataSymbol> data_symbols_;   // in order of map and offset
    std::array<std::uint32_t, kfunc_names.size()> kfunc_symbols_{};
    std::vector<CodeSection> code_;
    ProgramTables tables_;
    ElfFile::SectionIndex maps_index_ = 0;
    std::uint32_t table_begin_ = 0;              // of the table's slots, in section .maps
    std::vector<std::uint32_t> program_symbols_; // by index of the program
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
    std::vector<BtfSectionVar> vars;
    std::vector<std::size_t> maps;
    const std::vector<std::size_t> slots = table_slots();
    std::uint32_t size = 0;
    for (std::size_t i = 0; i < image_.maps.size(); ++i) {
        if (image_.maps[i].data)
            continue;
        const bool filled = !slots.empty() && MapId(i) == image_.program_table;
        MapVariable variable = filled ? add_program_table(btf_, image_.maps[i]) : add_map(btf_, image_.maps[i]);
        if (filled) {
            table_begin_ = size + variable.size;
            variable.size += static_cast<std::uint32_t>((slots.back() + 1) * sizeof(std::uint64_t));
        }
        vars.push_back({variable.var, size, variable.size});
        maps.push_back(i);
        size += variable.size;
    }
    if (vars.empty())
        return;
    btf_.add_datasec(maps_section, size, vars);

    maps_index_ = elf_.add_section(maps_section, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 8, std::vector<std::byte>(size));
    for (std::size_t i = 0; i < vars.size(); ++i)
        map_symbols_[maps[i]] =
            elf_.add_symbol(image_.maps[maps[i]].name, STT_OBJECT, maps_index_, vars[i].offset, vars[i].size);
}

void ObjectWriter::add_data_section(MapId map)
{
    const MapSpec *const data = &image_.maps[map.value];
    assert(data->initial.size() == data->value.size && !data->value.fields.empty());
    const std::string name_of_section = data_section_of(*data);
    const auto section = elf_.add_section(name_of_section, SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 8, data->initial);
    std::vector<BtfSectionVar> vars;
    for (const LayoutField &field : data->value.fields) {
        const std::string name = identifier_from(field.name.empty() ? data->name : field.name);
        vars.push_back({add_data_variable(btf_, name, field), field.offset, field.size});
        data_symbols_.push_back(
            {map, field.offset, elf_.add_symbol(name, STT_OBJECT, section, field.offset, field.size)});
    }
    btf_.add_datasec(name_of_section, data->value.size, vars);
}

// libbpf gives the section its size.
void ObjectWriter::add_kfuncs()
{
    std::vector<BtfSectionVar> functions;
    for (std::size_t i = 0; i < kfunc_names.size(); ++i) {
        const auto kfunc = static_cast<Kfunc>(i);
        const auto calls = [&](const ProgramImage &program) {
            return std::ranges::find(program.kfunc_references, kfunc, &KfuncReference::kfunc) !=
                   program.kfunc_references.end();
        };
        if (std::ranges::none_of(image_.programs, calls))
            continue;
        functions.push_back({add_kfunc(btf_, kfunc), 0, 0});
        kfunc_symbols_[i] = elf_.add_symbol(name_of(kfunc), STT_NOTYPE, SHN_UNDEF, 0, 0);
    }
    if (!functions.empty())
        btf_.add_datasec(kfuncs_section, 0, functions);
}

CodeSection &ObjectWriter::code_section(std::string_view name)
{
    const auto found = std::ranges::find(code_, name, &CodeSection::name);
    if (found != code_.end())
        return *found;
    CodeSection &section = code_.emplace_back();
    section.name = name;
    section.ext.name = btf_.add_string(name);
    return section;
}

void ObjectWriter::add_programs()
{
    for (const ProgramImage &program : image_.programs) {
        assert(!program.insns.empty());
        CodeSection &section = code_section(section_of(program));
        section.starts.push_back({&program, section.code.size()});
        section.ext.functions.push_back({section.code.size(), add_program(btf_, program.name).value});
        put_lines(program, section);
        put_code(program, section);
    }
    program_symbols_.resize(image_.programs.size());
    for (CodeSection &section : code_)
        finish(section);
}

// The programs that others go on with, in order.
std::vector<std::size_t> ObjectWriter::table_slots() const
{
    std::vector<std::size_t> slots;
    if (tables_ == ProgramTables::filled && image_.program_table.valid())
        for (const ProgramImage &program : image_.programs)
            slots.insert(slots.end(), program.goes_on_with.begin(), program.goes_on_with.end());
    std::ranges::sort(slots);
    const auto repeated = std::ranges::unique(slots);
    slots.erase(repeated.begin(), repeated.end());
    return slots;
}

void ObjectWriter::fill_table()
{
    std::vector<Elf64_Rel> relocations;
    for (const std::size_t slot : table_slots())
        relocations.push_back({table_begin_ + slot * sizeof(std::uint64_t),
                               ELF64_R_INFO(std::uint64_t{program_symbols_[slot]}, R_BPF_64_64)});
    elf_.add_relocations(maps_index_, maps_section, std::move(relocations));
}

void ObjectWriter::finish(CodeSection &section)
{
    const auto index = elf_.add_section(section.name, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, sizeof(Insn),
                                        std::move(section.code).take());
    for (const CodeSection::Start &start : section.starts)
        program_symbols_[static_cast<std::size_t>(start.program - image_.programs.data())] = elf_.add_symbol(
            start.program->name, STT_FUNC, index, start.offset, start.program->insns.size() * sizeof(Insn));
    elf_.add_relocations(index, section.name, std::move(section.relocations));
}

// An address is left to its relocation, up to what is to be added to the symbol's.
Elf64_Rel ObjectWriter::relocate(const MapReference &reference, std::span<Insn> insns) const
{
    assert(reference.insn + 1 < insns.size() && is_wide(insns[reference.insn]));
    assert(reference.map.value < map_symbols_.size());
    std::uint32_t symbol = map_symbols_[reference.map.value];
    std::int32_t addend = 0;
    if (reference.value_offset) {
        assert(image_.maps[reference.map.value].data);
        const auto behind =
            std::ranges::upper_bound(data_symbols_, std::pair(reference.map.value, *reference.value_offset), {},
                                     [](const DataSymbol &one) { return std::pair(one.map.value, one.offset); });
        assert(behind != data_symbols_.begin() && std::prev(behind)->map == reference.map);
        symbol = std::prev(behind)->symbol;
        addend = static_cast<std::int32_t>(*reference.value_offset - std::prev(behind)->offset);
    }
    insns[reference.insn].src = 0;
    insns[reference.insn].imm = addend;
    insns[reference.insn + 1] = Insn{};
    return {reference.insn * sizeof(Insn), ELF64_R_INFO(std::uint64_t{symbol}, R_BPF_64_64)};
}

void ObjectWriter::put_code(const ProgramImage &program, CodeSection &section)
{
    const std::uint32_t start = section.code.size();
    std::vector<Insn> insns = program.insns;
    std::vector<Elf64_Rel> relocations;
    for (const MapReference &reference : program.map_references)
        relocations.push_back(relocate(reference, insns));
    for (const KfuncReference &reference : program.kfunc_references) {
        assert(reference.insn < insns.size() && insns[reference.insn].code == (BPF_JMP | BPF_CALL));
        insns[reference.insn].src = BPF_PSEUDO_CALL; // a call to be linked, as compilers emit it
        insns[reference.insn].imm = -1;
        const std::uint64_t symbol = kfunc_symbols_[static_cast<std::size_t>(reference.kfunc)];
        relocations.push_back({reference.insn * sizeof(Insn), ELF64_R_INFO(symbol, R_BPF_64_32)});
    }
    std::ranges::sort(relocations, {}, &Elf64_Rel::r_offset);
    for (Elf64_Rel &relocation : relocations)
        relocation.r_offset += start;
    section.relocations.insert(section.relocations.end(), relocations.begin(), relocations.end());
    section.code.put(std::as_bytes(std::span(insns)));
}

// The kernel wants one line at most for an instruction; of several the last counts.
void ObjectWriter::put_lines(const ProgramImage &program, CodeSection &section)
{
    std::vector<bpf_line_info> &lines = section.ext.lines;
    const std::uint32_t start = section.code.size();
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
        if (!lines.empty() && lines.back().insn_off == line.insn_off)
            lines.back() = line;
        else
            lines.push_back(line);
    }
}

} // namespace

std::string_view section_of(const ProgramImage &program)
{
    switch (program.place) {
    case ProgramImage::Place::interface: return program.frags ? "xdp.frags" : "xdp";
    case ProgramImage::Place::devmap: return program.frags ? "xdp.frags/devmap" : "xdp/devmap";
    case ProgramImage::Place::cpumap: return program.frags ? "xdp.frags/cpumap" : "xdp/cpumap";
    }
    return {};
}

std::vector<std::byte> write_object(const Image &image, ProgramTables tables)
{
    return ObjectWriter(image, tables).write();
}

} // namespace xdpf
