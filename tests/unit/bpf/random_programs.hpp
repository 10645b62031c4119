// Random programs of the IR, right by construction: guards before loads, bounded distances, maps, calls, many live
// values, edges that set parameters.
#pragma once

#include "compiler/ir/traits.hpp"

#include <algorithm>
#include <bit>
#include <random>

namespace xdpf::testing {
namespace random_detail {

using namespace ir;

inline constexpr std::uint64_t furthest =
    4000; // bytes from the packet's start, so that guards stay far from the kernel's limit

inline MapSpec map(std::string name, MapKind kind, std::uint32_t key, std::uint32_t value, std::uint32_t entries)
{
    MapSpec spec;
    spec.name = std::move(name);
    spec.kind = kind;
    spec.key.size = key;
    spec.value.size = value;
    spec.max_entries = entries;
    return spec;
}

class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed) { branches_left_ = 3 + below(9); }

    Program run()
    {
        program_.name = "random";
        at_ = program_.blocks.add({});
        State state;
        ask_for_packet(state);
        for (std::uint64_t i = 1 + below(4); i > 0; --i)
            state.numbers.push_back(constant(odd_number() | 1)); // not a divisor of 0
        state.numbers.push_back(emit(Op::context));
        if (sequence(state, 3))
            give_back(state);
        fail_block();
        return std::move(program_);
    }

private:
    struct Pointer {
        ValueId value;
        std::uint64_t guarded = 0; // bytes behind it
    };
    struct State {
        std::vector<ValueId> numbers;
        std::vector<Pointer> pointers;
        std::vector<ValueId> values; // of maps
        ValueId end;
        std::uint64_t moves = 0; // which of all operations that move the packet's ends was the last
    };

    std::uint64_t below(std::uint64_t limit) { return random_() % limit; }
    template <class T> T &pick(std::vector<T> &items) { return items[below(items.size())]; }
    ValueId any(State &state) { return pick(state.numbers); }

    ValueId add(Inst inst)
    {
        if (has_result(inst.op)) {
            inst.result = program_.add_value(result_kind(inst.op));
            program_.values[inst.result].max = natural_max(program_, inst);
        }
        program_.blocks[at_].insts.push_back(inst);
        return inst.result;
    }
    ValueId emit(Op op, ValueId a = {}, ValueId b = {}, std::uint64_t imm = 0)
    {
        Inst inst;
        inst.op = op;
        inst.a = a;
        inst.b = b;
        inst.imm = imm;
        if (op == Op::context && below(2) == 0)
            inst.field = ContextField::ingress_ifindex;
        return add(inst);
    }
    std::uint64_t odd_number()
    {
        static constexpr std::uint64_t edges[] = {0,           1,
                                                  2,           255,
                                                  256,         0x7fffffff,
                                                  0x80000000,  0xffffffff,
                                                  0x100000000, 0xffffffff80000000,
                                                  UINT64_MAX,  0x123456789abcdef0,
                                                  63,          0x8000};
        return below(2) == 0 ? edges[below(std::size(edges))] : below(300);
    }
    ValueId constant(std::uint64_t imm) { return emit(Op::constant, {}, {}, imm); }
    ValueId number() { return constant(odd_number()); }
    std::uint8_t width() { return static_cast<std::uint8_t>(1U << below(4)); }
    Order order(std::uint8_t bytes) { return bytes > 1 && below(3) != 0 ? Order::big : Order::little; }

    void calculate(State &state)
    {
        static constexpr Op ops[] = {Op::add, Op::sub, Op::mul, Op::bit_and, Op::bit_or, Op::bit_xor, Op::div, Op::mod};
        if (below(8) == 0)
            return state.numbers.push_back(emit(below(2) == 0 ? Op::neg : Op::complement, any(state)));
        if (below(4) == 0)
            return state.numbers.push_back(emit(below(2) == 0 ? Op::shl : Op::shr, any(state), constant(below(64))));
        const Op op = ops[below(std::size(ops))];
        const ValueId a = below(6) == 0 ? number() : any(state);
        if (below(2) == 0)
            return state.numbers.push_back(emit(op, a, any(state)));
        const std::uint64_t right = odd_number();
        const bool divides = op == Op::div || op == Op::mod;
        state.numbers.push_back(emit(op, a, constant(divides && right == 0 ? 7 : right)));
    }

