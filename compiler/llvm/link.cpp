#include "compiler/llvm/link.hpp"

#include "compiler/llvm/names.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace xdpf::llvm_backend {
namespace {

using namespace bpf;

class Linker {
public:
    Linker(const ObjectCode &code, const ir::Program &program, std::span<const MapSpec> maps)
        : in_(code), program_(program), maps_(maps), labels_(code.insns.size() + 1)
    {
        for (std::size_t i = 0; i < in_.insns.size(); ++i)
            if (is_jump(in_.insns[i]) && !labels_[target(i)])
                labels_[target(i)] = code_.label();
    }

    std::expected<Assembly, std::string> run()
    {
        for (std::size_t i = 0; i < in_.insns.size() && error_.empty(); ++i) {
            if (labels_[i])
                code_.bind(*labels_[i]);
            mark(i);
            if (is_wide(in_.insns[i]))
                wide(i), ++i;
            else
                single(i);
        }
        if (!error_.empty())
            return std::unexpected(std::move(error_));
        auto out = code_.finish();
        if (!out)
            return std::unexpected("a jump leads nowhere");
        return std::move(*out);
    }

private:
    [[nodiscard]] std::size_t target(std::size_t i) const
    {
        const auto at = static_cast<std::int64_t>(i) + 1 + distance_of(in_.insns[i]);
        return static_cast<std::size_t>(std::clamp<std::int64_t>(at, 0, static_cast<std::int64_t>(in_.insns.size())));
    }

    void mark(std::size_t i)
    {
        for (; line_ < in_.lines.size() && in_.lines[line_].insn <= i; ++line_)
            code_.mark(in_.lines[line_].line - 1);
    }

    // The name that the instruction refers to.
    [[nodiscard]] const std::string *reference(std::size_t i) const
    {
        const auto found = std::ranges::lower_bound(in_.relocations, i, {}, &ObjectCode::Relocation::insn);
        return found != in_.relocations.end() && found->insn == i ? &found->symbol : nullptr;
    }

    void fail(std::string_view name)
    {
        error_ = fmt::format("its code needs '{}', which the kernel does not have", name);
    }

    void wide(std::size_t i)
    {
        const Insn insn = in_.insns[i];
        const std::string *const name = reference(i);
        const auto reg = static_cast<Reg>(insn.dst);
        if (name == nullptr) {
            code_ << Wide{insn, in_.insns[i + 1]};
            return;
        }
        const auto id = [&](auto map) { return MapId(static_cast<std::size_t>(map - maps_.begin())); };
        if (const auto map = std::ranges::find(maps_, *name, map_symbol); map != maps_.end())
            code_.ld_map(reg, id(map));
        else if (const auto value = std::ranges::find(maps_, *name, value_symbol); value != maps_.end())
            code_.ld_map_value(reg, id(value), static_cast<std::uint32_t>(insn.imm));
        else
            fail(*name);
    }

    void single(std::size_t i)
    {
        const Insn insn = in_.insns[i];
        if (insn.code == asm_marker)
            block(program_.asms[static_cast<std::uint32_t>(insn.imm)]);
        else if (const std::string *const name = reference(i))
            call(*name);
        else if (is_jump(insn))
            jump(insn, *labels_[target(i)]);
        else
            code_ << insn;
    }

    void call(const std::string &name)
    {
        const auto kfunc = std::ranges::find(kfunc_names, name);
        if (kfunc == kfunc_names.end())
            return fail(name);
        code_.call(static_cast<Kfunc>(kfunc - kfunc_names.begin()));
    }

    void jump(Insn insn, Label to)
    {
        const auto test = static_cast<Test>(operation_of(insn));
        const bool narrow = class_of(insn) == BPF_JMP32;
        const auto a = static_cast<Reg>(insn.dst);
        const auto b = static_cast<Reg>(insn.src);
        if (!is_conditional(insn))
            code_.jump(to);
        else if ((insn.code & BPF_X) != 0)
            narrow ? code_.jump32_if(test, a, b, to) : code_.jump_if(test, a, b, to);
        else
            narrow ? code_.jump32_if(test, a, insn.imm, to) : code_.jump_if(test, a, insn.imm, to);
    }

    // As it was written: its jumps stay inside.
    void block(const ir::AsmBlock &block)
    {
        for (std::uint32_t i = 0; i < block.insns.size(); ++i) {
            const Insn insn = insn_from(block.insns[i]);
            const auto map = std::ranges::find(block.maps, i, &ir::AsmBlock::MapReference::at);
            if (map == block.maps.end()) {
                code_ << insn;
            } else {
                code_.ld_map(static_cast<Reg>(insn.dst), map->map);
                ++i;
            }
        }
    }

    const ObjectCode &in_;
    const ir::Program &program_;
    std::span<const MapSpec> maps_;
    Assembler code_;
    std::vector<std::optional<Label>> labels_; // of instructions that are jumped to
    std::size_t line_ = 0;
    std::string error_;
};

} // namespace

std::expected<Assembly, std::string> link(const ObjectCode &code, const ir::Program &program,
                                          std::span<const MapSpec> maps)
{
    return Linker(code, program, maps).run();
}

} // namespace xdpf::llvm_backend
