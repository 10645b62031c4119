// Random rows of tests that look at the same few bytes again and again, and change them in between; two rows side by
// side do nearly the same, through different pointers.
#pragma once

#include <fmt/format.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace xdpf::ir {

class RandomChains {
public:
    explicit RandomChains(std::uint32_t seed) : random_(seed) {}

    // The text of a program that verify() takes.
    std::string make()
    {
        const std::size_t blocks = 1 + below(4);
        std::vector<std::vector<Step>> row(blocks);
        for (auto &steps : row)
            for (std::size_t count = below(4); count > 0; --count)
                steps.push_back(step());
        std::vector<Test> tests(blocks);
        for (Test &test : tests)
            test = some_test();
        const std::size_t failed = 4 + 2 * blocks;
        std::string text = fmt::format("program test {{\n"
                                       "b0(): %1 = packet_start %2 = packet_end guard %1 + 24 <= %2 ? b1() : b{0}()\n"
                                       "b1(): %3 = load.u8 %1 + 9 %4 = 7 %5 = and %3, %4 %6 = offset %1 + %5 max 7 "
                                       "guard %6 + 8 <= %2 ? b2() : b{0}()\n"
                                       "b2(): %7 = load.u8 %1 + 10 if %7 <= 3 ? b3() : b{1}()\n",
                                       failed, 3 + blocks);
        values_ = 8;
        write(row, tests, 3, failed);
        write(row, tests, 3 + blocks, failed);
        return text + text_ + fmt::format("b{}(): return 1\nb{}(): return 2\n}}\n", 3 + 2 * blocks, failed);
    }

private:
    struct Step {
        enum class Kind : std::uint8_t { masked, store } kind = Kind::masked;
        std::size_t pointer = 0;
        std::size_t offset = 0;
        unsigned number = 0;
    };
    struct Test {
        bool passes_on = true; // or fails where the condition holds
        unsigned number = 0;
        std::size_t cond = 0;
        Step read{};
        bool changes_it = false; // before it decides
    };

    std::size_t below(std::size_t end) { return random_() % end; }
    Step some_step()
    {
        return {Step::Kind::masked, below(4) / 3, 2 + below(2), std::array{1U, 3U, 3U, 0xfcU, 0xfcU, 0xffU}[below(6)]};
    }
    // Mostly such as become one with those beside them: parts of a byte are so, or within bounds.
    Test some_test()
    {
        Test out{below(4) != 0, std::array{0U, 1U, 3U, 4U}[below(4)], below(4), some_step(), below(8) == 0};
        if (below(4) != 0 && out.read.number == 0xfc)
            out.cond = 0, out.number = 4;
        if (below(4) != 0 && out.read.number == 3)
            out.cond = 1, out.number = 0;
        return out;
    }
    Step step()
    {
        Step out = some_step();
        if (below(3) == 0)
            out.kind = Step::Kind::store, out.number = static_cast<unsigned>(below(9));
        return out;
    }

    std::string_view pointer(const Step &step) { return (step.pointer == 0) != (below(8) == 0) ? "%1" : "%6"; }
    // Gives the value.
    std::size_t load(const Step &step)
    {
        const std::size_t value = values_;
        text_ += fmt::format("%{} = load.u8 {} + {} %{} = {} %{} = and %{}, %{} ", value, pointer(step), step.offset,
                             value + 1, step.number, value + 2, value, value + 1);
        values_ += 3;
        return value + 2;
    }

    void store(const Step &step)
    {
        text_ +=
            fmt::format("%{} = {} pstore.u8 {} + {}, %{} ", values_, step.number, pointer(step), step.offset, values_);
        ++values_;
    }

    void write(const std::vector<std::vector<Step>> &row, const std::vector<Test> &tests, std::size_t first,
               std::size_t failed)
    {
        std::size_t last = 7;
        for (std::size_t i = 0; i < row.size(); ++i) {
            text_ += fmt::format("b{}(): ", first + i);
            for (const Step &step : row[i]) {
                if (step.kind == Step::Kind::masked) {
                    const std::size_t sum = values_ + 3;
                    const std::size_t value = load(step);
                    text_ += fmt::format("%{} = add %{}, %{} ", sum, value, last);
                    last = sum;
                    values_ = sum + 1;
                } else {
                    store(step);
                }
            }
            const Test &test = tests[i];
            const std::size_t tested = load(test.read);
            if (test.changes_it)
                store(test.read);
            const bool end = i + 1 == row.size();
            const auto next = fmt::format("b{}()", end ? failed - 1 : first + i + 1);
            const auto out = fmt::format("b{}()", failed);
            if (end && below(2) == 0) {
                text_ += fmt::format("%{} = add %{}, %{} return %{}\n", values_, tested, last, values_);
                ++values_;
            } else {
                text_ += fmt::format("if %{} {} {} ? {} : {}\n", tested, std::array{"==", "!=", "<=", ">="}[test.cond],
                                     test.number, test.passes_on ? next : out, test.passes_on ? out : next);
            }
        }
    }

    std::mt19937 random_;
    std::string text_;
    std::size_t values_ = 0;
};

} // namespace xdpf::ir
