#include "compiler/bpf/facts.hpp"
#include "compiler/bpf/machine.hpp"
#include "compiler/ir/traits.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstddef>

namespace xdpf::bpf {
namespace {

using namespace ir;

bool fits_imm(std::uint64_t number) { return std::in_range<std::int32_t>(static_cast<std::int64_t>(number)); }

// Where a value is found. Packet pointers that differ by a constant share a register: they are one pointer to the
// verifier, and what is known of one is known of all.
struct Home {
    VReg reg = no_reg;     // none: a constant
    std::uint64_t imm = 0; // the constant, or what is to be added to the register
    bool known = false;
};

// The order of emission: after a block comes the edge that is likely, as far as every edge may go forward only. A block
// of its own stands on an edge that sets parameters and is not the only way out and in.
class Layout {
public:
    struct Node {
        BlockId block; // of the IR, or none: it stands on edge `edge` out of `from`
        BlockId from;
        unsigned edge = 0;
    };

    Layout(const Program &program, const Facts &facts) : program_(program), facts_(facts)
    {
        place_.resize(3 * program.blocks.size(), UINT32_MAX);
        walk();
    }

    [[nodiscard]] const std::vector<Node> &order() const { return order_; }
    [[nodiscard]] std::uint32_t place(BlockId block) const { return place_[block.value]; }
    [[nodiscard]] std::uint32_t target(BlockId from, unsigned edge) const { return place_[step(from, edge)]; }
    [[nodiscard]] bool split(BlockId from, unsigned edge) const
    {
        const Terminator &end = program_.blocks[from].end;
        const Edge &out = end.edges[edge];
        return has_two_edges(end) && !out.args.empty() && facts_.edges_in[out.target] > 1;
    }

private:
    // Keys: a block's index, or behind those of all blocks that of an edge.
    std::uint32_t step(BlockId from, unsigned edge) const
    {
        if (split(from, edge))
            return static_cast<std::uint32_t>(program_.blocks.size()) + 2 * from.value + edge;
        return program_.blocks[from].end.edges[edge].target.value;
    }
    Node node(std::uint32_t key) const
    {
        const auto blocks = static_cast<std::uint32_t>(program_.blocks.size());
        if (key < blocks)
            return {BlockId(key), {}, 0};
        return {{}, BlockId((key - blocks) / 2), (key - blocks) % 2};
    }
    // Steps out of a node, the one to follow it last.
    std::vector<std::uint32_t> steps(std::uint32_t key) const
    {
        const Node at = node(key);
        if (!at.block.valid())
            return {program_.blocks[at.from].end.edges[at.edge].target.value};
        const Terminator &end = program_.blocks[at.block].end;
        if (!has_two_edges(end))
            return end.kind == Terminator::Kind::jump ? std::vector{step(at.block, 0)} : std::vector<std::uint32_t>{};
        // There is no jump if bits are clear, so the way of set bits is better jumped.
        const bool set = end.kind == Terminator::Kind::branch && end.cond == Cond::set;
        return {step(at.block, set ? 0 : 1), step(at.block, set ? 1 : 0)};
    }
    // Depth first; the reverse of the order in which nodes are done.
    void walk()
    {
        struct Open {
            std::uint32_t key;
            std::vector<std::uint32_t> steps;
            std::size_t next = 0;
        };
        std::vector<bool> seen(place_.size());
        std::vector<Open> open{{0, steps(0)}};
        seen[0] = true;
        while (!open.empty()) {
            Open &top = open.back();
            if (top.next < top.steps.size()) {
                const std::uint32_t key = top.steps[top.next++];
                if (!seen[key]) {
                    seen[key] = true;
                    open.push_back({key, steps(key)});
                }
            } else {
                order_.push_back(node(top.key));
                place_[top.key] = static_cast<std::uint32_t>(order_.size()) - 1;
                open.pop_back();
            }
        }
        std::ranges::reverse(order_);
        for (std::uint32_t &place : place_)
            if (place != UINT32_MAX)
                place = static_cast<std::uint32_t>(order_.size()) - 1 - place;
    }

    const Program &program_;
    const Facts &facts_;
    std::vector<Node> order_;
    std::vector<std::uint32_t> place_; // by key
};

class Selector {
public:
    explicit Selector(const Program &program)
        : in_(program), facts_(gather_facts(program)), layout_(program, facts_), ctx_(out_.registers++)
    {
        homes_.resize(program.values.size());
        for (const Slot &slot : program.slots)
            out_.frames.add(slot.size);
    }

