// How deep the analyzer is in what it works out. The grammar bounds what is written within one expression; names lead
// from there to other declarations, as often as a source likes.
#pragma once

#include "compiler/sema/analyzer.hpp"

namespace xdpf::sema {

constexpr std::size_t most_nested = 2048; // what the stack holds, under the sanitizers too

class Nested {
public:
    explicit Nested(Analyzer &analyzer) : analyzer_(analyzer) { ++analyzer_.nested_; }
    Nested(const Nested &) = delete;
    Nested &operator=(const Nested &) = delete;
    ~Nested() { --analyzer_.nested_; }

    [[nodiscard]] bool too_deep() const { return analyzer_.nested_ > most_nested; }

private:
    Analyzer &analyzer_;
};

} // namespace xdpf::sema
