// In a loop, a row of comparisons of one value with constants: those that lead out of the loop come first. A chain of
// headers has no link in most packets.
//
//   b1: if %1 == 0x8100 ? link : b2          b1: if %1 == 0x800 ? out : b2
//   b2: if %1 == 0x800 ? out : other    →    b2: if %1 == 0x8100 ? link : other
//
// Comparisons that lead where all other values lead are left out, anywhere.
#include "compiler/passes/passes.hpp"
#include "compiler/passes/rewrite.hpp"

#include <algorithm>
#include <optional>

namespace xdpf::passes {
namespace {

using namespace ir;

struct Case {
    std::uint64_t number;
    Edge to;
    Span span;
};

class Ordering {
public:
    explicit Ordering(Program &program)
        : program_(program), incoming_(count_incoming(program)), stays_(blocks_in_loops(program))
    {
    }

    // Whether anything has changed.
    bool run()
    {
        IdSet<BlockId> done(program_.blocks.size());
        for (std::size_t i = 0; i < program_.blocks.size(); ++i)
            if (!done.contains(BlockId(i)))
                order(BlockId(i), done);
        return changed_;
    }

private:
    static bool compares(const Terminator &end, ValueId value)
    {
        return end.kind == Terminator::Kind::branch && end.a == value && !end.b.valid() &&
               (end.cond == Cond::eq || end.cond == Cond::ne);
    }

    void order(BlockId first, IdSet<BlockId> &done)
    {
        const ValueId value = program_.blocks[first].end.a;
        std::vector<BlockId> row;
        std::vector<Case> cases;
        Edge other{first, {}};
        for (BlockId at = first; compares(program_.blocks[at].end, value); at = other.target) {
            const Block &block = program_.blocks[at];
            if (at != first && (incoming_[at] != 1 || !block.params.empty() || !block.insts.empty()))
                break;
            const std::size_t equal = block.end.cond == Cond::eq ? 0 : 1;
            if (std::ranges::find(cases, block.end.imm, &Case::number) != cases.end())
                break; // is answered
            row.push_back(at);
            done.insert(at);
            cases.push_back({block.end.imm, block.end.edges[equal], block.end.span});
            other = block.end.edges[1 - equal];
        }
        if (row.size() > 1)
            order(row, cases, other);
    }

    void order(const std::vector<BlockId> &row, std::vector<Case> &cases, const Edge &other)
    {
        const auto leads_out = [&](const Case &one) { return !stays_.contains(one.to.target); };
        const bool needless = std::erase_if(cases, [&](const Case &one) { return same(one.to, other); }) != 0;
        const bool ordered = !stays_.contains(row.front()) || std::ranges::is_partitioned(cases, leads_out);
        if (!ordered)
            std::ranges::stable_partition(cases, leads_out);
        if (needless || !ordered)
            write(row, cases, other);
    }

    void write(const std::vector<BlockId> &row, const std::vector<Case> &cases, const Edge &other)
    {
        changed_ = true;
        for (std::size_t i = 0; i < cases.size(); ++i) {
            Terminator &end = program_.blocks[row[i]].end;
            end.imm = cases[i].number;
            end.span = cases[i].span;
            // The next comparison follows, the case is jumped to.
            end.cond = Cond::ne;
            end.edges[0] = i + 1 < cases.size() ? Edge{row[i + 1], {}} : other;
            end.edges[1] = cases[i].to;
        }
        if (cases.empty()) {
            program_.blocks[row.front()].end.edges[0] = other;
            decide(program_.blocks[row.front()].end, 0);
        }
    }

    Program &program_;
    IdVector<BlockId, std::uint32_t> incoming_;
    IdSet<BlockId> stays_; // in a loop
    bool changed_ = false;
};

} // namespace

void order_tests(Program &program)
{
    if (Ordering(program).run())
        put_in_order(program);
}

} // namespace xdpf::passes