    MachineProgram run()
    {
        out_.blocks.resize(layout_.order().size());
        for (std::size_t at = 0; at < out_.blocks.size(); ++at) {
            const Layout::Node &node = layout_.order()[at];
            block_ = &out_.blocks[at];
            if (node.block.valid())
                block(node.block);
            else
                edge_block(in_.blocks[node.from].end, node.edge);
        }
        if (ctx_used_) {
            block_ = &out_.blocks[0];
            span_ = {};
            move(ctx_, 1);
            std::ranges::rotate(block_->insts, block_->insts.end() - 1);
        }
        return std::move(out_);
    }

private:
    // ---- Writing -------------------------------------------------------------------------------------------------

    VReg fresh() { return out_.registers++; }

    MachineInst &emit(unsigned code, VReg dst, VReg src = no_reg, std::uint64_t imm = 0)
    {
        MachineInst inst;
        inst.code = static_cast<std::uint8_t>(code);
        inst.dst = dst;
        inst.src = src;
        inst.imm = imm;
        inst.span = span_;
        return block_->insts.emplace_back(inst);
    }
    MachineInst &alu(Alu op, VReg dst, VReg src) { return emit(BPF_ALU64 | unsigned(op) | BPF_X, dst, src); }
    MachineInst &alu(Alu op, VReg dst, std::uint64_t imm, bool narrow = false)
    {
        return emit((narrow ? BPF_ALU : BPF_ALU64) | unsigned(op) | BPF_K, dst, no_reg, imm);
    }
    void move(VReg dst, VReg src) { alu(Alu::mov, dst, src); }
    void set(VReg dst, std::uint64_t number)
    {
        if (fits_imm(number))
            alu(Alu::mov, dst, number);
        else if (number <= UINT32_MAX)
            alu(Alu::mov, dst, number, true);
        else
            emit(BPF_LD | BPF_IMM | BPF_DW, dst, no_reg, number);
    }
    VReg constant(std::uint64_t number)
    {
        const VReg reg = fresh();
        set(reg, number);
        return reg;
    }
    void load(VReg dst, VReg base, std::size_t off, unsigned width)
    {
        emit(BPF_LDX | BPF_MEM | unsigned(size_of(width)), dst, base).off = Off16(off).value;
    }
    void load_ctx(VReg dst, std::size_t off)
    {
        ctx_used_ = true;
        load(dst, ctx_, off, 4);
    }
    void swap(VReg reg, unsigned width) { emit(BPF_ALU | BPF_END | BPF_TO_BE, reg, no_reg, 8 * width); }
    void call(bpf_func_id helper, std::uint8_t args) { emit(BPF_JMP | BPF_CALL, no_reg, no_reg, helper).args = args; }
    void address(VReg dst, SlotId slot)
    {
        move(dst, frame_pointer);
        alu(Alu::add, dst, std::uint64_t{0}).frame = FrameId(slot.value);
    }
    void map_address(VReg dst, MapId map) { emit(BPF_LD | BPF_IMM | BPF_DW, dst).map = map; }

    // ---- Reading values ------------------------------------------------------------------------------------------

    const ValueFacts &facts(ValueId value) const { return facts_.values[value]; }
    const Home &home(ValueId value) const
    {
        assert(homes_[value].known);
        return homes_[value];
    }
    std::optional<std::uint64_t> constant_of(ValueId value) const
    {
        const Home &at = home(value);
        return at.reg == no_reg ? std::optional(at.imm) : std::nullopt;
    }
    void copy(VReg dst, ValueId value)
    {
        const Home &at = home(value);
        if (at.reg == no_reg)
            return set(dst, at.imm);
        move(dst, at.reg);
        if (at.imm != 0)
            alu(Alu::add, dst, at.imm);
    }
    VReg reg(ValueId value)
    {
        const Home &at = home(value);
        if (at.reg != no_reg && at.imm == 0)
            return at.reg;
        const VReg copied = fresh();
        copy(copied, value);
        return copied;
    }
    // The pointer `value` + `off`, as a register and what is to be added to it in the access itself.
    std::pair<VReg, std::int16_t> access(ValueId value, std::uint64_t off)
    {
        const Home &at = home(value);
        if (std::in_range<std::int16_t>(at.imm + off))
            return {at.reg, static_cast<std::int16_t>(at.imm + off)};
        const VReg base = fresh();
        copy(base, value);
        alu(Alu::add, base, off);
        return {base, 0};
    }