    void load(State &state)
    {
        Inst inst;
        inst.op = Op::load;
        inst.width = width();
        inst.order = order(inst.width);
        const Pointer &from = pick(state.pointers);
        if (from.guarded < inst.width)
            return;
        inst.a = from.value;
        inst.imm = below(from.guarded - inst.width + 1);
        if (below(3) == 0) {
            inst.op = Op::store_packet;
            inst.b = below(3) == 0 ? number() : any(state);
            add(inst);
        } else {
            state.numbers.push_back(add(inst));
        }
    }

    void move(State &state)
    {
        static constexpr std::uint64_t masks[] = {3, 7, 15, 60, 63, 255};
        const ValueId from = pick(state.pointers).value;
        if (program_.values[from].max > furthest)
            return;
        if (below(4) == 0)
            return state.pointers.push_back(
                {emit(Op::rebase, from, emit(Op::packet_start), std::bit_ceil(program_.values[from].max + 2) - 1), 0});
        if (below(3) == 0) {
            const std::uint64_t way = below(60);
            return state.pointers.push_back({emit(Op::offset, from, constant(way), way), 0});
        }
        const std::uint64_t mask = masks[below(std::size(masks))];
        ValueId way = emit(Op::bit_and, any(state), constant(mask));
        state.pointers.push_back({emit(Op::offset, from, way, mask), 0});
    }

    // The status is wanted, or not.
    void add_with_status(State &state, Inst inst)
    {
        if (below(2) == 0) {
            inst.result = program_.add_value(ValueKind::number);
            state.numbers.push_back(inst.result);
        }
        program_.blocks[at_].insts.push_back(inst);
    }
    void ask_for_packet(State &state)
    {
        state.end = emit(Op::packet_end);
        state.pointers.assign(1, {emit(Op::packet_start), 0});
    }
    void adjust(State &state)
    {
        static constexpr Op ops[] = {Op::adjust_head, Op::adjust_tail, Op::adjust_meta};
        Inst inst;
        inst.op = ops[below(std::size(ops))];
        inst.a = below(2) == 0 ? constant(below(40) - 20) : any(state);
        add_with_status(state, inst);
        state.moves = ++moves_;
        ask_for_packet(state);
        if (below(2) == 0)
            state.numbers.push_back(emit(Op::packet_length));
    }

    void map_value(State &state)
    {
        if (state.values.empty())
            return;
        Inst inst;
        inst.a = pick(state.values);
        inst.width = width();
        inst.imm = below(16 / inst.width) * inst.width;
        switch (below(3)) {
        case 0:
            inst.op = Op::load_map;
            inst.order = order(inst.width);
            return state.numbers.push_back(add(inst));
        case 1:
            inst.op = Op::store_map;
            inst.order = order(inst.width);
            break;
        default:
            inst.op = Op::atomic_add;
            inst.width = below(2) == 0 ? 4 : 8;
            inst.imm = inst.imm / 8 * 8;
        }
        inst.b = below(3) == 0 ? number() : any(state);
        add(inst);
    }

