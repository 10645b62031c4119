#include "compiler/bpf/lifetime.hpp"

#include <algorithm>
#include <ranges>

namespace xdpf::bpf {
namespace {

class Sweep {
public:
    explicit Sweep(const MachineProgram &program)
        : program_(program), lifetimes_(program.registers), open_(program.registers, 0), live_in_(program.blocks.size())
    {
    }

    std::vector<Lifetime> run()
    {
        const bool loops = sweep();
        if (loops) { // what their heads need is known now
            lifetimes_.assign(lifetimes_.size(), {});
            (void)sweep();
        }
        for (Lifetime &lifetime : lifetimes_)
            std::ranges::reverse(lifetime);
        return std::move(lifetimes_);
    }

private:
    // Whether there were jumps back.
    bool sweep()
    {
        bool back = false;
        place_ = 0;
        for (const MachineBlock &block : program_.blocks)
            place_ += static_cast<std::uint32_t>(block.insts.size()) + 1;
        for (std::size_t i = program_.blocks.size(); i-- > 0;) {
            for_each_target(program_.blocks[i].end, [&](std::uint32_t target) { back = back || target <= i; });
            block(i);
        }
        return back;
    }

    void read(VReg reg)
    {
        if (reg == no_reg || reg == frame_pointer || open_[reg] != 0)
            return;
        open_[reg] = 2 * place_ + 1;
        live_.push_back(reg);
    }
    void write(VReg reg, bool also_read)
    {
        if (open_[reg] == 0)
            add(reg, 2 * place_ + 1, 2 * place_ + 2);
        else if (!also_read)
            close(reg, 2 * place_ + 1);
    }
    void close(VReg reg, std::uint32_t begin)
    {
        add(reg, begin, open_[reg]);
        open_[reg] = 0;
        live_.erase(std::ranges::find(live_, reg));
    }
    // From the last segment to the first.
    void add(VReg reg, std::uint32_t begin, std::uint32_t end)
    {
        Lifetime &lifetime = lifetimes_[reg];
        if (!lifetime.empty() && lifetime.back().begin <= end)
            lifetime.back().begin = begin;
        else
            lifetime.push_back({begin, end});
    }

    void block(std::size_t index)
    {
        const MachineBlock &from = program_.blocks[index];
        const std::uint32_t behind = 2 * place_;
        live_.clear();
        for_each_target(from.end, [&](std::uint32_t target) {
            for (const VReg reg : live_in_[target])
                if (open_[reg] == 0) {
                    open_[reg] = behind;
                    live_.push_back(reg);
                }
        });
        --place_;
        if (from.end.kind == MachineEnd::Kind::branch) {
            read(from.end.a);
            read(from.end.b);
        } else if (leaves(from.end)) {
            read(from.end.kind == MachineEnd::Kind::exit ? 0 : 1);
        }
        for (const MachineInst &inst : from.insts | std::views::reverse) {
            --place_;
            instruction(inst);
        }
        live_in_[index] = live_;
        for (const VReg reg : live_) {
            add(reg, 2 * place_, open_[reg]);
            open_[reg] = 0;
        }
    }

    void instruction(const MachineInst &inst)
    {
        if (is_call(inst)) {
            for (VReg reg = 0; reg <= 5; ++reg)
                write(reg, false);
            for (VReg reg = 1; reg <= inst.args; ++reg)
                read(reg);
            return;
        }
        const Access access = access_of(inst);
        if (access.writes_dst)
            write(inst.dst, access.reads_dst);
        if (access.reads_dst)
            read(inst.dst);
        if (access.reads_src)
            read(inst.src);
    }

    const MachineProgram &program_;
    std::vector<Lifetime> lifetimes_;
    std::vector<std::uint32_t> open_; // by register: end of the segment being made, 0: not live
    std::vector<VReg> live_;
    std::vector<std::vector<VReg>> live_in_;
    std::uint32_t place_ = 0;
};

} // namespace

std::vector<Lifetime> lifetimes_of(const MachineProgram &program) { return Sweep(program).run(); }

bool overlap(const Lifetime &a, const Lifetime &b)
{
    const Lifetime &few = a.size() < b.size() ? a : b;
    const Lifetime &many = a.size() < b.size() ? b : a;
    return std::ranges::any_of(few, [&](const Segment &segment) {
        const auto next = std::ranges::upper_bound(many, segment.begin, {}, &Segment::end);
        return next != many.end() && next->begin < segment.end;
    });
}

void merge(Lifetime &into, Lifetime &from)
{
    if (into.size() < from.size())
        std::swap(into, from);
    for (const Segment &segment : from) {
        const auto next = std::ranges::upper_bound(into, segment.begin, {}, &Segment::begin);
        const bool goes_on = next != into.begin() && std::prev(next)->end == segment.begin;
        const bool leads_on = next != into.end() && next->begin == segment.end;
        if (goes_on && leads_on) {
            next->begin = std::prev(next)->begin;
            into.erase(std::prev(next));
        } else if (goes_on) {
            std::prev(next)->end = segment.end;
        } else if (leads_on) {
            next->begin = segment.begin;
        } else {
            into.insert(next, segment);
        }
    }
    from.clear();
}

} // namespace xdpf::bpf
