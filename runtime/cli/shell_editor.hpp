// Lines from a terminal, edited by libedit.
#pragma once

#include <histedit.h>

#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace xdpf::cli {

// What the words at a line's end can become.
struct Candidates {
    std::size_t begin = 0; // of the word, in bytes
    std::vector<std::string> words;
};

class Editor {
public:
    enum class Event : std::uint8_t { line, interrupted, end };
    using Complete = std::function<Candidates(const std::string &line)>; // the line up to the cursor

    Editor(std::FILE *input, std::FILE *output, std::FILE *errors, Complete complete);
    Editor(const Editor &) = delete;
    Editor &operator=(const Editor &) = delete;
    ~Editor();

    // Without its line end.
    [[nodiscard]] Event read(const char *prompt, std::string &line);

private:
    struct EndLine {
        void operator()(EditLine *line) const { el_end(line); }
    };
    struct EndHistory {
        void operator()(History *history) const { history_end(history); }
    };

    static char *prompt_of(EditLine *line);
    static unsigned char complete_word(EditLine *line, int key);
    unsigned char complete_at(EditLine *line);
    void remember(const std::string &line);

    Complete complete_;
    std::FILE *output_;
    std::string prompt_;
    std::string history_file_; // empty: in memory only
    std::unique_ptr<History, EndHistory> history_;
    std::unique_ptr<EditLine, EndLine> line_;
};

} // namespace xdpf::cli
