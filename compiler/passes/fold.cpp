// One sweep in block order. Definitions come before uses, so each instruction is looked at with its operands already
// simplified, and each block with its branches before it already decided: a parameter that is one constant along every
// edge that is left is that constant. (Wegman and Zadeck's conditional constants, without a loop to iterate over.)
#include "compiler/ir/bounds.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <bit>
#include <optional>

namespace xdpf::passes {
namespace {

using namespace ir;

class Folder {
public:
    explicit Folder(Program &program) : program_(program), bounds_(upper_bounds(program)), replacements_(program)
    {
        definitions_.resize(program.values.size());
    }

    void run()
    {
        incoming_.resize(program_.blocks.size());
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            Block &block = program_.blocks[BlockId(i)];
            out_.clear();
            use_constant_params(BlockId(i));
            for (Inst &inst : block.insts) {
                replacements_.apply(inst);
                simplify(inst);
            }
            replacements_.apply(block.end);
            if (block.end.kind == Terminator::Kind::branch)
                simplify_branch(block.end);
            else if (block.end.kind == Terminator::Kind::return_)
                simplify_return(block.end);
            block.insts.swap(out_);
            if (i == 0 || incoming_[BlockId(i)].any)
                for_each_edge(block.end, [&](const Edge &edge) { pass_on(edge); });
        }
    }

private:
    // What the edges into a block bring.
    struct Incoming {
        bool any = false;
        std::vector<std::optional<std::uint64_t>> constants; // by parameter; none: not always the same constant
    };

    void pass_on(const Edge &edge)
    {
        Incoming &there = incoming_[edge.target];
        for (std::size_t i = 0; i < edge.args.size(); ++i) {
            const auto arg = constant(edge.args[i]);
            if (!there.any)
                there.constants.push_back(arg);
            else if (there.constants[i] != arg)
                there.constants[i].reset();
        }
        there.any = true;
    }

    void use_constant_params(BlockId id)
    {
        const Block &block = program_.blocks[id];
        if (block.is_loop())
            return;
        for (std::size_t i = 0; i < block.params.size() && incoming_[id].any; ++i)
            if (const auto number = incoming_[id].constants[i])
                replacements_.replace(block.params[i], add_constant(*number, {}));
    }

    // What is known of how a value is made; constants, and masks for the branches that test them.
    struct Definition {
        Op op = Op::packet_length; // nothing of interest
        ValueId a;
        ValueId b;
        std::uint64_t constant = 0; // of a constant, or of the constant operand b
        bool constant_b = false;
    };

    std::optional<std::uint64_t> constant(ValueId value) const
    {
        if (!value.valid() || definitions_[value].op != Op::constant)
            return std::nullopt;
        return definitions_[value].constant;
    }

    void keep(const Inst &inst)
    {
        if (inst.result.valid()) {
            const auto b = constant(inst.b);
            const bool is_constant = inst.op == Op::constant;
            definitions_[inst.result] = {inst.op, inst.a, inst.b, is_constant ? inst.imm : b.value_or(0),
                                         b.has_value()};
        }
        out_.push_back(inst);
    }

    void become_constant(const Inst &inst, std::uint64_t number)
    {
        const Inst made = make_constant(inst.result, number, inst.span);
        program_.values[inst.result].max = number;
        bounds_[inst.result] = number;
        keep(made);
    }

    void become(const Inst &inst, ValueId value) { replacements_.replace(inst.result, value); }

    ValueId add_constant(std::uint64_t number, Span span)
    {
        const ValueId value = program_.add_value(ValueKind::number, number);
        definitions_.add({});
        bounds_.add(number);
        keep(make_constant(value, number, span));
        return value;
    }

    void simplify(Inst inst)
    {
        const auto a = constant(inst.a);
        if (inst.op == Op::offset && constant(inst.b) == 0)
            return become(inst, inst.a); // whoever guards the one has guarded the other
        if (shape_of(inst.op) == Shape::unary && a)
            return become_constant(inst, evaluate(inst.op, *a, 0));
        if (is_store(inst.op))
            return store(inst);
        if (shape_of(inst.op) != Shape::binary)
            return keep(inst);
        if (a && constant(inst.b))
            return become_constant(inst, evaluate(inst.op, *a, *constant(inst.b)));
        if (a && is_commutative(inst.op))
            std::swap(inst.a, inst.b);
        if (const auto b = constant(inst.b))
            simplify_with_constant(inst, *b);
        else if (inst.a == inst.b && (inst.op == Op::sub || inst.op == Op::bit_xor))
            become_constant(inst, 0);
        else if (inst.a == inst.b && (inst.op == Op::bit_and || inst.op == Op::bit_or))
            become(inst, inst.a);
        else if (inst.op == Op::sub && definitions_[inst.a].a == inst.b && definitions_[inst.a].constant_b &&
                 (definitions_[inst.a].op == Op::add || definitions_[inst.a].op == Op::sub))
            become_constant(inst, definitions_[inst.a].op == Op::add ? definitions_[inst.a].constant
                                                                     : 0 - definitions_[inst.a].constant);
        else
            keep(inst);
        if (folds_carry(inst) && bounds_[definitions_[inst.a].a] <= 0x1fffe)
            bounds_[inst.result] = std::min<std::uint64_t>(bounds_[inst.result], 0xffff);
    }

