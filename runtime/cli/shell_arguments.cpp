#include "runtime/cli/shell_arguments.hpp"

namespace xdpf::cli {
namespace {

constexpr std::string_view blanks = " \t\r\n";

// Past the word that begins the text.
std::size_t end_of_word(std::string_view text)
{
    std::size_t open = 0;
    char quote = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        if (quote != 0) {
            if (c == '\\' && quote == '"')
                ++at;
            else if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '(' || c == '{' || c == '[') {
            ++open;
        } else if ((c == ')' || c == '}' || c == ']') && open != 0) {
            --open;
        } else if (open == 0 && blanks.find(c) != std::string_view::npos) {
            return at;
        }
    }
    return text.size();
}

} // namespace

std::string_view trimmed(std::string_view text)
{
    const auto first = text.find_first_not_of(blanks);
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string> words_of(std::string_view text)
{
    std::vector<std::string> words;
    for (text = trimmed(text); !text.empty(); text = trimmed(text)) {
        const auto end = end_of_word(text);
        auto word = text.substr(0, end);
        if (word.size() > 1 && word.front() == '\'' && word.find('\'', 1) == word.size() - 1)
            word = word.substr(1, word.size() - 2);
        words.emplace_back(word);
        text.remove_prefix(end);
    }
    return words;
}

} // namespace xdpf::cli
