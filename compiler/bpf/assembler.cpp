#include "compiler/bpf/assembler.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>

namespace xdpf::bpf {
namespace {

constexpr std::uint32_t unbound = UINT32_MAX;

// Instructions that a far jump takes beyond the one it has when near.
unsigned growth(Insn near)
{
    if (!is_conditional(near))
        return 0;
    return operation_of(near) == BPF_JSET ? 2 : 1;
}

// Instructions that the kernel may put in place of one, beyond that one: inlined map lookups, divisions made safe,
// fields of the context (kernel/bpf/verifier.c, do_misc_fixups and convert_ctx_accesses). Where a near jump is over
// more of them than it can reach, the program is refused.
unsigned growth_in_kernel(Insn insn)
{
    const unsigned cls = insn.code & 0x07U;
    if (insn.code == (BPF_JMP | BPF_CALL))
        return 15;
    if ((cls == BPF_ALU || cls == BPF_ALU64) && (BPF_OP(insn.code) == BPF_DIV || BPF_OP(insn.code) == BPF_MOD))
        return 5;
    return insn.code == (BPF_LDX | BPF_MEM | BPF_W) ? 2 : 0;
}

// How many those are before each instruction.
std::vector<std::uint32_t> growth_before(const std::vector<Insn> &insns)
{
    std::vector<std::uint32_t> sums{0};
    for (const Insn insn : insns)
        sums.push_back(sums.back() + growth_in_kernel(insn));
    return sums;
}

Insn inverted(Insn insn)
{
    const Test test = inverse(static_cast<Test>(operation_of(insn)));
    insn.code = static_cast<std::uint8_t>((insn.code & 0x0fU) | static_cast<unsigned>(test));
    return insn;
}

} // namespace

void field_overflow(const char *field, std::int64_t value)
{
    fmt::print(stderr, "BPF instruction: {} does not fit the {}\n", value, field);
    std::abort();
}

Label Assembler::label()
{
    labels_.push_back(unbound);
    return {static_cast<std::uint32_t>(labels_.size() - 1)};
}

Assembler &Assembler::bind(Label label)
{
    assert(labels_[label.index] == unbound);
    labels_[label.index] = static_cast<std::uint32_t>(insns_.size());
    return *this;
}

Assembler &Assembler::operator<<(Insn insn)
{
    insns_.push_back(insn);
    return *this;
}

Assembler &Assembler::operator<<(const Wide &wide) { return *this << wide[0] << wide[1]; }

Assembler &Assembler::ld_map(Reg dst, MapId map)
{
    maps_.push_back({static_cast<std::uint32_t>(insns_.size()), map, {}});
    return *this << ld_map_fd(dst, 0);
}

Assembler &Assembler::ld_map_value(Reg dst, MapId map, std::uint32_t offset)
{
    maps_.push_back({static_cast<std::uint32_t>(insns_.size()), map, offset});
    return *this << ld_map_value_fd(dst, 0, offset);
}

Assembler &Assembler::call(Kfunc kfunc)
{
    kfuncs_.push_back({static_cast<std::uint32_t>(insns_.size()), kfunc});
    return *this << call_kfunc(0);
}

Assembler &Assembler::jump(Label target) { return jump(ja(0), target); }

Assembler &Assembler::jump(Insn insn, Label target)
{
    jumps_.push_back({static_cast<std::uint32_t>(insns_.size()), target});
    return *this << insn;
}

Assembler &Assembler::mark(std::uint32_t tag)
{
    marks_.push_back({static_cast<std::uint32_t>(insns_.size()), tag});
    return *this;
}

// Where each instruction comes to stand when the far jumps have grown.
std::vector<std::uint32_t> Assembler::places(const std::vector<Jump> &jumps) const
{
    std::vector<std::uint32_t> place(insns_.size() + 1);
    std::uint32_t grown = 0;
    auto jump = jumps.begin();
    for (std::uint32_t i = 0; i <= insns_.size(); ++i) {
        place[i] = i + grown;
        if (jump != jumps.end() && jump->insn == i) {
            grown += jump->far ? growth(insns_[i]) : 0;
            ++jump;
        }
    }
    return place;
}

void Assembler::write(Assembly &out, const std::vector<Jump> &jumps, const std::vector<std::uint32_t> &place) const
{
    auto jump = jumps.begin();
    for (std::uint32_t i = 0; i < insns_.size(); ++i) {
        Insn insn = insns_[i];
        if (jump == jumps.end() || jump->insn != i) {
            out.insns.push_back(insn);
            continue;
        }
        const std::int64_t target = place[labels_[jump->target.index]];
        if (!jump->far) {
            insn.off = Off16(target - place[i] - 1).value;
            out.insns.push_back(insn);
        } else {
            if (growth(insn) == 2) {
                insn.off = 1;
                out.insns.push_back(insn);
                out.insns.push_back(ja(1));
            } else if (growth(insn) == 1) {
                insn.off = 1;
                out.insns.push_back(inverted(insn));
            }
            out.insns.push_back(ja_far(target - static_cast<std::int64_t>(out.insns.size()) - 1));
        }
        ++jump;
    }
}

std::expected<Assembly, AssembleError> Assembler::finish(FarJumps far_jumps) const
{
    std::vector<Jump> jumps = jumps_;
    for (const Jump &jump : jumps)
        if (jump.target.index >= labels_.size() || labels_[jump.target.index] == unbound)
            return std::unexpected(AssembleError{AssembleError::Kind::unbound_label, jump.insn, 0});

    // Each growth can push another jump out of reach, none comes back: ends after at most as many rounds as jumps.
    std::vector<std::uint32_t> place = places(jumps);
    const std::vector<std::uint32_t> grown = growth_before(insns_);
    const auto stands = [&](std::uint32_t insn) { return std::int64_t{place[insn]} + grown[insn]; };
    for (bool again = true; again;) {
        again = false;
        for (Jump &jump : jumps) {
            const std::int64_t distance = stands(labels_[jump.target.index]) - stands(jump.insn) - 1;
            if (jump.far || std::in_range<std::int16_t>(distance))
                continue;
            if (far_jumps == FarJumps::refuse)
                return std::unexpected(AssembleError{AssembleError::Kind::far_jump, jump.insn, distance});
            jump.far = again = true;
        }
        if (again)
            place = places(jumps);
    }

    Assembly out;
    out.insns.reserve(place.back());
    write(out, jumps, place);
    for (const MapReference &reference : maps_)
        out.map_references.push_back({place[reference.insn], reference.map, reference.value_offset});
    for (const KfuncReference &reference : kfuncs_)
        out.kfunc_references.push_back({place[reference.insn], reference.kfunc});
    for (const Assembly::Mark &mark : marks_)
        out.marks.push_back({place[mark.insn], mark.tag});
    for (const std::uint32_t at : labels_)
        out.labels.push_back(at == unbound ? unbound : place[at]);
    return out;
}

} // namespace xdpf::bpf
