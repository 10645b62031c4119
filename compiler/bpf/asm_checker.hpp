// One walk over an `asm` block from its first instruction to its last: jumps go forward only, so when an instruction is
// looked at, every way to it is known. Private to this folder.
#pragma once

#include "compiler/bpf/asm_check.hpp"
#include "compiler/bpf/asm_helpers.hpp"
#include "compiler/bpf/asm_state.hpp"
#include "compiler/bpf/insn.hpp"

#include <map>
#include <string>

namespace xdpf::bpf {

class AsmChecker {
public:
    AsmChecker(const AsmBlock &block, std::span<const MapSpec> maps, ProgramImage::Place place,
               Diagnostics &diagnostics)
        : block_(block), maps_(maps), place_(place), diagnostics_(diagnostics), before_(diagnostics.errors())
    {
    }

    bool run();

private:
    // asm_check.cpp: the way through the block
    void check_size();
    void arrive();
    void step(Insn insn);
    void wide_load(Insn insn);
    void jump_to(std::int64_t distance, const State &state);
    void leave();

    // asm_values.cpp: arithmetic and comparisons
    void arithmetic(Insn insn);
    [[nodiscard]] bool constant_fits(Insn insn);
    [[nodiscard]] Value operand(Insn insn);
    [[nodiscard]] Value moved_pointer(Insn insn, const Value &a, const Value &b);
    [[nodiscard]] Value step_pointer(Insn insn, Value pointer, std::int64_t distance);
    [[nodiscard]] Value add_unknown(Insn insn, Value pointer, const Value &distance);
    void compare(Insn insn);
    void compare_numbers(Insn insn, State &taken);
    [[nodiscard]] bool compare_with_null(Insn insn, State &taken);
    [[nodiscard]] bool compare_with_end(Insn insn, State &taken);

    // asm_memory.cpp: loads, stores and memory for helpers
    struct Access {
        unsigned reg;      // the pointer's
        std::int64_t off;  // from it
        std::int64_t size; // bytes
        bool write = false;
    };
    void load(Insn insn);
    void store(Insn insn);
    void atomic(Insn insn);
    [[nodiscard]] Value load_context(Insn insn);
    [[nodiscard]] Value load_stack(const Access &access);
    void store_stack(const Access &access, const Value &value);
    // Whether all of it is there; where not, that was reported.
    [[nodiscard]] bool inside(const Access &access);
    [[nodiscard]] bool inside_packet(const Access &access, const Value &pointer);
    [[nodiscard]] bool inside_value(const Access &access, const Value &pointer);
    [[nodiscard]] bool inside_stack(const Access &access, const Value &pointer);
    [[nodiscard]] bool stack_readable(std::int64_t place, std::int64_t size);
    void stack_overwrite(std::int64_t place, std::int64_t size);

    // asm_calls.cpp
    void call(Insn insn);
    [[nodiscard]] bool argument(const Helper &helper, std::size_t index);
    [[nodiscard]] bool map_argument(const Helper &helper, unsigned reg);
    [[nodiscard]] bool memory_argument(const Helper &helper, std::size_t index);
    [[nodiscard]] bool fixed_memory(const Helper &helper, unsigned reg, std::int64_t size);
    void after_call(const Helper &helper);

    // Everywhere
    Diagnostic &report(Kind kind, const std::string &text)
    {
        return diagnostics_.report(kind, block_.spans[at_], text);
    }
    // What the register holds; where nothing can be done with that, says so and gives `reported`.
    Value read(unsigned reg);
    [[nodiscard]] std::string why_unusable(unsigned reg, const Value &value) const;
    void write(unsigned reg, const Value &value);
    [[nodiscard]] std::string describe(const Value &value) const; // "a pointer into the packet"
    [[nodiscard]] const MapSpec &map_of(const Value &value) const { return maps_[value.map.value]; }
    // Of an entry: bytes; of an xskmap 0, as only its being there can be asked.
    [[nodiscard]] std::int64_t value_size(const Value &value) const;

    const AsmBlock &block_;
    std::span<const MapSpec> maps_;
    ProgramImage::Place place_;
    Diagnostics &diagnostics_;
    std::size_t before_;
    std::uint32_t at_ = 0; // the instruction looked at
    bool reached_ = true;  // state_ is what holds before it
    bool skipping_ = false;
    State state_;
    std::map<std::uint32_t, State> arriving_; // by jumps, at instructions farther down
    std::map<std::uint32_t, std::uint32_t> jumped_from_;
};

} // namespace xdpf::bpf
