// The object's bytes, read back by hand: sections, symbols, relocations, and the BTF that names them.
#include "compiler/object/object.hpp"

#include "tests/unit/object/sample_images.hpp"

#include <doctest/doctest.h>
#include <elf.h>
#include <linux/btf.h>

#include <cstring>
#include <map>
#include <set>
#include <span>
#include <string>

using namespace xdpf;

namespace {

// Reads what it is told to and requires that it lies inside the file.
class Reader {
public:
    explicit Reader(std::vector<std::byte> bytes) : bytes_(std::move(bytes)), header_(at<Elf64_Ehdr>(0))
    {
        for (std::size_t i = 0; i < header_.e_shnum; ++i)
            sections_.push_back(at<Elf64_Shdr>(header_.e_shoff + i * sizeof(Elf64_Shdr)));
    }

    template <class T> T at(std::uint64_t offset) const
    {
        REQUIRE(offset + sizeof(T) <= bytes_.size());
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }
    std::string text(std::uint64_t offset) const
    {
        REQUIRE(offset < bytes_.size());
        const auto *begin = reinterpret_cast<const char *>(bytes_.data()) + offset;
        const std::size_t length = strnlen(begin, bytes_.size() - offset);
        REQUIRE(offset + length < bytes_.size());
        return {begin, length};
    }
    const Elf64_Ehdr &header() const { return header_; }
    const std::vector<Elf64_Shdr> &sections() const { return sections_; }
    std::string name(const Elf64_Shdr &section) const
    {
        return text(sections_[header_.e_shstrndx].sh_offset + section.sh_name);
    }
    std::size_t index(const std::string &wanted) const
    {
        for (std::size_t i = 1; i < sections_.size(); ++i)
            if (name(sections_[i]) == wanted)
                return i;
        return 0;
    }
    const Elf64_Shdr &section(const std::string &wanted) const
    {
        REQUIRE_MESSAGE(index(wanted) != 0, wanted);
        return sections_[index(wanted)];
    }
    template <class T> std::vector<T> records(const std::string &wanted) const
    {
        const Elf64_Shdr &from = section(wanted);
        CHECK(from.sh_size % sizeof(T) == 0);
        std::vector<T> result;
        for (std::uint64_t i = 0; i < from.sh_size / sizeof(T); ++i)
            result.push_back(at<T>(from.sh_offset + i * sizeof(T)));
        return result;
    }
    std::map<std::string, Elf64_Sym> symbols() const
    {
        std::map<std::string, Elf64_Sym> result;
        for (const Elf64_Sym &symbol : records<Elf64_Sym>(".symtab"))
            result[symbol_name(symbol)] = symbol;
        return result;
    }
    std::string symbol_name(const Elf64_Sym &symbol) const
    {
        return text(sections_[section(".symtab").sh_link].sh_offset + symbol.st_name);
    }
    std::string btf_string(std::uint32_t offset) const
    {
        const std::uint64_t start = section(".BTF").sh_offset;
        const auto btf = at<btf_header>(start);
        REQUIRE(offset < btf.str_len);
        return text(start + btf.hdr_len + btf.str_off + offset);
    }

private:
    std::vector<std::byte> bytes_;
    Elf64_Ehdr header_;
    std::vector<Elf64_Shdr> sections_;
};

struct Lines {
    std::vector<bpf_func_info> functions;
    std::vector<bpf_line_info> lines;
};

// .BTF.ext of an object whose code is in one section.
Lines read_ext(const Reader &file)
{
    const std::uint64_t start = file.section(".BTF.ext").sh_offset;
    const std::uint64_t body = start + file.at<std::uint32_t>(start + 4);
    const std::uint64_t functions = body + file.at<std::uint32_t>(start + 8);
    const std::uint64_t lines = body + file.at<std::uint32_t>(start + 16);
    Lines result;
    CHECK(file.btf_string(file.at<std::uint32_t>(functions + 4)) == "xdp");
    for (std::uint32_t i = 0; i < file.at<std::uint32_t>(functions + 8); ++i)
        result.functions.push_back(file.at<bpf_func_info>(functions + 12 + i * sizeof(bpf_func_info)));
    for (std::uint32_t i = 0; i < file.at<std::uint32_t>(lines + 8); ++i)
        result.lines.push_back(file.at<bpf_line_info>(lines + 12 + i * sizeof(bpf_line_info)));
    return result;
}

} // namespace

