// How deep the analyzer is in what it works out. The grammar bounds what is written within one expression; names lead
// from there to other declarations, as often as a source likes.
#pragma once

#include "compiler/sema/analyzer.hpp"

namespace xdpf::sema {

constexpr std::size_t most_nested = 2048; // what the stack holds, under the sanitizers too
constexpr std::size_t through_a_name = 7; // what a constant, a union's field or a parameter takes besides its value

class Nested {
public:
    explicit Nested(Analyzer &analyzer, std::size_t levels = 1) : analyzer_(analyzer), levels_(levels)
    {
        analyzer_.nested_ += levels_;
    }
    Nested(const Nested &) = delete;
    Nested &operator=(const Nested &) = delete;
    ~Nested() { analyzer_.nested_ -= levels_; }

    [[nodiscard]] bool too_deep() const { return analyzer_.nested_ > most_nested; }

private:
    Analyzer &analyzer_;
    std::size_t levels_;
};

} // namespace xdpf::sema
