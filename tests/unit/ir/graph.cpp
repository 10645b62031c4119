#include "compiler/ir/graph.hpp"

#include <doctest/doctest.h>

#include <random>
#include <set>

using namespace xdpf;
using namespace xdpf::ir;

namespace {

// Blocks that jump and branch forward at random; near ones more often, so that chains become long.
Program random_program(std::mt19937 &random, std::size_t size)
{
    Program program;
    for (std::size_t i = 0; i < size; ++i) {
        Block block;
        const std::size_t left = size - i - 1;
        const auto any = [&] {
            const std::size_t near = random() % 4 == 0 ? left : std::min<std::size_t>(left, 3);
            return BlockId(i + 1 + random() % near);
        };
        block.end.kind = left == 0 || random() % 16 == 0 ? Terminator::Kind::return_
                         : random() % 3 == 0             ? Terminator::Kind::jump
                                                         : Terminator::Kind::branch;
        if (block.end.kind != Terminator::Kind::return_)
            block.end.edges[0].target = any();
        if (block.end.kind == Terminator::Kind::branch)
            block.end.edges[1].target = any();
        program.blocks.add(std::move(block));
    }
    return program;
}

// By the definition: the blocks on every path to each; none where there is no path.
std::vector<std::set<std::size_t>> on_every_path(const Program &program)
{
    std::vector<std::set<std::size_t>> out(program.blocks.size());
    std::vector<bool> reached(program.blocks.size());
    reached[0] = true;
    for (std::size_t i = 0; i < program.blocks.size(); ++i) {
        if (!reached[i])
            continue;
        out[i].insert(i);
        for_each_edge(program.blocks[BlockId(i)].end, [&](const Edge &edge) {
            std::set<std::size_t> &there = out[edge.target.value];
            if (!reached[edge.target.value])
                there = out[i];
            else
                std::erase_if(there, [&](std::size_t one) { return !out[i].contains(one); });
            reached[edge.target.value] = true;
        });
    }
    return out;
}

} // namespace

TEST_CASE("dominators are the blocks on every path")
{
    std::mt19937 random(1); // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
    for (std::size_t round = 0; round < 200; ++round) {
        const Program program = random_program(random, 2 + random() % 80);
        const Dominators dominators(program);
        const auto paths = on_every_path(program);
        for (std::size_t above = 0; above < paths.size(); ++above)
            for (std::size_t below = 0; below < paths.size(); ++below)
                if (dominators.dominates(BlockId(above), BlockId(below)) != paths[below].contains(above))
                    FAIL("round ", round, ": block ", above, " and block ", below);
    }
}

// A chain with an edge from each block to the last one: without far ancestors, the way up is walked again and again.
TEST_CASE("dominators of a long chain")
{
    constexpr std::size_t size = 200'000;
    Program program;
    for (std::size_t i = 0; i + 1 < size; ++i) {
        Block block;
        block.end.kind = Terminator::Kind::branch;
        block.end.edges[0].target = BlockId(i + 1);
        block.end.edges[1].target = BlockId(size - 1);
        program.blocks.add(std::move(block));
    }
    program.blocks.add(Block{.params = {}, .insts = {}, .end = {.kind = Terminator::Kind::return_, .edges = {}}});
    const Dominators dominators(program);
    CHECK(dominators.parent(BlockId(size - 2)) == BlockId(size - 3));
    CHECK(dominators.parent(BlockId(size - 1)) == BlockId(0));
}