    // ---- Instructions --------------------------------------------------------------------------------------------

    void binary(const Inst &inst, VReg dst)
    {
        Op op = inst.op;
        ValueId a = inst.a;
        ValueId b = inst.b;
        const bool commutes =
            op == Op::add || op == Op::mul || op == Op::bit_and || op == Op::bit_or || op == Op::bit_xor;
        if (commutes && constant_of(a))
            std::swap(a, b);
        if (const auto number = constant_of(b)) {
            const unsigned swapped = facts(inst.result).swapped;
            copy(dst, a);
            return with_constant(op, dst, swapped != 0 ? swap_bytes(*number, swapped) : *number, small(a));
        }
        const VReg right = reg(b);
        copy(dst, a);
        alu(alu_of(op), dst, right);
    }

    // The register holds no more than 32 bits.
    bool small(ValueId value) const
    {
        const unsigned swapped = facts(value).swapped; // in its own order, a small number has its bits above
        return swapped != 0 ? swapped <= 4 : facts(value).max <= UINT32_MAX;
    }

    void with_constant(Op op, VReg dst, std::uint64_t number, bool dst_small)
    {
        if ((op == Op::shl || op == Op::shr)) {
            if ((number & 63) != 0)
                alu(alu_of(op), dst, number & 63);
            return;
        }
        if (number == 0 && (op == Op::div || op == Op::mod)) {
            if (op == Op::div)
                set(dst, 0);
            return;
        }
        if (op == Op::sub && fits_imm(-number))
            return void(alu(Alu::add, dst, -number));
        if (fits_imm(number))
            return void(alu(alu_of(op), dst, number));
        const bool upper_zero = op == Op::bit_and || (dst_small && (op == Op::bit_or || op == Op::bit_xor));
        if (number <= UINT32_MAX && upper_zero)
            return void(alu(alu_of(op), dst, number, true));
        const VReg right = constant(number);
        alu(alu_of(op), dst, right);
    }

    static Alu alu_of(Op op)
    {
        switch (op) {
        case Op::add: return Alu::add;
        case Op::sub: return Alu::sub;
        case Op::mul: return Alu::mul;
        case Op::div: return Alu::div;
        case Op::mod: return Alu::mod;
        case Op::bit_and: return Alu::and_;
        case Op::bit_or: return Alu::or_;
        case Op::bit_xor: return Alu::xor_;
        case Op::shl: return Alu::lsh;
        case Op::shr: return Alu::rsh;
        default: assert(false); return Alu::mov;
        }
    }

    // Stays an addition to the base's own register: the constant part of the way goes into every access behind it.
    Home offset(const Inst &inst)
    {
        const Home base = home(inst.a);
        if (const auto number = constant_of(inst.b))
            return {base.reg, base.imm + *number, true};
        const VReg dst = fresh();
        if (facts(inst.b).visible > inst.imm) {
            const VReg bounded = fresh();
            copy(bounded, inst.b);
            alu(Alu::and_, bounded, std::bit_ceil(inst.imm + 1) - 1);
            move(dst, base.reg);
            alu(Alu::add, dst, bounded);
        } else {
            move(dst, base.reg);
            alu(Alu::add, dst, home(inst.b).reg);
        }
        return {dst, base.imm, true};
    }

    void rebase(const Inst &inst, VReg dst)
    {
        const VReg start = reg(inst.b);
        copy(dst, inst.a);
        alu(Alu::sub, dst, start);
        alu(Alu::and_, dst, inst.imm);
        alu(Alu::add, dst, start);
    }

    void load_value(const Inst &inst, VReg dst)
    {
        const auto [base, off] = access(inst.a, inst.imm);
        load(dst, base, 0, inst.width);
        block_->insts.back().off = off;
        if (inst.order == Order::big && inst.width > 1 && facts(inst.result).swapped == 0)
            swap(dst, inst.width);
    }

