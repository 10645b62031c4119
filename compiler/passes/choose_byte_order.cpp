#include "compiler/ir/traits.hpp"
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

namespace xdpf::passes {
namespace {

using namespace ir;

bool is_equality(Cond cond) { return cond == Cond::eq || cond == Cond::ne; }
bool is_bit_test(Cond cond) { return cond == Cond::set || cond == Cond::clear; }

class ByteOrder {
public:
    explicit ByteOrder(Program &program) : program_(program), uses_(count_uses(program))
    {
        definitions_.resize(program.values.size(), nullptr);
        for (Block &block : program.blocks)
            for (Inst &inst : block.insts)
                if (inst.result.valid())
                    definitions_[inst.result] = &inst;
        swappable_uses_.resize(program.values.size(), 0);
        for (const Block &block : program.blocks)
            if (compares_equal(block.end))
                ++swappable_uses_[block.end.a];
    }

    void run()
    {
        for (Block &block : program_.blocks) {
            for (Inst &inst : block.insts)
                if (inst.op == Op::store_slot)
                    swap_store(inst, inst.a);
                else if (inst.op == Op::store_packet || inst.op == Op::store_map)
                    swap_store(inst, inst.b);
            if (block.end.kind == Terminator::Kind::branch)
                swap_branch(block.end);
        }
        add_constants();
    }

private:
    // The load that makes the value, if it is big-endian and nobody else uses it.
    Inst *swappable(ValueId value)
    {
        Inst *const load = definition(value);
        return is_big_load(load) && uses_[value] == 1 ? load : nullptr;
    }

    static bool is_big_load(const Inst *inst)
    {
        return inst != nullptr && is_load(inst->op) && inst->order == Order::big && inst->width > 1;
    }

    // A load's bytes with a number, one by one.
    bool compares_equal(const Terminator &end)
    {
        if (end.kind != Terminator::Kind::branch || end.b.valid() || !is_big_load(definition(end.a)))
            return false;
        return is_bit_test(end.cond) || (is_equality(end.cond) && end.imm <= max_of_width(definition(end.a)->width));
    }

    Inst *definition(ValueId value) { return value.value < definitions_.size() ? definitions_[value] : nullptr; }

    void swap_load(Inst &load)
    {
        load.order = Order::little;
        program_.values[load.result].max = max_of_width(load.width);
    }

    // Bytes that are only carried need no order.
    void swap_store(Inst &store, ValueId value)
    {
        Inst *const load = swappable(value);
        if (load == nullptr || store.order != Order::big || store.width != load->width)
            return;
        swap_load(*load);
        store.order = Order::little;
    }

    void swap_branch(Terminator &end)
    {
        if (program_.values[end.a].kind != ValueKind::number)
            return;
        if (end.b.valid())
            return swap_both(end);
        if (swappable_uses_[end.a] != 0 && swappable_uses_[end.a] == uses_[end.a]) {
            Inst &load = *definition(end.a);
            end.imm = swap_bytes(end.imm & max_of_width(load.width), load.width);
            swap_load(load);
        } else if (is_equality(end.cond)) {
            swap_masked(end);
        }
    }

    // Two fields compared with each other.
    void swap_both(Terminator &end)
    {
        Inst *const a = swappable(end.a);
        Inst *const b = swappable(end.b);
        if (a == nullptr || b == nullptr || a->width != b->width || !is_equality(end.cond))
            return;
        swap_load(*a);
        swap_load(*b);
    }

    void swap_masked(Terminator &end)
    {
        Inst *const mask = definition(end.a);
        if (mask == nullptr || mask->op != Op::bit_and || uses_[end.a] != 1)
            return;
        Inst *const load = swappable(mask->a);
        const Inst *const constant = definition(mask->b);
        if (load == nullptr || constant == nullptr || constant->op != Op::constant)
            return;
        const std::uint64_t max = max_of_width(load->width);
        if (end.imm > max)
            return;
        const std::uint64_t swapped = swap_bytes(constant->imm & max, load->width);
        new_masks_.push_back({end.a, swapped});
        program_.values[end.a].max = swapped;
        end.imm = swap_bytes(end.imm, load->width);
        swap_load(*load);
    }

    // Last, since instructions move in memory here.
    void add_constants()
    {
        std::vector<Inst> out;
        std::size_t next = 0;
        if (new_masks_.empty())
            return;
        IdVector<ValueId, const NewMask *> wanted;
        wanted.resize(program_.values.size(), nullptr);
        for (; next < new_masks_.size(); ++next)
            wanted[new_masks_[next].result] = &new_masks_[next];
        for (Block &block : program_.blocks) {
            out.clear();
            for (Inst &inst : block.insts) {
                const NewMask *const mask = inst.op == Op::bit_and ? wanted[inst.result] : nullptr;
                if (mask != nullptr) {
                    inst.b = program_.add_value(ValueKind::number, mask->constant);
                    out.push_back(make_constant(inst.b, mask->constant, inst.span));
                }
                out.push_back(inst);
            }
            block.insts.swap(out);
        }
    }

    struct NewMask {
        ValueId result; // of the `and`
        std::uint64_t constant;
    };

    Program &program_;
    IdVector<ValueId, std::uint32_t> uses_;
    IdVector<ValueId, std::uint32_t> swappable_uses_;
    IdVector<ValueId, Inst *> definitions_;
    std::vector<NewMask> new_masks_;
};

} // namespace

void choose_byte_order(Program &program) { ByteOrder(program).run(); }

} // namespace xdpf::passes
