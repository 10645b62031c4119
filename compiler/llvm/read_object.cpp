// ELF as in elf(5); .BTF and .BTF.ext as in the kernel's Documentation/bpf/btf.rst.
#include "compiler/llvm/read_object.hpp"

#include <elf.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <linux/btf.h>

#include <algorithm>
#include <cstring>
#include <optional>

namespace xdpf::llvm_backend {
namespace {

using Bytes = std::span<const std::byte>;

template <class T> T read(Bytes bytes, std::size_t at)
{
    T out{};
    if (at <= bytes.size() && sizeof out <= bytes.size() - at)
        std::memcpy(&out, bytes.data() + at, sizeof out);
    return out;
}

std::string text_at(Bytes strings, std::size_t at)
{
    const auto from = strings.subspan(std::min(at, strings.size()));
    const auto end = std::ranges::find(from, std::byte{0});
    std::string out;
    std::transform(from.begin(), end, std::back_inserter(out), [](std::byte byte) { return static_cast<char>(byte); });
    return out;
}

class Elf {
public:
    explicit Elf(Bytes bytes) : bytes_(bytes)
    {
        const auto header = read<Elf64_Ehdr>(bytes, 0);
        for (std::size_t i = 0; i < header.e_shnum; ++i)
            sections_.push_back(read<Elf64_Shdr>(bytes, header.e_shoff + i * sizeof(Elf64_Shdr)));
        if (header.e_shstrndx < sections_.size())
            names_ = contents(sections_[header.e_shstrndx]);
    }

    [[nodiscard]] Bytes contents(const Elf64_Shdr &section) const
    {
        if (section.sh_offset > bytes_.size() || section.sh_size > bytes_.size() - section.sh_offset)
            return {};
        return bytes_.subspan(section.sh_offset, section.sh_size);
    }
    [[nodiscard]] const std::vector<Elf64_Shdr> &sections() const { return sections_; }
    [[nodiscard]] std::string name_of(const Elf64_Shdr &section) const { return text_at(names_, section.sh_name); }
    [[nodiscard]] Bytes named(std::string_view name) const
    {
        const auto found =
            std::ranges::find_if(sections_, [&](const Elf64_Shdr &section) { return name_of(section) == name; });
        return found == sections_.end() ? Bytes{} : contents(*found);
    }

private:
    Bytes bytes_;
    std::vector<Elf64_Shdr> sections_;
    Bytes names_;
};

std::vector<ObjectCode::Relocation> relocations_of(const Elf &elf, std::string_view section)
{
    std::vector<ObjectCode::Relocation> out;
    for (const Elf64_Shdr &header : elf.sections()) {
        if (header.sh_type != SHT_REL || header.sh_info >= elf.sections().size() ||
            header.sh_link >= elf.sections().size() || elf.name_of(elf.sections()[header.sh_info]) != section)
            continue;
        const Elf64_Shdr &table = elf.sections()[header.sh_link];
        const Bytes symbols = elf.contents(table);
        const Bytes strings =
            table.sh_link < elf.sections().size() ? elf.contents(elf.sections()[table.sh_link]) : Bytes{};
        const Bytes entries = elf.contents(header);
        for (std::size_t at = 0; at < entries.size(); at += sizeof(Elf64_Rel)) {
            const auto entry = read<Elf64_Rel>(entries, at);
            const auto symbol = read<Elf64_Sym>(symbols, ELF64_R_SYM(entry.r_info) * sizeof(Elf64_Sym));
            out.push_back(
                {static_cast<std::uint32_t>(entry.r_offset / sizeof(Insn)), text_at(strings, symbol.st_name)});
        }
    }
    std::ranges::sort(out, {}, &ObjectCode::Relocation::insn);
    return out;
}

// The header of .BTF.ext, which <linux/btf.h> leaves to libbpf.
struct BtfExtHeader {
    std::uint16_t magic;
    std::uint8_t version;
    std::uint8_t flags;
    std::uint32_t header_bytes;
    std::uint32_t functions_at;
    std::uint32_t functions_bytes;
    std::uint32_t lines_at;
    std::uint32_t lines_bytes;
};

std::vector<ObjectCode::Line> lines_of(const Elf &elf)
{
    std::vector<ObjectCode::Line> out;
    const Bytes ext = elf.named(".BTF.ext");
    const auto header = read<BtfExtHeader>(ext, 0);
    const std::size_t begin = std::size_t{header.header_bytes} + header.lines_at;
    if (header.magic != BTF_MAGIC || begin > ext.size() || header.lines_bytes > ext.size() - begin)
        return out;
    const Bytes lines = ext.subspan(begin, header.lines_bytes);
    constexpr std::size_t before = 3 * sizeof(std::uint32_t); // size of an entry, section, number of entries
    const auto size = read<std::uint32_t>(lines, 0);
    const auto count = read<std::uint32_t>(lines, 2 * sizeof(std::uint32_t));
    for (std::size_t i = 0; i < count; ++i) {
        const auto entry = read<bpf_line_info>(lines, before + i * size);
        if (const std::uint32_t line = BPF_LINE_INFO_LINE_NUM(entry.line_col); line != 0)
            out.push_back({entry.insn_off / static_cast<std::uint32_t>(sizeof(Insn)), line});
    }
    return out;
}

} // namespace

std::expected<ObjectCode, std::string> read_object(Bytes bytes, std::string_view section)
{
    const Elf elf(bytes);
    const Bytes code = elf.named(section);
    if (code.empty() || code.size() % sizeof(Insn) != 0)
        return std::unexpected(fmt::format("there is no code in its section {}", section));
    ObjectCode out;
    for (std::size_t at = 0; at < code.size(); at += sizeof(Insn))
        out.insns.push_back(read<Insn>(code, at));
    out.relocations = relocations_of(elf, section);
    out.lines = lines_of(elf);
    return out;
}

} // namespace xdpf::llvm_backend