    static bool is_store(Op op) { return op == Op::store_packet || op == Op::store_map || op == Op::store_slot; }

    // Bits above those that are stored do not matter.
    void store(Inst inst)
    {
        ValueId &stored = inst.op == Op::store_slot ? inst.a : inst.b;
        const Definition &made = definitions_[stored];
        const std::uint64_t all = max_of_width(inst.width);
        if (made.op == Op::bit_and && made.constant_b && (made.constant & all) == all && inst.order == Order::little)
            stored = made.a;
        keep(inst);
    }

    // (s & 0xffff) + (s >> 16): no more than 0xffff, if s is below 0x1ffff.
    bool folds_carry(const Inst &inst) const
    {
        if (inst.op != Op::add || !inst.a.valid() || !inst.b.valid())
            return false;
        const Definition &low = definitions_[inst.a];
        const Definition &high = definitions_[inst.b];
        return low.op == Op::bit_and && low.constant_b && low.constant == 0xffff && high.op == Op::shr &&
               high.constant_b && high.constant == 16 && low.a == high.a;
    }

    // A checksum h after words that it covers have become larger by c in one's complement (RFC 1624, equation 3):
    // ~fold(~h + c) is h - c, less one where that borrows. With d = 0xffff - c: h + d, and one more where h + d >
    // 0xfffe.
    bool update_checksum(const Inst &inst)
    {
        const Definition &folded = definitions_[inst.a];
        if (folded.op != Op::add || !folds_carry({.op = folded.op, .a = folded.a, .b = folded.b}))
            return false;
        const Definition &sum = definitions_[definitions_[folded.a].a];
        if (sum.op != Op::add || !sum.constant_b || sum.constant == 0 || sum.constant > 0xffff)
            return false;
        const Definition &inverted = definitions_[sum.a];
        if (inverted.op != Op::bit_xor || !inverted.constant_b || inverted.constant != 0xffff ||
            bounds_[inverted.a] > 0xffff)
            return false;
        const ValueId before = inverted.a;
        const std::uint64_t by = 0xffff - sum.constant;
        const ValueId beyond = add_binary(Op::add, before, by + 1, 0xffff + by + 1, inst.span);
        const ValueId carry = add_binary(Op::shr, beyond, 16, 1, inst.span);
        Inst made = inst;
        made.op = Op::add;
        made.a = by == 0 ? before : add_binary(Op::add, before, by, 0xffff + by, inst.span);
        made.b = carry;
        made.result = program_.add_value(ValueKind::number, 0xffff + by + 1);
        definitions_.add({});
        bounds_.add(0xffff + by + 1);
        keep(made);
        Inst low = inst;
        low.a = made.result;
        with(low, Op::bit_and, 0xffff);
        return true;
    }

    ValueId add_binary(Op op, ValueId a, std::uint64_t b, std::uint64_t most, Span span)
    {
        Inst made;
        made.op = op;
        made.a = a;
        made.b = add_constant(b, span);
        made.span = span;
        made.result = program_.add_value(ValueKind::number, most);
        definitions_.add({});
        bounds_.add(most);
        keep(made);
        return made.result;
    }

    void simplify_with_constant(Inst inst, std::uint64_t b)
    {
        const std::uint64_t bound = bounds_[inst.a];
        switch (inst.op) {
        case Op::add:
            if (bound <= UINT64_MAX - b)
                bounds_[inst.result] = std::min(bounds_[inst.result], bound + b);
            [[fallthrough]];
        case Op::sub:
        case Op::bit_or: return b == 0 ? become(inst, inst.a) : keep(inst);
        case Op::bit_xor:
            if (b == 0xffff && update_checksum(inst))
                return;
            return b == 0 ? become(inst, inst.a) : keep(inst);
        case Op::mul:
        case Op::div: return scale(inst, b);
        case Op::mod:
            if (b == 0 || bound < b)
                return become(inst, inst.a);
            return std::has_single_bit(b) ? with(inst, Op::bit_and, b - 1) : keep(inst);
        case Op::bit_and: return mask(inst, b);
        case Op::shl:
        case Op::shr:
            if ((b & 63) == 0)
                return become(inst, inst.a);
            if (inst.op == Op::shr && bound >> (b & 63) == 0)
                return become_constant(inst, 0);
            return b > 63 ? with(inst, inst.op, b & 63) : keep(inst);
        default: return keep(inst);
        }
    }

