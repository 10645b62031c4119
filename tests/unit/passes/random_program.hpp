// Random programs that verify() takes, for comparing what they do before and after passes.
#pragma once

#include "compiler/ir/graph.hpp"
#include "compiler/ir/ir.hpp"
#include "compiler/ir/traits.hpp"

#include <algorithm>
#include <optional>
#include <random>

namespace xdpf::ir {

// Blocks are made in order, so that all edges into a block exist when its turn comes: what is available in it is what
// is available at the end of all blocks before it.
class RandomProgram {
public:
    explicit RandomProgram(std::uint32_t seed) : random_(seed) {}

    Module make()
    {
        module_.maps = {map("xsks", MapKind::xskmap, 4, 4, 4), map("hits", MapKind::array, 4, 16, 4),
                        map("seen", MapKind::hash, 8, 8, 3),   map("last", MapKind::lru_hash, 4, 8, 2),
                        map("conf", MapKind::array, 4, 16, 1), map("bloom", MapKind::bloom_filter, 0, 8, 4),
                        map("fifo", MapKind::queue, 0, 8, 6),  map("progs", MapKind::prog_array, 4, 4, 4)};
        program_.name = "random";
        program_.slots.add({4});
        program_.slots.add({8});
        program_.slots.add({8});
        const std::size_t blocks = 2 + below(14);
        program_.blocks.resize(blocks);
        incoming_.resize(blocks);
        for (std::size_t i = 1; i < blocks; ++i)
            add_params(program_.blocks[BlockId(i)]);
        for (std::size_t i = 0; i < blocks; ++i)
            fill(BlockId(i));
        module_.programs.push_back(std::move(program_));
        return std::move(module_);
    }

private:
    // What may be used at some place: values, the bytes present behind a packet pointer, whether a map value is there.
    struct Known {
        ValueId value;
        std::uint64_t present = 0;
        bool operator==(const Known &) const = default;
    };
    using Scope = std::vector<Known>;

    static MapSpec map(std::string name, MapKind kind, std::uint32_t key, std::uint32_t value, std::uint32_t entries)
    {
        MapSpec spec;
        spec.name = std::move(name);
        spec.kind = kind;
        spec.key.size = key;
        spec.value.size = value;
        spec.max_entries = entries;
        return spec;
    }

    std::size_t below(std::size_t end) { return random_() % end; }
    bool chance(unsigned percent) { return below(100) < percent; }

    void add_params(Block &block)
    {
        if (chance(40))
            block.params.push_back(program_.add_value(ValueKind::number));
        if (chance(20))
            block.params.push_back(program_.add_value(ValueKind::packet, 40));
        if (chance(20))
            block.params.push_back(program_.add_value(ValueKind::number));
    }

    void fill(BlockId id)
    {
        block_ = &program_.blocks[id];
        scope_ = id == BlockId(0) ? Scope{} : meet(incoming_[id]);
        for (const ValueId param : block_->params) // those in scope already came with what their arguments know
            if (incoming_[id].empty())
                scope_.push_back({param, 0});
        if (id == BlockId(0)) {
            emit(Op::packet_start);
            emit(Op::packet_end);
        }
        for (std::size_t n = below(7); n > 0; --n)
            instruction();
        finish(id);
    }

    static Scope meet(const std::vector<Scope> &scopes)
    {
        Scope result = scopes.empty() ? Scope{} : scopes.front();
        for (const Scope &other : scopes) {
            std::erase_if(result, [&](const Known &known) { return find(other, known.value) == nullptr; });
            for (Known &known : result)
                known.present = std::min(known.present, find(other, known.value)->present);
        }
        return result;
    }

    static const Known *find(const Scope &scope, ValueId value)
    {
        const auto at = std::ranges::find(scope, value, &Known::value);
        return at == scope.end() ? nullptr : &*at;
    }

    // A value of that kind from the scope; none if there is none.
    const Known *pick(ValueKind kind, std::uint64_t max = UINT64_MAX, std::uint64_t present = 0)
    {
        std::vector<const Known *> fitting;
        for (const Known &known : scope_)
            if (program_.values[known.value].kind == kind && known.present >= present &&
                (kind != ValueKind::packet || program_.values[known.value].max <= max))
                fitting.push_back(&known);
        return fitting.empty() ? nullptr : fitting[below(fitting.size())];
    }