    void store(SlotId slot, std::uint64_t off, std::uint8_t bytes, ValueId value)
    {
        Inst inst;
        inst.op = Op::store_slot;
        inst.key = slot;
        inst.imm = off;
        inst.width = bytes;
        inst.order = order(bytes);
        inst.a = value;
        add(inst);
    }
    SlotId key(State &state, MapId which)
    {
        const SlotId slot = program_.slots.add({which.value == 1 ? 4U : 8U});
        const ValueId index = below(3) == 0 ? constant(below(6)) : emit(Op::bit_and, any(state), constant(7));
        store(slot, 0, 4, index);
        if (which.value == 2)
            for (std::uint64_t off = 4; off < 8; off += 2)
                store(slot, off, 2, constant(off));
        return slot;
    }
    void update(State &state)
    {
        Inst inst;
        inst.op = Op::update;
        inst.map = MapId(1 + below(2));
        inst.key = key(state, inst.map);
        inst.value = program_.slots.add({16});
        store(inst.value, 0, 8, any(state));
        store(inst.value, 8, 8, below(2) == 0 ? number() : any(state));
        inst.imm = below(3);
        add_with_status(state, inst);
        load_slot(state, inst.value);
    }
    void load_slot(State &state, SlotId slot)
    {
        Inst inst;
        inst.op = Op::load_slot;
        inst.key = slot;
        inst.width = width();
        inst.order = order(inst.width);
        inst.imm = below(16 / inst.width) * inst.width;
        state.numbers.push_back(add(inst));
    }
    void redirect(State &state)
    {
        Inst inst;
        inst.op = Op::redirect;
        inst.map = MapId(0);
        inst.a = below(2) == 0 ? constant(below(70)) : any(state);
        inst.imm = below(4);
        state.numbers.push_back(add(inst));
    }

    // Gives the block's end a question; what is known if the answer is yes goes into `yes`.
    void ask(State &state, State &yes, Terminator &end)
    {
        const std::uint64_t kind = below(5);
        if (kind < 2) {
            const std::size_t index = below(state.pointers.size());
            end.kind = Terminator::Kind::guard;
            end.a = state.pointers[index].value;
            end.b = state.end;
            end.imm = state.pointers[index].guarded + below(24);
            yes = state;
            yes.pointers[index].guarded = end.imm;
            return;
        }
        end.kind = Terminator::Kind::branch;
        if (kind == 2) {
            Inst inst;
            inst.op = Op::lookup;
            inst.map = MapId(1 + below(2));
            inst.key = key(state, inst.map);
            end.a = add(inst);
            end.cond = Cond::ne;
            yes = state;
            yes.values.push_back(end.a);
            return;
        }
        end.cond = static_cast<Cond>(below(8));
        end.a = any(state);
        if (below(3) == 0)
            end.b = any(state);
        else
            end.imm = odd_number();
        yes = state;
    }

    BlockId begin_block()
    {
        at_ = program_.blocks.add({});
        return at_;
    }

    // The block ends here; false: nothing comes behind.
    bool split(State &state, unsigned depth)
    {
        Terminator end;
        State yes;
        ask(state, yes, end);
        const BlockId from = at_;
        const bool no_is_failure = below(3) == 0;
        if (no_is_failure)
            failures_.push_back({from, 1, any(state)});
        const bool no_is_empty = !no_is_failure && below(3) == 0;

        end.edges[0].target = begin_block();
        const bool yes_goes_on = sequence(yes, depth);
        const BlockId yes_end = at_;
        if (no_is_failure) {
            program_.blocks[from].end = end;
            if (yes_goes_on)
                state = yes;
            return yes_goes_on;
        }
        State no = state;
        bool no_goes_on = true;
        BlockId no_end = from;
        if (!no_is_empty) {
            end.edges[1].target = begin_block();
            no_goes_on = sequence(no, depth);
            no_end = at_;
        }
        program_.blocks[from].end = end;
        if (!yes_goes_on && !no_goes_on)
            return false;
        join(state, yes_goes_on ? &yes : nullptr, yes_end, no_goes_on ? &no : nullptr, no_end, no_is_empty);
        return true;
    }