    // Writes `value` to base + off, or to a slot of the stack.
    void store(const Inst &inst, ValueId value, VReg base, std::int16_t off, FrameId frame)
    {
        const unsigned size = unsigned(size_of(inst.width));
        const bool big = inst.order == Order::big && inst.width > 1;
        const auto finish = [&](MachineInst &made) { made.off = off, made.frame = frame; };
        if (const auto number = constant_of(value)) {
            std::uint64_t bits = big ? swap_bytes(*number, inst.width) : *number & max_of_width(inst.width);
            if (inst.width == 4)
                bits = static_cast<std::uint64_t>(static_cast<std::int32_t>(bits));
            if (fits_imm(bits))
                return finish(emit(BPF_ST | BPF_MEM | size, base, no_reg, bits));
            const VReg source = constant(bits);
            return finish(emit(BPF_STX | BPF_MEM | size, base, source));
        }
        VReg source = reg(value);
        if (big && facts(value).swapped == 0) {
            const VReg swapped = fresh();
            move(swapped, source);
            swap(swapped, inst.width);
            source = swapped;
        }
        finish(emit(BPF_STX | BPF_MEM | size, base, source));
    }

    void instruction(const Inst &inst)
    {
        span_ = inst.span;
        if (is_droppable(inst.op) && facts(inst.result).uses == 0)
            return;
        Home result;
        if (inst.op == Op::constant)
            result.imm = inst.imm;
        else if (inst.op == Op::offset)
            result = offset(inst);
        else if (inst.result.valid())
            result.reg = fresh();
        body(inst, result.reg);
        result.known = true;
        if (inst.result.valid())
            homes_[inst.result] = result;
    }

    void body(const Inst &inst, VReg dst)
    {
        switch (inst.op) {
        case Op::constant:
        case Op::offset: return;
        case Op::packet_start: return load_ctx(dst, offsetof(xdp_md, data));
        case Op::packet_end: return load_ctx(dst, offsetof(xdp_md, data_end));
        case Op::packet_length: {
            const VReg start = fresh();
            load_ctx(dst, offsetof(xdp_md, data_end));
            load_ctx(start, offsetof(xdp_md, data));
            alu(Alu::sub, dst, start);
            return;
        }
        case Op::context:
            switch (inst.field) {
            case ContextField::rx_queue: return load_ctx(dst, offsetof(xdp_md, rx_queue_index));
            case ContextField::ingress_ifindex: return load_ctx(dst, offsetof(xdp_md, ingress_ifindex));
            case ContextField::egress_ifindex: return load_ctx(dst, offsetof(xdp_md, egress_ifindex));
            }
            return;
        case Op::load:
        case Op::load_map: return load_value(inst, dst);
        case Op::neg: copy(dst, inst.a); return void(alu(Alu::neg, dst, std::uint64_t{0}));
        case Op::complement: copy(dst, inst.a); return void(alu(Alu::xor_, dst, UINT64_MAX));
        case Op::rebase: return rebase(inst, dst);
        case Op::store_slot: return store(inst, inst.a, frame_pointer, Off16(inst.imm).value, FrameId(inst.key.value));
        case Op::store_map: {
            const auto [base, off] = access(inst.a, inst.imm);
            return store(inst, inst.b, base, off, {});
        }
        case Op::atomic_add: {
            const VReg source = reg(inst.b);
            const auto [base, off] = access(inst.a, inst.imm);
            emit(BPF_STX | BPF_ATOMIC | unsigned(size_of(inst.width)), base, source, BPF_ADD).off = off;
            return;
        }
        case Op::lookup:
            address(2, inst.key);
            map_address(1, inst.map);
            call(BPF_FUNC_map_lookup_elem, 2);
            return move(dst, 0);
        case Op::update:
            address(2, inst.key);
            address(3, inst.value);
            map_address(1, inst.map);
            set(4, inst.imm);
            call(BPF_FUNC_map_update_elem, 4);
            if (inst.result.valid())
                move(dst, 0);
            return;
        case Op::redirect:
            copy(2, inst.a);
            map_address(1, inst.map);
            set(3, inst.imm);
            call(BPF_FUNC_redirect_map, 3);
            return move(dst, 0);
        default: return binary(inst, dst);
        }
    }

    // ---- Control flow --------------------------------------------------------------------------------------------

    void block(BlockId id)
    {
        const Block &from = in_.blocks[id];
        span_ = {};
        for (const Inst &inst : from.insts)
            instruction(inst);
        span_ = from.end.span;
        finish(id, from.end);
    }

    void edge_block(const Terminator &end, unsigned edge)
    {
        span_ = end.span;
        pass(end.edges[edge]);
        jump(layout_.place(end.edges[edge].target));
    }