    void scale(const Inst &inst, std::uint64_t b)
    {
        if (b == 0)
            return become_constant(inst, 0);
        if (b == 1)
            return become(inst, inst.a);
        if (!std::has_single_bit(b))
            return keep(inst);
        with(inst, inst.op == Op::mul ? Op::shl : Op::shr, static_cast<std::uint64_t>(std::countr_zero(b)));
    }

    void mask(const Inst &inst, std::uint64_t b)
    {
        if (b == 0)
            return become_constant(inst, 0);
        // Every bit that the number can have is in the mask.
        if ((b & (b + 1)) == 0 && bounds_[inst.a] <= b)
            return become(inst, inst.a);
        const Definition &inner = definitions_[inst.a];
        if (inner.op != Op::bit_and || !inner.constant_b)
            return keep(inst);
        Inst merged = inst;
        const std::uint64_t both = inner.constant & b;
        merged.a = inner.a;
        if (both == 0)
            return become_constant(inst, 0);
        with(merged, Op::bit_and, both);
    }

    // The same with another operation and another constant.
    void with(Inst inst, Op op, std::uint64_t b)
    {
        inst.op = op;
        inst.b = add_constant(b, inst.span);
        if (op == Op::bit_and)
            return b == 0 ? become_constant(inst, 0) : keep(inst);
        keep(inst);
    }

    // ---- Branches -------------------------------------------------------------------------------------------------

    void simplify_branch(Terminator &end)
    {
        if (program_.values[end.a].kind != ValueKind::number)
            return;
        if (end.b.valid() && constant(end.a)) {
            std::swap(end.a, end.b);
            end.cond = mirrored(end.cond);
        }
        if (const auto b = constant(end.b)) {
            end.b = {};
            end.imm = *b;
        }
        if (end.b.valid()) {
            if (end.a == end.b && end.cond != Cond::set && end.cond != Cond::clear)
                decide(end, evaluate(end.cond, 0, 0) ? 0 : 1);
            return;
        }
        if (const auto answer = answer_of(end))
            return decide(end, *answer ? 0 : 1);
        test_bits(end);
    }

    std::optional<bool> answer_of(const Terminator &end) const
    {
        if (const auto a = constant(end.a))
            return evaluate(end.cond, *a, end.imm);
        const std::uint64_t max = bounds_[end.a];
        switch (end.cond) {
        case Cond::eq:
        case Cond::ne: return end.imm > max ? std::optional(end.cond == Cond::ne) : std::nullopt;
        case Cond::lt:
        case Cond::ge:
            if (end.imm == 0 || end.imm > max)
                return (end.imm == 0) == (end.cond == Cond::ge);
            return std::nullopt;
        case Cond::le:
        case Cond::gt: return end.imm >= max ? std::optional(end.cond == Cond::le) : std::nullopt;
        case Cond::set:
        case Cond::clear: return end.imm == 0 ? std::optional(end.cond == Cond::clear) : std::nullopt;
        }
        return std::nullopt;
    }

    // `(x & mask) != 0` asks for the bits directly.
    void test_bits(Terminator &end)
    {
        const Definition &tested = definitions_[end.a];
        if (tested.op != Op::bit_and || !tested.constant_b || end.imm != 0)
            return;
        if (end.cond != Cond::eq && end.cond != Cond::ne)
            return;
        end.cond = end.cond == Cond::eq ? Cond::clear : Cond::set;
        end.imm = tested.constant;
        end.a = tested.a;
    }

    void simplify_return(Terminator &end)
    {
        if (const auto verdict = constant(end.a)) {
            end.a = {};
            end.imm = *verdict;
        }
    }

    Program &program_;
    IdVector<ValueId, std::uint64_t> bounds_;
    Replacements replacements_;
    IdVector<ValueId, Definition> definitions_;
    IdVector<BlockId, Incoming> incoming_;
    std::vector<Inst> out_; // of the block at hand
};

} // namespace

void fold(Program &program) { Folder(program).run(); }

} // namespace xdpf::passes