    ValueId emit(Inst inst)
    {
        inst.result = program_.add_value(result_kind(inst.op), natural_max(program_, inst));
        block_->insts.push_back(inst);
        scope_.push_back({inst.result});
        return inst.result;
    }

    ValueId emit(Op op)
    {
        Inst inst;
        inst.op = op;
        return emit(inst);
    }

    ValueId constant()
    {
        constexpr std::array<std::uint64_t, 12> interesting{0,    1,      2,     3,      7,          8,
                                                            0xff, 0xff00, 0x800, 0xffff, 0x80000000, UINT64_MAX};
        Inst inst;
        inst.imm = chance(80) ? interesting[below(interesting.size())] : random_();
        return emit(inst);
    }

    ValueId number()
    {
        const Known *const known = chance(85) ? pick(ValueKind::number) : nullptr;
        return known != nullptr ? known->value : constant();
    }

    void instruction()
    {
        switch (below(13)) {
        case 0: constant(); break;
        case 1:
        case 2:
        case 3: load(); break;
        case 4:
        case 5:
        case 6: arithmetic(); break;
        case 7: pointer(); break;
        case 8: map_access(); break;
        case 9: other(); break;
        case 10: store_packet(); break;
        case 11: side_effect(); break;
        case 12: slot_access(); break;
        }
    }

    // An access to the packet or its metadata, without what it is.
    std::optional<Inst> packet_access()
    {
        const Known *pointer = chance(20) ? pick(ValueKind::meta, UINT64_MAX, 1) : nullptr;
        if (pointer == nullptr)
            pointer = pick(ValueKind::packet, UINT64_MAX, 1);
        if (pointer == nullptr)
            return std::nullopt;
        Inst inst;
        inst.a = pointer->value;
        do
            inst.width = static_cast<std::uint8_t>(1U << below(4));
        while (inst.width > pointer->present);
        inst.imm = below(std::min<std::uint64_t>(3, pointer->present - inst.width + 1));
        inst.order = chance(70) ? Order::big : Order::little;
        return inst;
    }

    void load()
    {
        if (auto inst = packet_access()) {
            inst->op = Op::load;
            emit(*inst);
        }
    }

    void store_packet()
    {
        if (auto inst = packet_access()) {
            inst->op = Op::store_packet;
            inst->b = number();
            block_->insts.push_back(*inst);
        }
    }

    void side_effect()
    {
        Inst inst;
        switch (below(7)) {
        case 0: return adjust();
        case 1:
            if (chance(80))
                return;
            inst.op = Op::tail_call;
            inst.map = MapId(7);
            inst.imm = below(4);
            block_->insts.push_back(inst);
            return forget_packet();
        case 2:
            inst.op = chance(30) ? Op::now : chance(50) ? Op::cpu : Op::random;
            emit(inst);
            return;
        case 3:
            inst.op = Op::map_value;
            inst.map = MapId(4);
            inst.imm = 8 * below(2);
            emit(inst);
            scope_.back().present = 1;
            return;
        case 4:
            inst.op = Op::erase;
            inst.key = SlotId(0);
            inst.map = MapId(3);
            store(SlotId(0), 4, 0);
            return with_status(inst);
        default:
            inst.op = chance(60) ? Op::push_value : Op::peek;
            inst.map = inst.op == Op::peek ? MapId(5) : MapId(5 + below(2));
            inst.value = SlotId(1 + below(2));
            store(inst.value, 8, 0);
            return with_status(inst);
        }
    }

    void with_status(Inst inst)
    {
        if (has_result(inst.op) || chance(50))
            emit(inst);
        else
            block_->insts.push_back(inst);
    }

    void adjust()
    {
        constexpr std::array<std::uint64_t, 6> ways{4, UINT64_MAX - 3, 8, UINT64_MAX - 7, 1, 0};
        Inst way;
        way.imm = ways[below(ways.size())];
        Inst inst;
        inst.op = chance(40) ? Op::adjust_head : chance(50) ? Op::adjust_tail : Op::adjust_meta;
        inst.a = chance(90) ? emit(way) : number();
        with_status(inst);
        forget_packet();
    }

