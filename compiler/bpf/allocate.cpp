#include "compiler/bpf/lifetime.hpp"

#include <algorithm>
#include <bitset>
#include <cassert>
#include <cstdlib>
#include <limits>
#include <numeric>

namespace xdpf::bpf {
namespace {

constexpr VReg machine_registers = 10; // r0-r9 are for values
constexpr double kept = std::numeric_limits<double>::infinity();

// Values come to registers that calls lose first. r1-r3 are wanted for arguments, r0 for the verdict.
constexpr std::array<VReg, machine_registers> preference{4, 5, 3, 2, 1, 0, 6, 7, 8, 9};

template <class F> void for_each_register(MachineInst &inst, F visit)
{
    if (inst.dst != no_reg)
        visit(inst.dst);
    if (inst.src != no_reg)
        visit(inst.src);
}

template <class F> void for_each_register(MachineEnd &end, F visit)
{
    if (end.a != no_reg)
        visit(end.a);
    if (end.b != no_reg)
        visit(end.b);
}

template <class F> void for_each_register(MachineProgram &program, F visit)
{
    for (MachineBlock &block : program.blocks) {
        for (MachineInst &inst : block.insts)
            for_each_register(inst, visit);
        for_each_register(block.end, visit);
    }
}

// Makes one register of two that are moved one to the other and never hold something at the same time.
void coalesce(MachineProgram &program, std::vector<Lifetime> &lifetimes)
{
    std::vector<VReg> into(program.registers);
    std::iota(into.begin(), into.end(), 0U);
    const auto find = [&](VReg reg) {
        while (into[reg] != reg)
            reg = into[reg] = into[into[reg]];
        return reg;
    };
    for (const MachineBlock &block : program.blocks) {
        for (const MachineInst &inst : block.insts) {
            if (!is_move(inst) || !is_virtual(inst.dst) || !is_virtual(inst.src))
                continue;
            const VReg a = find(inst.dst);
            const VReg b = find(inst.src);
            if (a == b || overlap(lifetimes[a], lifetimes[b]))
                continue;
            merge(lifetimes[b], lifetimes[a]);
            into[a] = b;
        }
    }
    for_each_register(program, [&](VReg &reg) { reg = find(reg); });
}

// One round: a register of the machine for every virtual one, or the list of those that go to the stack.
class Assignment {
public:
    Assignment(MachineProgram &program, std::vector<Lifetime> lifetimes, VReg first_kept)
        : program_(program), lifetimes_(std::move(lifetimes)), weight_(program.registers),
          place_(program.registers, no_reg), partners_(program.registers)
    {
        weigh(first_kept);
        for (const MachineBlock &block : program.blocks)
            for (const MachineInst &inst : block.insts)
                if (is_move(inst) && inst.src != frame_pointer && inst.src != inst.dst) {
                    partners_[inst.dst].push_back(inst.src);
                    partners_[inst.src].push_back(inst.dst);
                }
        for (VReg reg = 0; reg < machine_registers; ++reg)
            place_[reg] = reg;
    }

    std::vector<VReg> run()
    {
        std::vector<VReg> order;
        for (VReg reg = first_virtual; reg < program_.registers; ++reg)
            if (!lifetimes_[reg].empty())
                order.push_back(reg);
        std::ranges::stable_sort(order, {}, [&](VReg reg) { return lifetimes_[reg].front().begin; });
        for (const VReg reg : order)
            assign(reg);
        return std::move(spilled_);
    }

    void rewrite()
    {
        for_each_register(program_, [&](VReg &reg) {
            if (is_virtual(reg))
                reg = place_[reg];
        });
    }

private:
    struct Taken {
        std::uint32_t begin;
        std::uint32_t end;
        VReg owner;
    };

