// The classic program is walked once, from front to back. What A, X and the cells of memory hold is kept as a value for
// each; where ways meet and disagree about one that is still read, it becomes a parameter of the block there.
//
// All values stay below 2^32: what could grow out of that is masked.
#include "compiler/lower/pcap.hpp"
#include "compiler/base/limits.hpp"

#include <linux/filter.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cassert>
#include <optional>
#include <unordered_set>

namespace xdpf::lowering {
namespace {

constexpr std::size_t cell_a = 0;
constexpr std::size_t cell_x = 1;
constexpr std::size_t first_memory = 2;
constexpr std::size_t cells = first_memory + BPF_MEMWORDS;
constexpr std::uint64_t word = UINT32_MAX;
constexpr std::uint64_t longest_msh = 60; // 4 * 15

using Live = std::bitset<cells>;
using Cells = std::array<ir::ValueId, cells>; // none: never read again

std::size_t memory(const pcap::Instruction &insn) { return first_memory + insn.k; }
bool uses_x(const pcap::Instruction &insn) { return BPF_SRC(insn.code) == BPF_X; }

// Which cell an instruction writes.
std::optional<std::size_t> written(const pcap::Instruction &insn)
{
    switch (BPF_CLASS(insn.code)) {
    case BPF_LD:
    case BPF_ALU: return cell_a;
    case BPF_LDX: return cell_x;
    case BPF_ST:
    case BPF_STX: return memory(insn);
    case BPF_MISC: return BPF_MISCOP(insn.code) == BPF_TAX ? cell_x : cell_a;
    default: return std::nullopt;
    }
}

Live read(const pcap::Instruction &insn)
{
    Live out;
    switch (BPF_CLASS(insn.code)) {
    case BPF_LD:
    case BPF_LDX:
        if (BPF_MODE(insn.code) == BPF_MEM)
            out.set(memory(insn));
        if (BPF_MODE(insn.code) == BPF_IND)
            out.set(cell_x);
        break;
    case BPF_ST: out.set(cell_a); break;
    case BPF_STX: out.set(cell_x); break;
    case BPF_ALU:
        out.set(cell_a);
        out.set(cell_x, uses_x(insn) && BPF_OP(insn.code) != BPF_NEG);
        break;
    case BPF_JMP:
        if (BPF_OP(insn.code) != BPF_JA)
            out.set(cell_a).set(cell_x, uses_x(insn));
        break;
    case BPF_RET: out.set(cell_a, BPF_RVAL(insn.code) == BPF_A); break;
    case BPF_MISC: out.set(BPF_MISCOP(insn.code) == BPF_TAX ? cell_a : cell_x); break;
    default: break;
    }
    return out;
}

// The instructions that can come next: their numbers, two at most.
std::vector<std::size_t> successors(const pcap::Instruction &insn, std::size_t at)
{
    if (BPF_CLASS(insn.code) == BPF_RET)
        return {};
    if (BPF_CLASS(insn.code) != BPF_JMP)
        return {at + 1};
    if (BPF_OP(insn.code) == BPF_JA)
        return {at + 1 + insn.k};
    return {at + 1 + insn.jt, at + 1 + insn.jf};
}

ir::Op op_of(std::uint16_t code)
{
    switch (BPF_OP(code)) {
    case BPF_ADD: return ir::Op::add;
    case BPF_SUB: return ir::Op::sub;
    case BPF_MUL: return ir::Op::mul;
    case BPF_DIV: return ir::Op::div;
    case BPF_MOD: return ir::Op::mod;
    case BPF_AND: return ir::Op::bit_and;
    case BPF_OR: return ir::Op::bit_or;
    case BPF_XOR: return ir::Op::bit_xor;
    case BPF_LSH: return ir::Op::shl;
    default: return ir::Op::shr;
    }
}

ir::Cond cond_of(std::uint16_t code)
{
    switch (BPF_OP(code)) {
    case BPF_JEQ: return ir::Cond::eq;
    case BPF_JGT: return ir::Cond::gt;
    case BPF_JGE: return ir::Cond::ge;
    default: return ir::Cond::set;
    }
}

class Translation {
public:
    Translation(std::span<const pcap::Instruction> code, const PcapSite &site, const ir::Edge &yes, const ir::Edge &no)
        : code_(code), program_(site.program), block_(site.block), packet_start_(site.packet_start),
          packet_end_(site.packet_end), length_(site.length), span_(site.span), yes_(yes), no_(no),
          live_(code.size() + 1), joins_(code.size())
    {
        for (std::size_t i = code.size(); i-- > 0;) {
            for (const std::size_t next : successors(code[i], i))
                live_[i] |= live_[next];
            if (const auto cell = written(code[i]))
                live_[i].reset(*cell);
            live_[i] |= read(code[i]);
        }
    }