    void forget_packet()
    {
        std::erase_if(scope_, [&](const Known &known) {
            const ValueKind kind = program_.values[known.value].kind;
            return kind == ValueKind::packet || kind == ValueKind::packet_end || kind == ValueKind::meta;
        });
        emit(Op::packet_start);
        emit(Op::packet_end);
        if (chance(50))
            emit(Op::meta_start);
    }

    void slot_access()
    {
        Inst inst;
        store(SlotId(1), 8, 0);
        if (chance(30)) {
            inst.op = Op::rx_meta;
            inst.rx = static_cast<RxMeta>(below(3));
            inst.value = SlotId(1);
            with_status(inst);
            inst = {};
        }
        inst.op = Op::load_slot;
        inst.key = SlotId(1);
        inst.width = static_cast<std::uint8_t>(1U << below(4));
        inst.imm = chance(50) ? 8U - inst.width : 0;
        inst.order = chance(50) ? Order::big : Order::little;
        emit(inst);
    }

    void arithmetic()
    {
        constexpr std::array ops{Op::add,    Op::sub,     Op::mul, Op::div, Op::mod, Op::bit_and,   Op::bit_and,
                                 Op::bit_or, Op::bit_xor, Op::shl, Op::shr, Op::neg, Op::complement};
        Inst inst;
        inst.op = ops[below(ops.size())];
        inst.a = number();
        if (shape_of(inst.op) == Shape::binary) {
            inst.b = number();
            const bool picky = inst.op == Op::div || inst.op == Op::mod || inst.op == Op::shl || inst.op == Op::shr;
            if (picky && is_constant(inst.b)) { // the verifier refuses some constants here
                Inst three;
                three.imm = 1 + below(8);
                inst.b = emit(three);
            }
        }
        emit(inst);
    }

    bool is_constant(ValueId value) const
    {
        for (const Block &block : program_.blocks)
            for (const Inst &inst : block.insts)
                if (inst.result == value)
                    return inst.op == Op::constant;
        return false;
    }

    void pointer()
    {
        const Known *const base = pick(ValueKind::packet, 40);
        if (base == nullptr || chance(30)) {
            emit(Op::packet_start);
            return;
        }
        Inst inst;
        inst.a = base->value;
        if (chance(25)) {
            inst.op = Op::rebase;
            inst.b = emit(Op::packet_start);
            inst.imm = 63;
        } else {
            Inst mask;
            mask.imm = 7;
            Inst masked;
            masked.op = Op::bit_and;
            masked.a = number();
            masked.b = emit(mask);
            inst.op = Op::offset;
            inst.b = emit(masked);
            inst.imm = 7;
        }
        emit(inst);
    }

    void store(SlotId slot, unsigned width, unsigned at)
    {
        Inst inst;
        inst.op = Op::store_slot;
        inst.a = number();
        inst.key = slot;
        inst.width = static_cast<std::uint8_t>(width);
        inst.imm = at;
        inst.order = chance(50) ? Order::big : Order::little;
        block_->insts.push_back(inst);
    }

    void map_access()
    {
        if (const Known *const value = pick(ValueKind::map_value, UINT64_MAX, 1); value != nullptr && chance(70)) {
            Inst inst;
            inst.a = value->value;
            inst.op = chance(40) ? Op::load_map : chance(50) ? Op::store_map : Op::atomic_add;
            if (inst.op == Op::load_map) {
                emit(inst);
                return;
            }
            inst.b = number();
            block_->insts.push_back(inst);
            return;
        }
        Inst inst;
        inst.op = Op::lookup;
        inst.map = MapId(1 + below(3));
        if (inst.map == MapId(2)) {
            inst.key = SlotId(1);
            store(SlotId(1), 4, 0);
            store(SlotId(1), 4, 4);
        } else {
            inst.key = SlotId(0);
            if (chance(50)) {
                store(SlotId(0), 4, 0);
            } else {
                store(SlotId(0), 2, 0);
                store(SlotId(0), 2, 2);
            }
        }
        if (chance(40)) {
            store(SlotId(2), 8, 0);
            if (inst.map == MapId(1)) {
                emit(inst); // its values have 16 bytes, more than the slot
                return;
            }
            inst.op = Op::update;
            inst.value = SlotId(2);
            inst.imm = below(3);
            with_status(inst);
            return;
        }
        emit(inst);
    }