    // What it costs to have a register on the stack: uses for the time it would be out of the way.
    void weigh(VReg first_kept)
    {
        for_each_register(program_, [&](VReg &reg) { weight_[reg] += 1; });
        for (VReg reg = first_virtual; reg < program_.registers; ++reg) {
            double length = 0;
            for (const Segment &segment : lifetimes_[reg])
                length += segment.end - segment.begin;
            weight_[reg] = reg >= first_kept ? kept : weight_[reg] / (length + 1);
        }
    }

    // The first that has the register within the segment, or behind it.
    [[nodiscard]] auto first_taken(VReg reg, const Segment &segment) const
    {
        return std::ranges::upper_bound(taken_[reg], segment.begin, {}, &Taken::end);
    }
    template <class F> void for_each_conflict(VReg reg, const Lifetime &lifetime, F visit) const
    {
        for (const Segment &segment : lifetime)
            for (auto next = first_taken(reg, segment); next != taken_[reg].end() && next->begin < segment.end; ++next)
                visit(next->owner);
    }
    bool is_free(VReg reg, const Lifetime &lifetime) const
    {
        return !overlap(lifetimes_[reg], lifetime) && std::ranges::none_of(lifetime, [&](const Segment &segment) {
            const auto next = first_taken(reg, segment);
            return next != taken_[reg].end() && next->begin < segment.end;
        });
    }

    void take(VReg reg, VReg owner)
    {
        std::vector<Taken> &taken = taken_[reg];
        for (const Segment &segment : lifetimes_[owner])
            taken.insert(std::ranges::upper_bound(taken, segment.begin, {}, &Taken::begin),
                         {segment.begin, segment.end, owner});
        place_[owner] = reg;
    }
    void spill(VReg reg)
    {
        if (place_[reg] != no_reg)
            std::erase_if(taken_[place_[reg]], [&](const Taken &taken) { return taken.owner == reg; });
        place_[reg] = no_reg;
        spilled_.push_back(reg);
    }

    void assign(VReg reg)
    {
        std::bitset<machine_registers> tried;
        const auto may_take = [&](VReg choice) {
            if (choice == no_reg || tried.test(choice))
                return false;
            tried.set(choice);
            return is_free(choice, lifetimes_[reg]);
        };
        for (const VReg partner : partners_[reg])
            if (may_take(place_[partner]))
                return take(place_[partner], reg);
        for (const VReg choice : preference)
            if (may_take(choice))
                return take(choice, reg);
        make_room(reg);
    }

    void make_room(VReg reg)
    {
        VReg best = no_reg;
        double least = weight_[reg];
        for (const VReg choice : preference) {
            if (overlap(lifetimes_[choice], lifetimes_[reg]))
                continue;
            double cost = 0;
            for_each_conflict(choice, lifetimes_[reg], [&](VReg owner) { cost = std::max(cost, weight_[owner]); });
            if (cost < least) {
                least = cost;
                best = choice;
            }
        }
        if (best == no_reg) {
            if (weight_[reg] == kept)
                std::abort(); // one instruction needs more registers than there are
            return spill(reg);
        }
        std::vector<VReg> losers;
        for_each_conflict(best, lifetimes_[reg], [&](VReg owner) { losers.push_back(owner); });
        std::ranges::sort(losers);
        losers.erase(std::unique(losers.begin(), losers.end()), losers.end());
        for (const VReg loser : losers)
            spill(loser);
        take(best, reg);
    }

    MachineProgram &program_;
    std::vector<Lifetime> lifetimes_;
    std::vector<double> weight_;
    std::vector<VReg> place_;
    std::vector<std::vector<VReg>> partners_; // what it is moved from and to
    std::array<std::vector<Taken>, machine_registers> taken_;
    std::vector<VReg> spilled_;
};

// Keeps registers on the stack: stored after every write, loaded before a read, unless the instruction before had the
// value in hand.
class Spiller {
public:
    Spiller(MachineProgram &program, const std::vector<VReg> &spilled) : program_(program)
    {
        frames_.resize(program.registers);
        for (const VReg reg : spilled)
            frames_[reg] = program.frames.add(8);
    }