    void run()
    {
        for (std::size_t cell = 0; cell < cells; ++cell)
            if (live_[0].test(cell))
                now_[cell] = constant(0);
        for (std::size_t i = 0; i < code_.size(); ++i) {
            if (!joins_[i].ways.empty())
                arrive(i);
            if (block_.valid())
                step(code_[i], i);
        }
    }

private:
    // The ways to an instruction that is jumped to.
    struct Way {
        ir::BlockId from;
        std::size_t edge = 0;
        Cells held;
    };
    struct Join {
        ir::BlockId block;
        std::vector<Way> ways;
    };

    // ---- Blocks ---------------------------------------------------------------------------------------------------

    // An edge from the current block to an instruction; `edge` is its number there.
    ir::Edge leave_for(std::size_t target, std::size_t edge)
    {
        Join &join = joins_[target];
        if (!join.block.valid())
            join.block = program_.blocks.add({});
        join.ways.push_back({block_, edge, now_});
        return {join.block, {}};
    }

    void arrive(std::size_t at)
    {
        if (block_.valid())
            end({.kind = ir::Terminator::Kind::jump, .edges = {leave_for(at, 0), {}}, .span = span_});
        Join &join = joins_[at];
        now_ = {};
        for (std::size_t cell = 0; cell < cells; ++cell)
            if (live_[at].test(cell))
                now_[cell] = met(join, cell);
        block_ = join.block;
    }

    // The value of a cell where ways meet.
    ir::ValueId met(Join &join, std::size_t cell)
    {
        const ir::ValueId first = join.ways.front().held[cell];
        if (std::ranges::all_of(join.ways, [&](const Way &way) { return way.held[cell] == first; }))
            return first;
        const ir::ValueId param = program_.add_value(ir::ValueKind::number, word);
        program_.blocks[join.block].params.push_back(param);
        bool short_distance = true;
        for (const Way &way : join.ways) {
            program_.blocks[way.from].end.edges[way.edge].args.push_back(way.held[cell]);
            short_distance = short_distance && is_msh(way.held[cell]);
        }
        if (short_distance)
            msh_.insert(param.value);
        return param;
    }

    void end(ir::Terminator terminator)
    {
        program_.blocks[block_].end = std::move(terminator);
        block_ = {};
    }

    // Goes on in a new block where the condition holds, and says no where it does not.
    void only_if(ir::Terminator terminator)
    {
        const auto next = program_.blocks.add({});
        terminator.edges = {ir::Edge{next, {}}, no_};
        terminator.span = span_;
        end(std::move(terminator));
        block_ = next;
    }

    void answer(const ir::Edge &edge) { end({.kind = ir::Terminator::Kind::jump, .edges = {edge, {}}, .span = span_}); }

    // ---- Instructions ---------------------------------------------------------------------------------------------

    ir::Inst &inst(ir::Op op, ir::ValueKind kind = ir::ValueKind::number, std::uint64_t max = word)
    {
        ir::Inst made;
        made.op = op;
        made.span = span_;
        made.result = program_.add_value(kind, max);
        auto &insts = program_.blocks[block_].insts;
        insts.push_back(made);
        return insts.back();
    }

