#include "compiler/query.hpp"

#include <array>

namespace xdpf::query {
namespace {

constexpr auto all_words = std::to_array<Word>({
#define XDPF_WORD(sort, word, form, text) {Sort::sort, #word, form, text},
#include "compiler/words.def"
#undef XDPF_WORD
});

} // namespace

std::span<const Word> words() { return all_words; }

} // namespace xdpf::query