    void run()
    {
        for (MachineBlock &block : program_.blocks) {
            const std::vector<MachineInst> old = std::exchange(block.insts, {});
            out_ = &block.insts;
            held_ = {};
            for (const MachineInst &inst : old) {
                touched_ = false;
                instruction(inst);
                if (!touched_ || is_call(inst))
                    held_ = {};
            }
            span_ = block.end.span;
            for_each_register(block.end, [&](VReg &reg) { reg = reloaded(reg); });
        }
    }

private:
    bool on_stack(VReg reg) const { return reg < frames_.size() && frames_[reg].valid(); }

    MachineInst access(unsigned code, VReg dst, VReg src, FrameId frame) const
    {
        MachineInst inst;
        inst.code = static_cast<std::uint8_t>(code | BPF_MEM | BPF_DW);
        inst.dst = dst;
        inst.src = src;
        inst.frame = frame;
        inst.span = span_;
        return inst;
    }
    void load(VReg dst, VReg spilled) { out_->push_back(access(BPF_LDX, dst, frame_pointer, frames_[spilled])); }
    void store(VReg spilled, VReg src) { out_->push_back(access(BPF_STX, frame_pointer, src, frames_[spilled])); }
    VReg reloaded(VReg reg)
    {
        if (!on_stack(reg))
            return reg;
        if (held_.spilled == reg) {
            touched_ = true;
            return held_.temporary;
        }
        const VReg temporary = program_.registers++;
        load(temporary, reg);
        hold(reg, temporary);
        return temporary;
    }
    void hold(VReg spilled, VReg temporary)
    {
        held_ = {spilled, temporary};
        touched_ = true;
    }

    void instruction(MachineInst inst)
    {
        span_ = inst.span;
        if (is_move(inst) && inst.src != frame_pointer && (on_stack(inst.dst) || on_stack(inst.src)))
            return move(inst);
        const Access access = access_of(inst);
        const VReg result = inst.dst;
        if (access.reads_src)
            inst.src = inst.src == result && access.reads_dst ? inst.src : reloaded(inst.src);
        if (on_stack(result)) {
            inst.dst = access.reads_dst ? reloaded(result) : program_.registers++;
            if (inst.src == result)
                inst.src = inst.dst;
        }
        out_->push_back(inst);
        if (access.writes_dst && on_stack(result)) {
            store(result, inst.dst);
            hold(result, inst.dst);
        }
    }

    void move(const MachineInst &inst)
    {
        if (on_stack(inst.dst)) {
            if (inst.src == inst.dst)
                return;
            store(inst.dst, reloaded(inst.src));
            if (held_.spilled == inst.dst)
                held_ = {};
        } else if (held_.spilled == inst.src) {
            MachineInst copy = inst;
            copy.src = reloaded(inst.src);
            out_->push_back(copy);
        } else {
            load(inst.dst, inst.src);
        }
    }

    struct Held {
        VReg spilled = no_reg;
        VReg temporary = no_reg;
    };

    MachineProgram &program_;
    std::vector<FrameId> frames_; // by register
    Held held_;                   // what a temporary register still has
    bool touched_ = false;        // by the present instruction
    std::vector<MachineInst> *out_ = nullptr;
    Span span_;
};

} // namespace

void allocate_registers(MachineProgram &program)
{
    std::vector<Lifetime> lifetimes = lifetimes_of(program);
    coalesce(program, lifetimes);
    const VReg first_temporary = program.registers;
    for (;;) {
        Assignment assignment(program, std::move(lifetimes), first_temporary);
        const std::vector<VReg> spilled = assignment.run();
        if (spilled.empty())
            return assignment.rewrite();
        Spiller(program, spilled).run();
        lifetimes = lifetimes_of(program);
    }
}

} // namespace xdpf::bpf
