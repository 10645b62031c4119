#include "compiler/bpf/disassemble.hpp"

#include "compiler/bpf/calculate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>
#include <utility>

namespace xdpf::bpf {
namespace {

constexpr std::string_view operators[] = {
    "+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "neg", "%=", "^=", "=", "s>>="};
constexpr std::string_view tests[] = {"", "==", ">", ">=", "&", "!=", "s>", "s>=", "", "", "<", "<=", "s<", "s<="};

constexpr std::string_view helpers[] = {
#define XDPF_HELPER(name) #name
    __BPF_FUNC_MAPPER(XDPF_HELPER)
#undef XDPF_HELPER
};

std::string memory(unsigned size, unsigned base, int off)
{
    return fmt::format("*(u{} *)(r{} {:+})", 8 * bytes_of(static_cast<Size>(size)), base, off);
}

std::string arithmetic(Insn insn)
{
    const char letter = class_of(insn) == BPF_ALU ? 'w' : 'r';
    const unsigned operation = operation_of(insn);
    const unsigned dst = insn.dst;
    if (operation == BPF_END) {
        const std::string_view order = class_of(insn) == BPF_ALU64    ? "bswap"
                                       : (insn.code & BPF_TO_BE) != 0 ? "be"
                                                                      : "le";
        return fmt::format("r{} = {}{} r{}", dst, order, insn.imm, dst);
    }
    if (operation == BPF_NEG)
        return fmt::format("{}{} = -{}{}", letter, dst, letter, dst);
    if (operation > BPF_ARSH)
        return {};
    const bool divides = operation == BPF_DIV || operation == BPF_MOD;
    const std::string sign = fmt::format("{}{}", divides && insn.off == 1 ? "s" : "", operators[operation >> 4]);
    if (operation == BPF_MOV && (insn.code & BPF_X) != 0 && insn.off != 0)
        return fmt::format("{}{} = (s{}){}{}", letter, dst, insn.off, letter, unsigned{insn.src});
    if ((insn.code & BPF_X) != 0)
        return fmt::format("{}{} {} {}{}", letter, dst, sign, letter, unsigned{insn.src});
    return fmt::format("{}{} {} {}", letter, dst, sign, insn.imm);
}

std::string wide_load(Insn insn, Insn next)
{
    if (insn.src == BPF_PSEUDO_MAP_FD)
        return fmt::format("r{} = map[fd:{}]", unsigned{insn.dst}, insn.imm);
    if (insn.src == BPF_PSEUDO_MAP_VALUE)
        return fmt::format("r{} = map[fd:{}][0]+{}", unsigned{insn.dst}, insn.imm, next.imm);
    const auto low = static_cast<std::uint32_t>(insn.imm);
    const auto high = static_cast<std::uint32_t>(next.imm);
    return fmt::format("r{} = {:#x} ll", unsigned{insn.dst}, std::uint64_t{high} << 32 | low);
}

std::string jump_text(Insn insn, std::string_view target)
{
    const unsigned operation = operation_of(insn);
    if (operation == BPF_JA)
        return fmt::format("goto {}", target);
    if (operation >> 4 >= std::size(tests) || tests[operation >> 4].empty())
        return {};
    const char letter = class_of(insn) == BPF_JMP32 ? 'w' : 'r';
    const std::string right =
        (insn.code & BPF_X) != 0 ? fmt::format("{}{}", letter, unsigned{insn.src}) : fmt::format("{}", insn.imm);
    return fmt::format("if {}{} {} {} goto {}", letter, unsigned{insn.dst}, tests[operation >> 4], right, target);
}

std::string atomic_text(Insn insn)
{
    const std::string place = memory(insn.code & 0x18U, insn.dst, insn.off);
    const char letter = (insn.code & 0x18U) == BPF_DW ? 'r' : 'w';
    const unsigned src = insn.src;
    for (const auto &[operation, sign] : {std::pair{BPF_ADD, "+="}, {BPF_OR, "|="}, {BPF_AND, "&="}, {BPF_XOR, "^="}}) {
        if (insn.imm == operation)
            return fmt::format("lock {} {} r{}", place, sign, src);
        if (insn.imm == (operation | BPF_FETCH))
            return fmt::format("{}{} = fetch {} {} r{}", letter, src, place, sign, src);
    }
    if (insn.imm == BPF_XCHG)
        return fmt::format("{}{} = xchg({}, {}{})", letter, src, place, letter, src);
    if (insn.imm == BPF_CMPXCHG)
        return fmt::format("{}0 = cmpxchg({}, {}0, {}{})", letter, place, letter, letter, src);
    return {};
}

std::string load_text(Insn insn)
{
    const unsigned mode = insn.code & 0xe0U;
    std::string place = memory(insn.code & 0x18U, insn.src, insn.off);
    if (mode == mode_mem_sx)
        place[place.find('u')] = 's';
    return mode == BPF_MEM || mode == mode_mem_sx ? fmt::format("r{} = {}", unsigned{insn.dst}, place) : "";
}

std::string call_text(Insn insn)
{
    if (insn.src == BPF_PSEUDO_KFUNC_CALL)
        return fmt::format("call kernel-function#{}", insn.imm);
    const bool known = insn.imm > 0 && static_cast<std::size_t>(insn.imm) < std::size(helpers);
    return fmt::format("call bpf_{}#{}", known ? helpers[insn.imm] : "helper", insn.imm);
}

std::string any_text(Insn insn, Insn next)
{
    const unsigned size = insn.code & 0x18U;
    const unsigned mode = insn.code & 0xe0U;
    switch (class_of(insn)) {
    case BPF_ALU:
    case BPF_ALU64: return arithmetic(insn);
    case BPF_LD: return is_wide(insn) ? wide_load(insn, next) : "";
    case BPF_LDX: return load_text(insn);
    case BPF_ST: return mode == BPF_MEM ? fmt::format("{} = {}", memory(size, insn.dst, insn.off), insn.imm) : "";
    case BPF_STX:
        if (mode == BPF_MEM)
            return fmt::format("{} = r{}", memory(size, insn.dst, insn.off), unsigned{insn.src});
        return mode == BPF_ATOMIC ? atomic_text(insn) : "";
    default: break;
    }
    if (insn.code == (BPF_JMP | BPF_EXIT))
        return "exit";
    if (insn.code == (BPF_JMP | BPF_CALL))
        return call_text(insn);
    return jump_text(insn, fmt::format("{:+}", distance_of(insn)));
}

// The instructions that jumps go to, in order.
std::vector<std::size_t> targets_of(const std::vector<Insn> &insns)
{
    std::vector<std::size_t> targets;
    for (std::size_t i = 0; i < insns.size(); i += is_wide(insns[i]) ? 2 : 1)
        if (is_jump(insns[i]))
            targets.push_back(i + 1 + static_cast<std::size_t>(distance_of(insns[i])));
    std::ranges::sort(targets);
    targets.erase(std::unique(targets.begin(), targets.end()), targets.end());
    return targets;
}

} // namespace

std::string to_text(Insn insn, Insn next)
{
    std::string text = any_text(insn, next);
    return text.empty() ? fmt::format(".insn {:#04x} r{} r{} {} {}", insn.code, unsigned{insn.dst}, unsigned{insn.src},
                                      insn.off, insn.imm)
                        : text;
}

std::string disassemble(const ProgramImage &program, std::span<const MapSpec> maps)
{
    const std::vector<std::size_t> targets = targets_of(program.insns);
    const auto label = [&](std::size_t insn) {
        return fmt::format("L{}", std::ranges::lower_bound(targets, insn) - targets.begin());
    };
    std::string out = fmt::format("program {}\n", program.name);
    auto line = program.lines.begin();
    auto map = program.map_references.begin();
    auto kfunc = program.kfunc_references.begin();
    for (std::size_t i = 0; i < program.insns.size(); ++i) {
        for (; line != program.lines.end() && line->insn <= i; ++line)
            fmt::format_to(std::back_inserter(out), "      ; {}:{}: {}\n", line->file, line->line,
                           line->text.substr(std::min(line->text.find_first_not_of(" \t"), line->text.size())));
        const Insn insn = program.insns[i];
        const bool named = std::ranges::binary_search(targets, i);
        std::string text;
        if (map != program.map_references.end() && map->insn == i) {
            text = fmt::format("r{} = map[{}]", unsigned{insn.dst}, maps[map->map.value].name);
            if (map->value_offset)
                text += fmt::format("[0]+{}", *map->value_offset);
            ++map;
        } else if (kfunc != program.kfunc_references.end() && kfunc->insn == i) {
            text = fmt::format("call {}", name_of(kfunc->kfunc));
            ++kfunc;
        } else if (is_jump(insn)) {
            text = jump_text(insn, label(i + 1 + static_cast<std::size_t>(distance_of(insn))));
        } else {
            text = to_text(insn, i + 1 < program.insns.size() ? program.insns[i + 1] : Insn{});
        }
        fmt::format_to(std::back_inserter(out), "{:<6}{}\n", named ? label(i) + ":" : "", text);
        i += is_wide(insn) ? 1 : 0;
    }
    return out;
}

} // namespace xdpf::bpf