TEST_CASE("the object is a relocatable ELF file for BPF with sections inside the file and aligned")
{
    const std::vector<std::byte> bytes = write_object(samples::all_kinds());
    const Reader file(bytes);
    CHECK(std::memcmp(file.header().e_ident, ELFMAG, SELFMAG) == 0);
    CHECK(file.header().e_type == ET_REL);
    CHECK(file.header().e_machine == EM_BPF);
    CHECK(file.sections().front().sh_type == SHT_NULL);
    for (const Elf64_Shdr &section : file.sections()) {
        CHECK(section.sh_offset + section.sh_size <= bytes.size());
        if (section.sh_addralign != 0)
            CHECK(section.sh_offset % section.sh_addralign == 0);
    }
    std::set<std::string> names;
    for (const Elf64_Shdr &section : file.sections())
        names.insert(file.name(section));
    CHECK(names ==
          std::set<std::string>{"", "license", ".maps", "xdp", ".relxdp", ".BTF", ".BTF.ext", ".symtab", ".strtab"});
}

TEST_CASE("a program's instructions, its symbol and its license")
{
    const Image image = samples::redirect_all();
    const Reader file(write_object(image));
    const auto code = file.records<bpf_insn>("xdp");
    REQUIRE(code.size() == image.programs[0].insns.size());
    CHECK(code[0].code == (BPF_LDX | BPF_W | BPF_MEM));
    CHECK(code[0].dst_reg == 2);
    CHECK(code[0].src_reg == 1);
    CHECK(code[0].off == 16);
    CHECK(code.back().code == (BPF_JMP | BPF_EXIT));

    const Elf64_Sym symbol = file.symbols().at("redirect_all");
    CHECK(ELF64_ST_TYPE(symbol.st_info) == STT_FUNC);
    CHECK(ELF64_ST_BIND(symbol.st_info) == STB_GLOBAL);
    CHECK(symbol.st_shndx == file.index("xdp"));
    CHECK(symbol.st_size == code.size() * sizeof(bpf_insn));
    CHECK(file.text(file.section("license").sh_offset) == "GPL");
    CHECK(file.section("license").sh_size == 4);
    CHECK(file.section(".symtab").sh_info == 1);
}

TEST_CASE("loads of a map's address are relocations against the map's symbol, whatever the instruction held")
{
    Image image = samples::redirect_all();
    image.programs[0].insns[1].src = BPF_PSEUDO_MAP_FD;
    image.programs[0].insns[1].imm = 42;
    image.programs.push_back(image.programs[0]);
    image.programs[1].name = "second";
    const Reader file(write_object(image));

    const auto relocations = file.records<Elf64_Rel>(".relxdp");
    REQUIRE(relocations.size() == 2);
    const auto first_size = image.programs[0].insns.size() * sizeof(Insn);
    CHECK(relocations[0].r_offset == 1 * sizeof(Insn));
    CHECK(relocations[1].r_offset == first_size + 1 * sizeof(Insn));
    const auto symbols = file.records<Elf64_Sym>(".symtab");
    for (const Elf64_Rel &relocation : relocations) {
        CHECK(ELF64_R_TYPE(relocation.r_info) == R_BPF_64_64);
        CHECK(file.symbol_name(symbols[ELF64_R_SYM(relocation.r_info)]) == "xsks");
    }
    CHECK(file.section(".relxdp").sh_info == file.index("xdp"));
    CHECK(file.section(".relxdp").sh_link == file.index(".symtab"));
    const auto code = file.records<bpf_insn>("xdp");
    CHECK(code[1].src_reg == 0);
    CHECK(code[1].imm == 0);
}

