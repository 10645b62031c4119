#include "compiler/ir/text.hpp"
#include "compiler/ir/traits.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>

namespace xdpf::ir {
namespace {

// Numbers that people compare with protocol constants.
std::string number_text(std::uint64_t number)
{
    return number < 10 ? fmt::format("{}", number) : fmt::format("{:#x}", number);
}

class Printer {
public:
    // Without a program, values are called by their index.
    Printer(const Program *program, std::span<const MapSpec> maps) : program_(program), maps_(maps)
    {
        if (program_ != nullptr)
            numbers_.resize(program_->values.size(), 0);
    }

    std::string program()
    {
        put("program {} {{\n", program_->name);
        for (std::size_t i = 0; i < program_->slots.size(); ++i)
            put("  slot ${} : {}\n", i, program_->slots[SlotId(i)].size);
        for (std::size_t i = 0; i < program_->asms.size(); ++i)
            asm_block(i, program_->asms[i]);
        for (std::size_t i = 0; i < program_->blocks.size(); ++i)
            block(BlockId(i));
        put("}}\n");
        return std::move(out_);
    }

    std::string line(const Inst &inst)
    {
        instruction(inst);
        return std::move(out_);
    }

    std::string line(const Terminator &end)
    {
        terminator(end);
        return std::move(out_);
    }

private:
    template <class... Args> void put(fmt::format_string<Args...> format, Args &&...args)
    {
        fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    }

    std::string name(ValueId value)
    {
        if (!value.valid())
            return "%none";
        if (program_ == nullptr || value.value >= numbers_.size())
            return fmt::format("%{}", value.value);
        std::uint32_t &number = numbers_[value.value];
        if (number == 0)
            number = next_++;
        return fmt::format("%{}", number);
    }

    std::string map_name(MapId map) const
    {
        return map.value < maps_.size() ? fmt::format("@{}", maps_[map.value].name) : fmt::format("@{}", map.value);
    }

    void asm_block(std::size_t index, const AsmBlock &block)
    {
        put("  asm {} : {:#x}", index, fmt::join(block.insns, ", "));
        for (const AsmBlock::MapReference &reference : block.maps)
            put(" {} at {}", map_name(reference.map), reference.at);
        put("\n");
    }

    void block(BlockId id)
    {
        const Block &block = program_->blocks[id];
        put("b{}(", id.value);
        const char *separator = "";
        for (const ValueId param : block.params) {
            put("{}", separator);
            parameter(param);
            separator = ", ";
        }
        put("){}:\n", block.is_loop() ? fmt::format(" loop {}", block.rounds) : "");
        for (const Inst &inst : block.insts) {
            put("  ");
            instruction(inst);
            put("\n");
        }
        if (block.end.kind == Terminator::Kind::none)
            return;
        put("  ");
        terminator(block.end);
        put("\n");
    }

    void parameter(ValueId param)
    {
        const ValueInfo &info = program_->values[param];
        const bool bounded = info.max != UINT64_MAX;
        put("{}", name(param));
        if (info.kind != ValueKind::number)
            put(": {}", text_of(info.kind));
        else if (bounded)
            put(":");
        if (bounded)
            put(" max {}", info.max);
    }

    // How loads and stores call their width: u8, le16, be32.
    static std::string access(const Inst &inst)
    {
        if (inst.width == 1)
            return "u8";
        return fmt::format("{}{}", inst.order == Order::big ? "be" : "le", 8 * inst.width);
    }

    void instruction(const Inst &inst)
    {
        if (inst.result.valid()) {
            // Operands come first so that a value used before its definition still gets the lower number.
            const std::string operation = operation_text(inst);
            put("{} = {}", name(inst.result), operation);
            bound(inst);
        } else {
            put("{}", operation_text(inst));
        }
    }

    void bound(const Inst &inst)
    {
        if (program_ == nullptr)
            return;
        const ValueInfo &info = program_->values[inst.result];
        const bool unknown = info.kind != ValueKind::packet && info.max == UINT64_MAX;
        if (!unknown && info.max != natural_max(*program_, inst))
            put(" within {}", info.max);
    }

    std::string operation_text(const Inst &inst)
    {
        const std::string_view op = text_of(inst.op);
        switch (shape_of(inst.op)) {
        case Shape::constant: return number_text(inst.imm);
        case Shape::nullary:
        case Shape::query: return std::string(op);
        case Shape::context: return fmt::format("{} {}", op, text_of(inst.field));
        case Shape::unary:
        case Shape::adjust:
        case Shape::submit: return fmt::format("{} {}", op, name(inst.a));
        case Shape::binary: {
            const std::string a = name(inst.a);
            return fmt::format("{} {}, {}", op, a, name(inst.b));
        }
        case Shape::element:
        case Shape::offset: {
            const std::string a = name(inst.a);
            const std::string_view joint = inst.op == Op::rebase ? "from" : "+";
            return fmt::format("{} {} {} {} max {}", op, a, joint, name(inst.b), inst.imm);
        }
        case Shape::rx_meta: return fmt::format("{} {} ${}", op, text_of(inst.rx), inst.value.value);
        case Shape::load:
        case Shape::load_map:
        case Shape::load_slot:
        case Shape::store_packet:
        case Shape::store_slot:
        case Shape::store_map: return access_text(inst);
        case Shape::copy_packet: {
            const std::string a = name(inst.a);
            return fmt::format("{} {} + {}, {} max {}", op, a, inst.imm, name(inst.b), inst.max);
        }
        case Shape::map_value:
        case Shape::lookup:
        case Shape::update:
        case Shape::erase:
        case Shape::push:
        case Shape::redirect:
        case Shape::tail_call:
        case Shape::reserve: return map_text(inst);
        }
        return {};
    }