    ir::ValueId constant(std::uint64_t value)
    {
        ir::Inst &made = inst(ir::Op::constant, ir::ValueKind::number, value);
        made.imm = value;
        return made.result;
    }

    ir::ValueId binary(ir::Op op, ir::ValueId a, ir::ValueId b, std::uint64_t max = word)
    {
        ir::Inst &made = inst(op, ir::ValueKind::number, max);
        made.a = a;
        made.b = b;
        return made.result;
    }

    bool is_msh(ir::ValueId value) const { return value.valid() && msh_.contains(value.value); }

    void step(const pcap::Instruction &insn, std::size_t at)
    {
        switch (BPF_CLASS(insn.code)) {
        case BPF_LD:
        case BPF_LDX: load(insn); break;
        case BPF_ST: now_[memory(insn)] = now_[cell_a]; break;
        case BPF_STX: now_[memory(insn)] = now_[cell_x]; break;
        case BPF_ALU: compute(insn); break;
        case BPF_JMP: jump(insn, at); break;
        case BPF_RET: finish(insn); break;
        default: {
            const bool to_x = BPF_MISCOP(insn.code) == BPF_TAX;
            now_[to_x ? cell_x : cell_a] = now_[to_x ? cell_a : cell_x];
        }
        }
    }

    void load(const pcap::Instruction &insn)
    {
        ir::ValueId &into = now_[BPF_CLASS(insn.code) == BPF_LD ? cell_a : cell_x];
        const std::uint8_t width = BPF_SIZE(insn.code) == BPF_W ? 4 : BPF_SIZE(insn.code) == BPF_H ? 2 : 1;
        switch (BPF_MODE(insn.code)) {
        case BPF_IMM: into = constant(insn.k); break;
        case BPF_LEN: into = inst(length_).result; break;
        case BPF_MEM: into = now_[memory(insn)]; break;
        case BPF_ABS: into = bytes(packet_start_, insn.k, width); break;
        case BPF_IND: into = bytes_behind_x(insn.k, width); break;
        default: // BPF_MSH
            into = bytes(packet_start_, insn.k, 1);
            if (!block_.valid())
                return;
            into = binary(ir::Op::bit_and, into, constant(0xf), 0xf);
            into = binary(ir::Op::shl, into, constant(2), longest_msh);
            msh_.insert(into.value);
        }
    }

    // A number from the packet. Where no packet has the bytes the way ends, and there is no value.
    ir::ValueId bytes(ir::ValueId from, std::uint64_t offset, std::uint8_t width)
    {
        const std::uint64_t reach = program_.values[from].max + offset + width;
        if (reach > max_packet_offset) {
            answer(no_);
            return {};
        }
        only_if({.kind = ir::Terminator::Kind::guard, .a = from, .b = packet_end_, .imm = offset + width});
        ir::Inst &made = inst(ir::Op::load, ir::ValueKind::number, word >> (32 - 8 * width));
        made.a = from;
        made.imm = offset;
        made.width = width;
        made.order = ir::Order::big;
        return made.result;
    }

    // X can be any number: one that leads out of every packet is sorted out first, which also bounds the distance.
    ir::ValueId bytes_behind_x(std::uint64_t offset, std::uint8_t width)
    {
        const ir::ValueId distance = now_[cell_x];
        if (offset + width > max_packet_offset) {
            answer(no_);
            return {};
        }
        std::uint64_t most = longest_msh;
        if (!is_msh(distance) || longest_msh + offset + width > max_packet_offset) {
            most = max_packet_offset - offset - width;
            only_if({.kind = ir::Terminator::Kind::branch, .cond = ir::Cond::le, .a = distance, .imm = most});
        }
        ir::Inst &made = inst(ir::Op::offset, ir::ValueKind::packet, most);
        made.a = packet_start_;
        made.b = distance;
        made.imm = most;
        return bytes(made.result, offset, width);
    }