TEST_CASE("maps lie behind each other in .maps")
{
    const Image image = samples::all_kinds();
    const Reader file(write_object(image));
    const auto symbols = file.symbols();
    std::uint64_t end = 0;
    for (const MapSpec &map : image.maps) {
        const Elf64_Sym &symbol = symbols.at(map.name);
        CHECK(ELF64_ST_TYPE(symbol.st_info) == STT_OBJECT);
        CHECK(symbol.st_shndx == file.index(".maps"));
        CHECK(symbol.st_value == end);
        CHECK(symbol.st_size == (map.flags != 0 ? 40 : 32)); // 8 bytes for each member of the definition
        end += symbol.st_size;
    }
    CHECK(file.section(".maps").sh_size == end);
}

TEST_CASE("without maps there is no .maps and no relocation section")
{
    const Reader file(write_object(samples::no_maps()));
    CHECK(file.index(".maps") == 0);
    CHECK(file.index(".relxdp") == 0);
}

TEST_CASE("functions and lines, also of the programs behind the first")
{
    const Image image = samples::several_programs();
    const Reader file(write_object(image));
    const Lines info = read_ext(file);
    REQUIRE(info.functions.size() == 3);
    const auto symbols = file.symbols();
    for (std::size_t i = 0; i < 3; ++i)
        CHECK(info.functions[i].insn_off == symbols.at(image.programs[i].name).st_value);
    CHECK(info.functions[0].type_id != info.functions[1].type_id);

    REQUIRE(info.lines.size() == 4);
    CHECK(info.lines[0].insn_off == 0);
    CHECK(file.btf_string(info.lines[0].file_name_off) == "sample.xdpf");
    CHECK(file.btf_string(info.lines[0].line_off) == "    match udp -> xsk xsks");
    CHECK(BPF_LINE_INFO_LINE_NUM(info.lines[0].line_col) == 3);
    CHECK(BPF_LINE_INFO_LINE_COL(info.lines[0].line_col) == 5);
    CHECK(info.lines[1].insn_off == 3 * sizeof(Insn));
    CHECK(info.lines[2].insn_off == symbols.at("dropper").st_value);
    CHECK(file.btf_string(info.lines[3].line_off) == "default -> 2");
}

TEST_CASE("two lines for one instruction: the last counts; large numbers do not spill over")
{
    Image image = samples::no_maps();
    ProgramImage &program = image.programs[0];
    program.lines = {{0, "a.xdpf", 1, 1, "first"}, {0, "a.xdpf", 2, 5000, "second"}, {1, "a.xdpf", 1u << 30, 1, ""}};
    const Reader file(write_object(image));
    const Lines info = read_ext(file);
    REQUIRE(info.lines.size() == 2);
    CHECK(file.btf_string(info.lines[0].line_off) == "second");
    CHECK(BPF_LINE_INFO_LINE_NUM(info.lines[0].line_col) == 2);
    CHECK(BPF_LINE_INFO_LINE_COL(info.lines[0].line_col) == 1023);
    CHECK(BPF_LINE_INFO_LINE_NUM(info.lines[1].line_col) == (1u << 22) - 1);
}

TEST_CASE("the strings stay below what the kernel takes")
{
    Image image = samples::no_maps();
    ProgramImage &program = image.programs[0];
    program.insns.assign(40, samples::mov(0, 2));
    program.insns.push_back(samples::exit());
    program.lines.clear();
    for (std::uint32_t i = 0; i < 40; ++i)
        program.lines.push_back({i, "a.xdpf", i + 1, 1, std::string((1u << 20) - 100 + i, 'x')});
    const Reader file(write_object(image));
    CHECK(file.at<btf_header>(file.section(".BTF").sh_offset).str_len < (16u << 20));
    const Lines info = read_ext(file);
    REQUIRE(info.lines.size() == 40);
    CHECK(file.btf_string(info.lines.front().line_off).size() == (1u << 20) - 100);
    CHECK(file.btf_string(info.lines.back().line_off).empty());
    CHECK(BPF_LINE_INFO_LINE_NUM(info.lines.back().line_col) == 40);
}

