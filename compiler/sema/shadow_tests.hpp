// The tests that a rule is a conjunction of, in a form in which one can be seen to follow from another; private to
// compiler/sema.
#pragma once

#include "compiler/sema/typed.hpp"

#include <string>
#include <unordered_map>
#include <vector>

namespace xdpf::sema {

// A value of one of the alternatives of a union; of anything else the alternative is 0.
struct ShadowValue {
    unsigned alternative = 0;
    u128 value = 0;
    auto operator<=>(const ShadowValue &) const = default;
};

struct ShadowInterval {
    ShadowValue first;
    ShadowValue last;
    bool operator==(const ShadowInterval &) const = default;
};

// `what` (the same number for the same value) lies in one of the intervals, which are sorted. What is no comparison
// with constants is a `what` of its own, in the interval of 0.
struct ShadowTest {
    std::size_t what = 0;
    std::vector<ShadowInterval> intervals;
    PredId pred;
    std::vector<HeaderId> headers; // that it speaks of
};

// One rule's. `fixed`: the tests are all of its condition; otherwise it says more, of maps, rates, random numbers.
struct Conjunction {
    std::vector<std::size_t> tests;   // of ShadowTests::all()
    std::vector<std::size_t> implied; // headers that are there where those hold
    bool fixed = true;
};

// The tests of a program, each once.
class ShadowTests {
public:
    explicit ShadowTests(const Unit &unit) : unit_(unit) {}

    void add(PredId condition, Conjunction &out);
    [[nodiscard]] const std::vector<ShadowTest> &all() const { return all_; }
    [[nodiscard]] std::size_t values() const { return whats_.size(); } // ShadowTest::what is below

private:
    std::size_t intern(const std::string &what, std::vector<ShadowInterval> intervals, PredId pred);
    void add_present(HeaderRef header, PredId pred, std::vector<std::size_t> &out);
    bool add_union(PredId id, Conjunction &out);
    bool text(ExprId id);
    bool text(PredId id);
    void put(std::string_view kind, std::initializer_list<std::uint64_t> numbers);

    const Unit &unit_;
    std::vector<ShadowTest> all_;
    std::unordered_map<std::string, std::size_t> whats_;
    std::unordered_map<std::string, std::size_t> index_;
    std::string text_; // of what is written out
    std::vector<HeaderId> headers_;
};

} // namespace xdpf::sema