    void compute(const pcap::Instruction &insn)
    {
        ir::ValueId &a = now_[cell_a];
        if (BPF_OP(insn.code) == BPF_NEG) {
            ir::Inst &made = inst(ir::Op::neg, ir::ValueKind::number, UINT64_MAX);
            made.a = a;
            a = binary(ir::Op::bit_and, made.result, constant(word));
            return;
        }
        const ir::Op op = op_of(insn.code);
        const ir::ValueId b = uses_x(insn) ? now_[cell_x] : constant(insn.k);
        switch (op) {
        case ir::Op::div:
        case ir::Op::mod:
            if (uses_x(insn))
                only_if({.kind = ir::Terminator::Kind::branch, .cond = ir::Cond::ne, .a = b, .imm = 0});
            a = binary(op, a, b);
            break;
        case ir::Op::shl:
        case ir::Op::shr: a = uses_x(insn) ? shifted(op, a, b) : wrapped(op, a, b); break;
        default: a = wrapped(op, a, b);
        }
    }

    // What fits 32 bits, of an operation that may give more.
    ir::ValueId wrapped(ir::Op op, ir::ValueId a, ir::ValueId b)
    {
        const bool grows = op == ir::Op::add || op == ir::Op::sub || op == ir::Op::mul || op == ir::Op::shl;
        const ir::ValueId result = binary(op, a, b, grows ? UINT64_MAX : word);
        return grows ? binary(ir::Op::bit_and, result, constant(word)) : result;
    }

    // A shift by 32 and more leaves nothing.
    ir::ValueId shifted(ir::Op op, ir::ValueId a, ir::ValueId by)
    {
        const auto near = program_.blocks.add({});
        const auto behind = program_.blocks.add({});
        const auto result = program_.add_value(ir::ValueKind::number, word);
        program_.blocks[behind].params.push_back(result);
        const auto nothing = constant(0);
        end({.kind = ir::Terminator::Kind::branch,
             .cond = ir::Cond::lt,
             .a = by,
             .imm = 32,
             .edges = {ir::Edge{near, {}}, ir::Edge{behind, {nothing}}},
             .span = span_});
        block_ = near;
        answer({behind, {wrapped(op, a, by)}});
        block_ = behind;
        return result;
    }

    void jump(const pcap::Instruction &insn, std::size_t at)
    {
        if (BPF_OP(insn.code) == BPF_JA)
            return answer(leave_for(at + 1 + insn.k, 0));
        ir::Terminator made{.kind = ir::Terminator::Kind::branch, .cond = cond_of(insn.code), .span = span_};
        made.a = now_[cell_a];
        if (uses_x(insn))
            made.b = now_[cell_x];
        else
            made.imm = insn.k;
        made.edges = {leave_for(at + 1 + insn.jt, 0), leave_for(at + 1 + insn.jf, 1)};
        end(std::move(made));
    }

    void finish(const pcap::Instruction &insn)
    {
        if (BPF_RVAL(insn.code) != BPF_A)
            return answer(insn.k != 0 ? yes_ : no_);
        end({.kind = ir::Terminator::Kind::branch,
             .cond = ir::Cond::ne,
             .a = now_[cell_a],
             .edges = {yes_, no_},
             .span = span_});
    }

    std::span<const pcap::Instruction> code_;
    ir::Program &program_;
    ir::BlockId block_; // none: no way leads to the next instruction, as far as is known
    ir::ValueId packet_start_;
    ir::ValueId packet_end_;
    ir::Op length_;
    Span span_;
    const ir::Edge &yes_;
    const ir::Edge &no_;
    Cells now_;
    std::vector<Live> live_;                // by instruction: the cells that it or one behind it reads
    std::vector<Join> joins_;               // by instruction
    std::unordered_set<std::uint32_t> msh_; // values that are at most longest_msh, as the kernel can see
};

} // namespace

void lower_pcap(std::span<const pcap::Instruction> code, PcapSite site, const ir::Edge &yes, const ir::Edge &no)
{
    assert(!code.empty());
    Translation(code, site, yes, no).run();
}

} // namespace xdpf::lowering