TEST_CASE("programs for map entries and fragments have their own sections, each with its functions and lines")
{
    const Image image = samples::every_place();
    const Reader file(write_object(image));
    const auto symbols = file.symbols();
    for (const ProgramImage &program : image.programs) {
        const std::string section(section_of(program));
        CAPTURE(section);
        CHECK(symbols.at(program.name).st_shndx == file.index(section));
        CHECK(file.records<Elf64_Rel>(".rel" + section).size() == (section == "xdp" ? 2 : 1));
        CHECK(file.section(".rel" + section).sh_info == file.index(section));
    }
    CHECK(file.section("xdp").sh_size == 2 * symbols.at("redirect_all").st_size);
    CHECK(file.section("xdp.frags/cpumap").sh_size == symbols.at("redirect_all").st_size);

    const std::uint64_t start = file.section(".BTF.ext").sh_offset;
    std::uint64_t at = start + file.at<std::uint32_t>(start + 4) + file.at<std::uint32_t>(start + 8) + 4;
    std::vector<std::string> named;
    for (int i = 0; i < 6; ++i) {
        named.push_back(file.btf_string(file.at<std::uint32_t>(at)));
        at += 8 + file.at<std::uint32_t>(at + 4) * sizeof(bpf_func_info);
    }
    CHECK(named == std::vector<std::string>{"xdp", "xdp.frags", "xdp/devmap", "xdp.frags/devmap", "xdp/cpumap",
                                            "xdp.frags/cpumap"});
}

TEST_CASE("data is a section with a symbol for each field, and addresses count from the symbol before")
{
    const Reader file(write_object(samples::with_data()));
    const Elf64_Shdr &data = file.section(".data");
    CHECK(data.sh_size == 16);
    CHECK(file.at<std::uint16_t>(data.sh_offset) == 53);
    CHECK(file.at<std::uint64_t>(data.sh_offset + 8) == 7);
    const auto symbols = file.symbols();
    CHECK(symbols.at("dns_port").st_value == 0);
    CHECK(symbols.at("server").st_value == 4);
    CHECK(symbols.at("limit").st_value == 8);
    CHECK(symbols.at("limit").st_size == 8);
    CHECK(symbols.at("limit").st_shndx == file.index(".data"));
    CHECK(!symbols.contains("params"));

    const auto relocations = file.records<Elf64_Rel>(".relxdp");
    const auto code = file.records<bpf_insn>("xdp");
    const auto all = file.records<Elf64_Sym>(".symtab");
    REQUIRE(relocations.size() == 4); // the first is the other program's
    const auto check = [&](std::size_t which, const char *symbol, int addend) {
        CHECK(file.symbol_name(all[ELF64_R_SYM(relocations[which].r_info)]) == symbol);
        CHECK(code[relocations[which].r_offset / sizeof(bpf_insn)].imm == addend);
    };
    check(0, "xsks", 0);
    check(1, "limit", 0);
    check(2, "dns_port", 0);
    check(3, "server", 3);
}

TEST_CASE("functions of the kernel are undefined symbols, one for each that is called")
{
    const Image image = samples::with_kfuncs();
    const Reader file(write_object(image));
    const auto relocations = file.records<Elf64_Rel>(".relxdp");
    const auto all = file.records<Elf64_Sym>(".symtab");
    const auto code = file.records<bpf_insn>("xdp");
    REQUIRE(relocations.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) {
        const KfuncReference &reference = image.programs[0].kfunc_references[i];
        CHECK(relocations[i].r_offset == reference.insn * sizeof(Insn));
        CHECK(ELF64_R_TYPE(relocations[i].r_info) == R_BPF_64_32);
        const Elf64_Sym &symbol = all[ELF64_R_SYM(relocations[i].r_info)];
        CHECK(file.symbol_name(symbol) == name_of(reference.kfunc));
        CHECK(symbol.st_shndx == SHN_UNDEF);
        CHECK(code[reference.insn].src_reg == BPF_PSEUDO_CALL);
        CHECK(code[reference.insn].imm == -1);
    }
    CHECK(relocations[1].r_info == relocations[3].r_info);
    const Reader without(write_object(samples::no_maps()));
    CHECK(!without.symbols().contains(std::string(name_of(Kfunc::rx_hash))));
}