    void jump(std::uint32_t target)
    {
        block_->end.kind = MachineEnd::Kind::jump;
        block_->end.yes = block_->end.no = target;
    }

    // Sets the target's parameters. They are not live before it, so one after the other will do.
    void pass(const Edge &edge)
    {
        const Block &target = in_.blocks[edge.target];
        for (std::size_t i = 0; i < edge.args.size(); ++i) {
            const ValueId param = target.params[i];
            if (facts(param).uses == 0)
                continue;
            if (facts_.edges_in[edge.target] == 1) {
                homes_[param] = home(edge.args[i]);
                continue;
            }
            if (!homes_[param].known)
                homes_[param] = {fresh(), 0, true};
            copy(homes_[param].reg, edge.args[i]);
        }
    }

    void guard(const Terminator &end, MachineEnd &made)
    {
        const Home &start = home(end.a);
        made.test = Test::gt;
        std::swap(made.yes, made.no);
        made.b = home(end.b).reg;
        // A copy even where nothing is added: on the failing side the verifier takes all knowledge from what is
        // compared.
        made.a = fresh();
        move(made.a, start.reg);
        if (start.imm + end.imm != 0)
            alu(Alu::add, made.a, start.imm + end.imm);
    }

    static Test test_of(Cond cond)
    {
        switch (cond) {
        case Cond::eq: return Test::eq;
        case Cond::ne: return Test::ne;
        case Cond::lt: return Test::lt;
        case Cond::le: return Test::le;
        case Cond::gt: return Test::gt;
        case Cond::ge: return Test::ge;
        case Cond::set:
        case Cond::clear: break;
        }
        return Test::set;
    }

    void branch(const Terminator &end, MachineEnd &made)
    {
        ValueId a = end.a;
        ValueId b = end.b;
        Cond cond = end.cond;
        std::optional<std::uint64_t> number = b.valid() ? constant_of(b) : std::optional(end.imm);
        if (const auto left = constant_of(a)) {
            if (number)
                return jump(evaluate(cond, *left, *number) ? made.yes : made.no);
            std::swap(a, b);
            cond = mirrored(cond);
            number = left;
        }
        made.test = test_of(cond);
        if (cond == Cond::clear)
            std::swap(made.yes, made.no);
        made.a = reg(a);
        if (!number) {
            made.b = reg(b);
            return;
        }
        const unsigned swapped = facts(a).swapped;
        compare_with(made, swapped != 0 ? swap_bytes(*number, swapped) : *number, small(a));
    }

    // The kernel extends a 64-bit comparison's immediate by its sign.
    void compare_with(MachineEnd &made, std::uint64_t number, bool narrow_enough)
    {
        if (fits_imm(number)) {
            made.imm = static_cast<std::int32_t>(number);
        } else if (number <= UINT32_MAX && (narrow_enough || made.test == Test::set)) {
            made.imm = static_cast<std::int32_t>(number);
            made.narrow = true;
        } else {
            made.b = constant(number);
        }
    }

    void finish(BlockId id, const Terminator &end)
    {
        block_->end.span = end.span;
        switch (end.kind) {
        case Terminator::Kind::jump: pass(end.edges[0]); return jump(layout_.target(id, 0));
        case Terminator::Kind::return_:
            if (end.a.valid())
                copy(0, end.a);
            else
                set(0, end.imm);
            block_->end.kind = MachineEnd::Kind::exit;
            return;
        case Terminator::Kind::guard:
        case Terminator::Kind::branch: break;
        case Terminator::Kind::asm_:
        case Terminator::Kind::none: assert(false); return;
        }
        for (unsigned edge = 0; edge < 2; ++edge)
            if (!layout_.split(id, edge))
                pass(end.edges[edge]);
        MachineEnd &made = block_->end;
        made.kind = MachineEnd::Kind::branch;
        made.yes = layout_.target(id, 0);
        made.no = layout_.target(id, 1);
        if (end.kind == Terminator::Kind::guard)
            guard(end, made);
        else
            branch(end, made);
        if (made.yes == made.no)
            jump(made.yes);
    }

    const Program &in_;
    MachineProgram out_;
    Facts facts_;
    Layout layout_;
    VReg ctx_;
    bool ctx_used_ = false;
    IdVector<ValueId, Home> homes_;
    MachineBlock *block_ = nullptr;
    Span span_;
};

} // namespace

MachineProgram select(const Program &program) { return Selector(program).run(); }

} // namespace xdpf::bpf
