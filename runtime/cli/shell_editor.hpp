// Lines from a terminal, edited by libedit.
#pragma once

#include "runtime/cli/shell_signals.hpp"

#include <histedit.h>

#include <cstdio>
#include <cwchar>
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
    // What else is to be looked at while nothing is typed.
    struct News {
        std::function<int()> fd;           // readable when there is some; -1: there is nothing to look at
        std::function<std::string()> read; // what is to be shown above the line
    };

    Editor(std::FILE *input, std::FILE *output, std::FILE *errors, ShellSignals &signals, Complete complete, News news);
    Editor(const Editor &) = delete;
    Editor &operator=(const Editor &) = delete;
    ~Editor();

    // Without its line end. `text` stands on the line already. SIGTERM and SIGHUP are an end, too.
    [[nodiscard]] Event read(const std::string &prompt, const std::string &text, std::string &line);
    // Shows the line that was read last, which stands above the cursor, once more: `in_colour` are the same characters.
    void show_again(const std::string &line, const std::string &in_colour);

private:
    struct EndLine {
        void operator()(EditLine *line) const { el_end(line); }
    };
    struct EndHistory {
        void operator()(History *history) const { history_end(history); }
    };

    static char *prompt_of(EditLine *line);
    static unsigned char complete_word(EditLine *line, int key);
    static int read_key(EditLine *line, wchar_t *key);
    unsigned char complete_at(EditLine *line);
    int next_key(EditLine *line, wchar_t *key);
    bool wait_for_key(EditLine *line);
    void remember(const std::string &line);
    [[nodiscard]] int columns() const;

    Complete complete_;
    News news_;
    ShellSignals &signals_;
    int input_;
    std::FILE *output_;
    std::string prompt_;
    std::string history_file_; // empty: in memory only
    std::unique_ptr<History, EndHistory> history_;
    std::unique_ptr<EditLine, EndLine> line_;
};

} // namespace xdpf::cli
