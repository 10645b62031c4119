#include "compiler/instructions.hpp"

#include "compiler/object/object.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <utility>

namespace xdpf {
namespace {

constexpr std::size_t longest_name = BPF_OBJ_NAME_LEN - 1;

Layout number() { return {.name = "", .size = 4, .fields = {{.format = FieldFormat::number, .size = 4}}}; }

bool is_name(const std::string &name)
{
    return !name.empty() && name.size() <= longest_name && std::isdigit(static_cast<unsigned char>(name[0])) == 0 &&
           std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

} // namespace

int xdp_md_offset(std::string_view field)
{
    struct Field {
        std::string_view name;
        std::size_t offset;
    };
    constexpr std::array fields{Field{"data", offsetof(xdp_md, data)},
                                Field{"data_end", offsetof(xdp_md, data_end)},
                                Field{"data_meta", offsetof(xdp_md, data_meta)},
                                Field{"ingress_ifindex", offsetof(xdp_md, ingress_ifindex)},
                                Field{"rx_queue_index", offsetof(xdp_md, rx_queue_index)},
                                Field{"egress_ifindex", offsetof(xdp_md, egress_ifindex)}};
    const auto *const found = std::ranges::find(fields, field, &Field::name);
    return found == fields.end() ? -1 : static_cast<int>(found->offset);
}

InstructionProgram::InstructionProgram(std::string name, std::string license)
{
    image_.name = name;
    image_.license = std::move(license);
    image_.programs.emplace_back().name = std::move(name);
}

MapId InstructionProgram::create_xsk_map(std::string name, std::uint32_t entries)
{
    MapSpec spec;
    spec.name = std::move(name);
    spec.kind = MapKind::xskmap;
    spec.key = number();
    spec.value = number();
    spec.max_entries = entries;
    return create_map(std::move(spec));
}

MapId InstructionProgram::create_map(MapSpec spec)
{
    image_.maps.push_back(std::move(spec));
    return MapId(image_.maps.size() - 1);
}

InstructionProgram &InstructionProgram::bind(bpf::Label label)
{
    code_.bind(label);
    return *this;
}

InstructionProgram &InstructionProgram::operator<<(Insn insn)
{
    code_ << insn;
    return *this;
}

InstructionProgram &InstructionProgram::operator<<(const bpf::Wide &wide)
{
    code_ << wide;
    return *this;
}

InstructionProgram &InstructionProgram::ld_map(bpf::Reg dst, MapId map)
{
    if (!map.valid() || map.value >= image_.maps.size())
        wrong_ = fmt::format("instruction {}: there is no such map", code_.size());
    code_.ld_map(dst, map);
    return *this;
}

InstructionProgram &InstructionProgram::jump(bpf::Label target)
{
    code_.jump(target);
    return *this;
}

InstructionProgram &InstructionProgram::jump_if(bpf::Test test, bpf::Reg a, bpf::Reg b, bpf::Label target)
{
    code_.jump_if(test, a, b, target);
    return *this;
}

InstructionProgram &InstructionProgram::jump_if(bpf::Test test, bpf::Reg a, bpf::Imm32 imm, bpf::Label target)
{
    code_.jump_if(test, a, imm, target);
    return *this;
}

InstructionProgram &InstructionProgram::load_ctx_field(bpf::Reg dst, std::string_view field, bpf::Reg ctx)
{
    const int offset = xdp_md_offset(field);
    if (offset < 0)
        wrong_ = fmt::format("instruction {}: struct xdp_md has no field '{}'", code_.size(), field);
    return *this << bpf::ldx(bpf::u32, dst, ctx + std::max(offset, 0));
}

InstructionProgram &InstructionProgram::redirect_map(MapId map, InstructionKey key, std::uint32_t flags)
{
    if (const auto *reg = std::get_if<bpf::Reg>(&key)) {
        if (*reg == bpf::r1)
            wrong_ = fmt::format("instruction {}: a key in r1, which the map takes", code_.size());
        *this << bpf::mov(bpf::r2, *reg);
    } else {
        *this << bpf::mov32(bpf::r2, static_cast<std::int32_t>(std::get<std::uint32_t>(key)));
    }
    return ld_map(bpf::r1, map) << bpf::mov32(bpf::r3, static_cast<std::int32_t>(flags))
                                << bpf::call(BPF_FUNC_redirect_map);
}

InstructionProgram &InstructionProgram::redirect_map_with_action(MapId map, InstructionKey key, xdp_action otherwise,
                                                                 std::uint32_t flags)
{
    return redirect_map(map, key, flags | static_cast<std::uint32_t>(otherwise));
}

InstructionProgram &InstructionProgram::redirect_to_xsk(MapId map, InstructionKey key, std::uint32_t flags)
{
    if (map.valid() && map.value < image_.maps.size() && image_.maps[map.value].kind != MapKind::xskmap)
        wrong_ = fmt::format("instruction {}: '{}' is no XSKMAP", code_.size(), image_.maps[map.value].name);
    return redirect_map(map, key, flags);
}

InstructionProgram &InstructionProgram::redirect_to_xsk_by_queue(bpf::Reg ctx, MapId map, bpf::Reg scratch,
                                                                 std::uint32_t flags)
{
    return load_ctx_field(scratch, "rx_queue_index", ctx).redirect_to_xsk(map, scratch, flags);
}

std::expected<Image, std::string> InstructionProgram::assemble() const
{
    if (!wrong_.empty())
        return std::unexpected(wrong_);
    for (const MapSpec &map : image_.maps)
        if (!is_name(map.name))
            return std::unexpected(
                fmt::format("'{}' is no name of a map: 1 to {} letters, digits and _", map.name, longest_name));
    if (!is_name(image_.name))
        return std::unexpected(
            fmt::format("'{}' is no name of a program: 1 to {} letters, digits and _", image_.name, longest_name));
    if (code_.size() == 0)
        return std::unexpected("there are no instructions");
    const auto code = code_.finish();
    if (!code)
        return std::unexpected(
            code.error().kind == bpf::AssembleError::Kind::unbound_label
                ? fmt::format("instruction {}: a jump to a label that stands nowhere", code.error().insn)
                : fmt::format("instruction {}: a jump over {} instructions", code.error().insn, code.error().distance));
    Image image = image_;
    ProgramImage &program = image.programs.front();
    program.insns = code->insns;
    program.map_references = code->map_references;
    program.lines = {{.insn = 0, .file = image.name, .line = 1, .column = 1, .text = image.name}};
    image.elf = write_object(image);
    return image;
}

} // namespace xdpf
