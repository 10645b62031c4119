// Cut or whole, a packet comes to the same rules in the same order.
#include "compiler/cut.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <random>

using namespace xdpf;

namespace {

constexpr std::size_t first_slot = 3;

// A program of which every rule goes on; conditions are numbered, and the rules of a match stand in it.
class Sample {
public:
    explicit Sample(std::uint32_t seed) : random_(seed) { program.rules = rules(3); }

    sema::Program program;
    std::size_t leaves = 0;
    std::size_t conditions = 0;

    std::uint32_t below(std::uint32_t end) { return std::uniform_int_distribution<std::uint32_t>(0, end - 1)(random_); }

private:
    std::vector<sema::Rule> rules(unsigned deepest)
    {
        std::vector<sema::Rule> out(1 + below(6));
        for (sema::Rule &rule : out) {
            rule.predicate = sema::PredId(conditions++);
            if (deepest != 0 && below(3) == 0)
                rule.body = rules(deepest - 1);
            else
                rule.number = ++leaves;
        }
        return out;
    }

    std::mt19937 random_;
};

// The numbers of the rules that a packet comes to for which these conditions hold.
struct Walk {
    const std::vector<bool> &holds;
    std::span<const RulesPiece> pieces;
    std::vector<std::size_t> visited{};
    std::size_t programs = 1;

    // Whether the packet has gone on with another piece, and is through.
    bool rules(const std::vector<sema::Rule> &all)
    {
        return std::ranges::any_of(all, [&](const sema::Rule &rule) { return one(rule); });
    }

private:
    bool one(const sema::Rule &rule)
    {
        if (rule.predicate && !holds[rule.predicate->value])
            return false;
        if (const auto *nested = std::get_if<std::vector<sema::Rule>>(&rule.body))
            return rules(*nested);
        if (const auto &decision = std::get<sema::Action>(rule.body).decision) {
            const std::size_t piece = decision->go_to.value() - first_slot + 1;
            REQUIRE(piece < pieces.size());
            REQUIRE(++programs <= pieces.size());
            (void)rules(pieces[piece].rules);
            return true;
        }
        visited.push_back(rule.number);
        return false;
    }
};

std::size_t count(const std::vector<sema::Rule> &rules)
{
    std::size_t sum = 0;
    for (const sema::Rule &rule : rules) {
        const auto *nested = std::get_if<std::vector<sema::Rule>>(&rule.body);
        sum += nested != nullptr ? count(*nested) : static_cast<std::size_t>(rule.number != 0);
    }
    return sum;
}

} // namespace

TEST_CASE("a packet comes to the same rules, whole or in pieces")
{
    for (std::uint32_t seed = 0; seed < 400; ++seed) {
        CAPTURE(seed);
        Sample sample(seed);
        std::vector<double> weights(sample.leaves);
        for (double &weight : weights)
            weight = 0.1 + sample.below(20);
        for (const std::size_t parts : {2U, 3U, 7U, 20U}) {
            CAPTURE(parts);
            const auto pieces = cut_rules(sample.program, weights, parts, first_slot);
            std::size_t at = 0; // pieces have all rules, in order
            for (const RulesPiece &piece : pieces) {
                CHECK(piece.begin == at);
                at += count(piece.rules);
                CHECK(piece.end == at);
            }
            CHECK(at == sample.leaves);
            for (unsigned packet = 0; packet < 20; ++packet) {
                std::vector<bool> holds(sample.conditions);
                for (std::size_t i = 0; i < holds.size(); ++i)
                    holds[i] = sample.below(packet % 4 + 2) != 0;
                Walk whole{holds, {}};
                (void)whole.rules(sample.program.rules);
                Walk cut{holds, pieces};
                (void)cut.rules(pieces.front().rules);
                CHECK(cut.visited == whole.visited);
            }
        }
    }
}

TEST_CASE("pieces are about as heavy as each other")
{
    sema::Program program;
    program.rules.resize(1000);
    for (std::size_t i = 0; i < program.rules.size(); ++i)
        program.rules[i].number = i + 1;
    const std::vector<double> weights(program.rules.size(), 0.25);
    const auto pieces = cut_rules(program, weights, 8, first_slot);
    REQUIRE(pieces.size() == 8);
    for (const RulesPiece &piece : pieces)
        CHECK(piece.end - piece.begin == 125);
    CHECK(numbers_of_leaves(program.rules).back() == std::pair<std::size_t, std::size_t>(1000, 1000));
}