    std::string access_text(const Inst &inst)
    {
        const bool slot = shape_of(inst.op) == Shape::load_slot || shape_of(inst.op) == Shape::store_slot;
        const std::string place = slot ? fmt::format("${}", inst.key.value) : name(inst.a);
        std::string text = fmt::format("{}.{} {} + {}", text_of(inst.op), access(inst), place, inst.imm);
        if (!is_load(inst.op))
            text += ", " + name(slot ? inst.a : inst.b);
        return text;
    }

    std::string map_text(const Inst &inst)
    {
        const std::string start = fmt::format("{} {}", text_of(inst.op), map_name(inst.map));
        switch (shape_of(inst.op)) {
        case Shape::map_value: return fmt::format("{} + {}", start, inst.imm);
        case Shape::update: {
            const std::string flags = inst.imm != 0 ? fmt::format(" flags {}", inst.imm) : "";
            return fmt::format("{}[${}] = ${}{}", start, inst.key.value, inst.value.value, flags);
        }
        case Shape::push: return fmt::format("{} ${}", start, inst.value.value);
        case Shape::redirect:
            return fmt::format("{}[{}] else {}{}{}", start, name(inst.a),
                               inst.imm & ~(redirect_flag::broadcast | redirect_flag::exclude_ingress),
                               (inst.imm & redirect_flag::broadcast) != 0 ? " broadcast" : "",
                               (inst.imm & redirect_flag::exclude_ingress) != 0 ? " exclude_ingress" : "");
        case Shape::tail_call: return fmt::format("{}[{}]", start, inst.imm);
        case Shape::reserve: return fmt::format("{} {}", start, inst.imm);
        default: return fmt::format("{}[${}]", start, inst.key.value);
        }
    }

    std::string edge(const Edge &edge)
    {
        std::string text = edge.target.valid() ? fmt::format("b{}(", edge.target.value) : "b?(";
        const char *separator = "";
        for (const ValueId arg : edge.args) {
            text += separator;
            text += name(arg);
            separator = ", ";
        }
        return text + ")";
    }

    void edges(const Terminator &end)
    {
        const std::string first = edge(end.edges[0]);
        put(" ? {} : {}", first, edge(end.edges[1]));
    }

    void terminator(const Terminator &end)
    {
        switch (end.kind) {
        case Terminator::Kind::none: put("no terminator"); break;
        case Terminator::Kind::jump: put("jump {}", edge(end.edges[0])); break;
        case Terminator::Kind::again: put("again {}", edge(end.edges[0])); break;
        case Terminator::Kind::branch: {
            const std::string a = name(end.a);
            put("if {} {} {}", a, text_of(end.cond), end.b.valid() ? name(end.b) : number_text(end.imm));
            edges(end);
            break;
        }
        case Terminator::Kind::guard: {
            const std::string a = name(end.a);
            put("guard {} + {} <= {}", a, end.imm, name(end.b));
            edges(end);
            break;
        }
        case Terminator::Kind::return_:
            put("return {}", end.a.valid() ? name(end.a) : fmt::format("{}", end.imm));
            break;
        case Terminator::Kind::asm_: put("asm {}", end.imm); break;
        }
    }

    const Program *program_;
    std::span<const MapSpec> maps_;
    std::vector<std::uint32_t> numbers_; // by value; 0: not met so far
    std::uint32_t next_ = 1;
    std::string out_;
};

std::string map_text(const MapSpec &map)
{
    std::string text = fmt::format("map {} : {} key {} value {} entries {}", map.name, name_of(map.kind), map.key.size,
                                   map.value.size, map.max_entries);
    if (map.flags != 0)
        text += fmt::format(" flags {}", map.flags);
    return text + "\n";
}

} // namespace

std::string_view text_of(Cond cond)
{
    constexpr std::array<std::string_view, 8> texts{"==", "!=", "<", "<=", ">", ">=", "&", "!&"};
    return texts[static_cast<std::size_t>(cond)];
}

std::string_view text_of(ContextField field)
{
    constexpr std::array<std::string_view, 3> texts{"rx_queue", "ingress_ifindex", "egress_ifindex"};
    return texts[static_cast<std::size_t>(field)];
}

std::string_view text_of(RxMeta rx)
{
    constexpr std::array<std::string_view, 3> texts{"hash", "timestamp", "vlan"};
    return texts[static_cast<std::size_t>(rx)];
}

std::string_view text_of(ValueKind kind)
{
    constexpr std::array<std::string_view, 6> texts{"number", "packet", "packet_end", "map_value", "meta", "record"};
    return texts[static_cast<std::size_t>(kind)];
}

std::string to_text(const Program &program, std::span<const MapSpec> maps) { return Printer(&program, maps).program(); }

std::string to_text(const Module &module)
{
    std::string text;
    for (const MapSpec &map : module.maps)
        text += map_text(map);
    for (const Program &program : module.programs) {
        if (!text.empty())
            text += "\n";
        text += to_text(program, module.maps);
    }
    return text;
}

std::string to_text(const Inst &inst, std::span<const MapSpec> maps) { return Printer(nullptr, maps).line(inst); }
std::string to_text(const Terminator &end) { return Printer(nullptr, {}).line(end); }

} // namespace xdpf::ir