    void join(State &state, State *yes, BlockId yes_end, State *no, BlockId no_end, bool direct)
    {
        const BlockId joint = begin_block();
        Edge from_yes{joint, {}};
        Edge from_no{joint, {}};
        for (std::uint64_t i = below(4); i > 0; --i) {
            from_yes.args.push_back(yes != nullptr ? any(*yes) : ValueId{});
            from_no.args.push_back(no != nullptr ? any(*no) : ValueId{});
            const ValueId param = program_.add_value(ValueKind::number);
            program_.blocks[joint].params.push_back(param);
            state.numbers.push_back(param);
        }
        const auto moved = [&](const State *side) { return side != nullptr && side->moves != state.moves; };
        const bool anew = moved(yes) || moved(no);
        if (!anew && below(3) == 0) {
            std::uint64_t far = 0;
            const auto pass = [&](State *side, Edge &edge) {
                edge.args.push_back(side != nullptr ? pick(side->pointers).value : ValueId{});
                far = side != nullptr ? std::max(far, program_.values[edge.args.back()].max) : far;
            };
            pass(yes, from_yes);
            pass(no, from_no);
            const ValueId param = program_.add_value(ValueKind::packet, far);
            program_.blocks[joint].params.push_back(param);
            state.pointers.push_back({param, 0});
        }
        if (anew) {
            state.moves = ++moves_;
            ask_for_packet(state);
        }
        if (yes != nullptr)
            go(yes_end, from_yes);
        if (no != nullptr && direct)
            program_.blocks[no_end].end.edges[1] = from_no;
        else if (no != nullptr)
            go(no_end, from_no);
    }
    void go(BlockId from, const Edge &edge)
    {
        program_.blocks[from].end.kind = Terminator::Kind::jump;
        program_.blocks[from].end.edges[0] = edge;
    }

    bool sequence(State &state, unsigned depth)
    {
        for (std::uint64_t i = 2 + below(10); i > 0; --i) {
            switch (below(10)) {
            case 0:
            case 1: calculate(state); break;
            case 2:
            case 3: load(state); break;
            case 4: move(state); break;
            case 5: map_value(state); break;
            case 9: below(2) == 0 ? adjust(state) : load(state); break;
            case 6: below(2) == 0 ? update(state) : redirect(state); break;
            default:
                if (depth > 0 && branches_left_ > 0) {
                    --branches_left_;
                    if (!split(state, depth - 1))
                        return false;
                }
            }
        }
        if (depth == 3 || below(6) != 0)
            return true;
        give_back(state);
        return false;
    }

    // Returns a number that most of what is alive went into.
    void give_back(State &state)
    {
        ValueId sum = number();
        if (below(4) != 0)
            for (const ValueId value : state.numbers)
                sum = emit(below(2) == 0 ? Op::add : Op::bit_xor, emit(Op::mul, sum, constant(31)), value);
        Terminator &end = program_.blocks[at_].end;
        end.kind = Terminator::Kind::return_;
        if (below(5) == 0)
            end.imm = below(5);
        else
            end.a = sum;
    }

    void fail_block()
    {
        if (failures_.empty())
            return;
        const BlockId failed = begin_block();
        const ValueId param = program_.add_value(ValueKind::number);
        program_.blocks[failed].params.push_back(param);
        for (const Failure &failure : failures_)
            program_.blocks[failure.from].end.edges[failure.edge] = {failed, {failure.arg}};
        program_.blocks[failed].end.kind = Terminator::Kind::return_;
        program_.blocks[failed].end.a = param;
    }

    struct Failure {
        BlockId from;
        unsigned edge;
        ValueId arg;
    };

    std::mt19937_64 random_;
    Program program_;
    BlockId at_;
    std::vector<Failure> failures_;
    std::uint64_t branches_left_;
    std::uint64_t moves_ = 0;
};

} // namespace random_detail

// The same for the same seed. Its maps: 0 an xskmap, 1 an array of 4, 2 a hash of 64; values of 16 bytes.
inline ir::Module random_module(std::uint64_t seed)
{
    ir::Module module;
    module.maps.push_back(random_detail::map("xsks", MapKind::xskmap, 4, 4, 64));
    module.maps.push_back(random_detail::map("elements", MapKind::array, 4, 16, 4));
    module.maps.push_back(random_detail::map("entries", MapKind::hash, 8, 16, 64));
    module.programs.push_back(random_detail::Generator(seed).run());
    return module;
}

} // namespace xdpf::testing