    void other()
    {
        Inst inst;
        switch (below(3)) {
        case 0:
            inst.op = Op::context;
            inst.field = static_cast<ContextField>(below(3));
            break;
        case 1: inst.op = Op::packet_length; break;
        case 2:
            inst.op = Op::redirect;
            inst.map = MapId(0);
            inst.a = number();
            inst.imm = below(4);
            break;
        }
        emit(inst);
    }

    // ---- How blocks end -------------------------------------------------------------------------------------------

    void finish(BlockId id)
    {
        Terminator &end = block_->end;
        end.span = {FileId(0), id.value, id.value + 1};
        const std::size_t later = program_.blocks.size() - id.value - 1;
        if (later == 0 || chance(10)) {
            end.kind = Terminator::Kind::return_;
            if (chance(60))
                end.a = number();
            else
                end.imm = below(5);
            return;
        }
        const Known *const pointer = pick(ValueKind::packet);
        const Known *const packet_end = pick(ValueKind::packet_end);
        const Known *const value = pick(ValueKind::map_value);
        const Known *const meta = pick(ValueKind::meta);
        const Known *const start = pick(ValueKind::packet, 0);
        if (meta != nullptr && start != nullptr && chance(70)) {
            end.kind = Terminator::Kind::guard;
            end.a = meta->value;
            end.b = start->value;
            end.imm = below(9);
        } else if (pointer != nullptr && packet_end != nullptr && chance(50)) {
            end.kind = Terminator::Kind::guard;
            end.a = pointer->value;
            end.b = packet_end->value;
            end.imm = below(21);
        } else if (value != nullptr && chance(60)) {
            end.kind = Terminator::Kind::branch;
            end.a = value->value;
            end.cond = chance(50) ? Cond::eq : Cond::ne;
        } else if (chance(75)) {
            branch(end);
        } else {
            end.kind = Terminator::Kind::jump;
        }
        std::size_t which = 0;
        const bool alike = chance(15);
        for_each_edge(end, [&](Edge &edge) {
            if (which == 1 && alike)
                edge.target = end.edges[0].target;
            else
                edge.target = BlockId(id.value + 1 + below(std::min<std::size_t>(later, 3)));
            ++which;
        });
        which = 0;
        for_each_edge(end, [&](Edge &edge) { pass_on(end, edge, which++); });
    }

    void branch(Terminator &end)
    {
        end.kind = Terminator::Kind::branch;
        end.a = number();
        end.cond = static_cast<Cond>(below(8));
        constexpr std::array<std::uint64_t, 8> interesting{0, 1, 2, 0x800, 0xff, 0x102, 0xffff, 0x10000};
        if (chance(70))
            end.imm = interesting[below(interesting.size())];
        else
            end.b = number();
    }

    void pass_on(const Terminator &end, Edge &edge, std::size_t which)
    {
        for (const ValueId param : program_.blocks[edge.target].params) {
            const bool packet = program_.values[param].kind == ValueKind::packet;
            const Known *const known = packet ? pick(ValueKind::packet, 40) : pick(ValueKind::number);
            edge.args.push_back(known != nullptr ? known->value : packet ? emit(Op::packet_start) : constant());
        }
        Scope there = scope_;
        for (Known &known : there) {
            if (known.value != end.a)
                continue;
            if (end.kind == Terminator::Kind::guard && which == 0)
                known.present = std::max(known.present, end.imm);
            if (program_.values[end.a].kind == ValueKind::map_value && (which == 1) == (end.cond == Cond::eq))
                known.present = 1;
        }
        const auto &params = program_.blocks[edge.target].params;
        for (std::size_t i = 0; i < params.size(); ++i)
            there.push_back({params[i], find(there, edge.args[i])->present});
        incoming_[edge.target].push_back(std::move(there));
    }

    std::mt19937 random_;
    Module module_;
    Program program_;
    Block *block_ = nullptr;
    Scope scope_;
    IdVector<BlockId, std::vector<Scope>> incoming_;
};

} // namespace xdpf::ir
