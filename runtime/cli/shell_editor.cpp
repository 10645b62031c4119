#include "runtime/cli/shell_editor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <filesystem>

namespace xdpf::cli {
namespace {

namespace fs = std::filesystem;

constexpr int history_size = 1000;

volatile std::sig_atomic_t interrupted = 0;

// The arrow has a second form beyond ASCII, and libedit reads characters by the locale.
void choose_locale()
{
    std::setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1)
        std::setlocale(LC_CTYPE, "C.UTF-8");
}

// Without SA_RESTART: the read that waits for a key returns.
void catch_interrupts()
{
    struct sigaction action = {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigaction(SIGINT, &action, nullptr);
}

std::string history_path()
{
    const char *home = std::getenv("HOME");
    if (home == nullptr || *home == '\0')
        return {};
    const auto folder = fs::path(home) / ".local/state/xdpf";
    std::error_code error;
    fs::create_directories(folder, error);
    return error ? std::string() : (folder / "history").string();
}

std::string common_prefix(const std::vector<std::string> &words)
{
    std::string prefix = words.front();
    for (const auto &word : words)
        prefix.erase(std::ranges::mismatch(prefix, word).in1, prefix.end());
    return prefix;
}

void list(std::FILE *output, const std::vector<std::string> &words)
{
    constexpr std::size_t columns = 80;
    const auto width = std::ranges::max(words, {}, &std::string::size).size() + 2;
    const auto in_row = std::max<std::size_t>(1, columns / width);
    for (std::size_t i = 0; i < words.size(); ++i)
        fmt::print(output, "{}{:<{}}", i % in_row == 0 ? "\n" : "", words[i], width);
    fmt::print(output, "\n");
    std::fflush(output);
}

} // namespace

Editor::Editor(std::FILE *input, std::FILE *output, std::FILE *errors, Complete complete)
    : complete_(std::move(complete)), output_(output), history_file_(history_path()), history_(history_init())
{
    choose_locale();
    catch_interrupts();
    HistEvent event{};
    history(history_.get(), &event, H_SETSIZE, history_size);
    history(history_.get(), &event, H_SETUNIQUE, 1);
    if (!history_file_.empty())
        history(history_.get(), &event, H_LOAD, history_file_.c_str());
    line_.reset(el_init("xdpf", input, output, errors));
    EditLine *line = line_.get();
    el_set(line, EL_CLIENTDATA, this);
    el_set(line, EL_EDITOR, "emacs");
    el_set(line, EL_SIGNAL, 1);
    el_set(line, EL_PROMPT, &Editor::prompt_of);
    el_set(line, EL_HIST, history, history_.get());
    el_set(line, EL_ADDFN, "complete", "complete a word", &Editor::complete_word);
    el_set(line, EL_BIND, "^I", "complete", nullptr);
    el_set(line, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(line, nullptr);
}

Editor::~Editor()
{
    HistEvent event{};
    if (!history_file_.empty())
        history(history_.get(), &event, H_SAVE, history_file_.c_str());
}

Editor::Event Editor::read(const char *prompt, std::string &line)
{
    prompt_ = prompt;
    interrupted = 0;
    int length = 0;
    const char *text = el_gets(line_.get(), &length);
    if (text == nullptr || length <= 0) {
        fmt::print(output_, "\n");
        std::fflush(output_);
        if (interrupted == 0)
            return Event::end;
        el_reset(line_.get());
        return Event::interrupted;
    }
    line.assign(text, static_cast<std::size_t>(length));
    while (line.ends_with('\n') || line.ends_with('\r'))
        line.pop_back();
    remember(line);
    return Event::line;
}

void Editor::remember(const std::string &line)
{
    HistEvent event{};
    if (line.find_first_not_of(" \t") != std::string::npos)
        history(history_.get(), &event, H_ENTER, line.c_str());
}

char *Editor::prompt_of(EditLine *line)
{
    Editor *self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return self->prompt_.data();
}

unsigned char Editor::complete_word(EditLine *line, int /*key*/)
{
    Editor *self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return self->complete_at(line);
}

unsigned char Editor::complete_at(EditLine *line)
{
    const LineInfo *info = el_line(line);
    const std::string typed(info->buffer, info->cursor);
    const auto found = complete_(typed);
    if (found.words.empty())
        return CC_ERROR;
    const auto prefix = common_prefix(found.words);
    const auto rest = prefix.substr(std::min(prefix.size(), typed.size() - found.begin));
    if (!rest.empty())
        return el_insertstr(line, rest.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    if (found.words.size() == 1)
        return CC_ERROR;
    list(output_, found.words);
    return CC_REDISPLAY;
}

} // namespace xdpf::cli
