#include "runtime/cli/shell_editor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace xdpf::cli {
namespace {

namespace fs = std::filesystem;

constexpr int history_size = 1000;

// The arrow has a second form beyond ASCII, and libedit reads characters by the locale.
void choose_locale()
{
    std::setlocale(LC_CTYPE, "");
    if (MB_CUR_MAX == 1)
        std::setlocale(LC_CTYPE, "C.UTF-8");
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

Editor::Editor(std::FILE *input, std::FILE *output, std::FILE *errors, ShellSignals &signals, Complete complete,
               News news)
    : complete_(std::move(complete)), news_(std::move(news)), signals_(signals), input_(fileno(input)), output_(output),
      history_file_(history_path()), history_(history_init())
{
    choose_locale();
    HistEvent event{};
    history(history_.get(), &event, H_SETSIZE, history_size);
    history(history_.get(), &event, H_SETUNIQUE, 1);
    if (!history_file_.empty())
        history(history_.get(), &event, H_LOAD, history_file_.c_str());
    line_.reset(el_init("xdpf", input, output, errors));
    EditLine *line = line_.get();
    el_set(line, EL_CLIENTDATA, this);
    el_set(line, EL_EDITOR, "emacs");
    el_set(line, EL_SIGNAL, 0); // they are the shell's: libedit would send them to the whole process group
    el_set(line, EL_GETCFN, &Editor::read_key);
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

Editor::Event Editor::read(const std::string &prompt, const std::string &text, std::string &line)
{
    prompt_ = prompt;
    signals_.forget_interrupts();
    if (!text.empty())
        el_push(line_.get(), text.c_str());
    el_set(line_.get(), EL_PREP_TERM, 1); // else what comes in answer to the prompt may come before its time
    int length = 0;
    const char *typed = el_gets(line_.get(), &length);
    if (typed == nullptr || length <= 0) {
        fmt::print(output_, "\n");
        std::fflush(output_);
        if (!signals_.interrupted() || signals_.ended())
            return Event::end;
        el_reset(line_.get());
        return Event::interrupted;
    }
    line.assign(typed, static_cast<std::size_t>(length));
    while (line.ends_with('\n') || line.ends_with('\r'))
        line.pop_back();
    remember(line);
    return Event::line;
}

int Editor::columns() const
{
    winsize size{};
    return ioctl(fileno(output_), TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

// Only a line that fits on one of the terminal's: where a longer one was broken is the terminal's own affair.
void Editor::show_again(const std::string &line, const std::string &in_colour)
{
    const char *kind = std::getenv("TERM");
    const bool can = kind != nullptr && std::string_view(kind) != "dumb";
    const bool ascii = std::ranges::all_of(line, [](char c) { return c >= ' ' && c <= '~'; });
    if (!can || !ascii || static_cast<int>(prompt_.size() + line.size()) >= columns())
        return;
    fmt::print(output_, "\033[A\r{}{}\033[K\n", prompt_, in_colour);
    std::fflush(output_);
}

// ---- Keys ----------------------------------------------------------------------------------------------------------

// Whether one is there; false: a signal ended the line.
bool Editor::wait_for_key(EditLine *line)
{
    while (true) {
        signals_.heed();
        if (signals_.stops())
            return false;
        if (signals_.take_resized())
            el_resize(line);
        if (signals_.take_continued()) {
            el_set(line, EL_PREP_TERM, 0); // libedit believes that it is prepared
            el_set(line, EL_PREP_TERM, 1);
            el_set(line, EL_REFRESH);
        }
        std::array<pollfd, 3> polled{
            {{input_, POLLIN, 0}, {signals_.fd(), POLLIN, 0}, {news_.fd ? news_.fd() : -1, POLLIN, 0}}};
        if (poll(polled.data(), polled.size(), -1) < 0)
            continue;
        if (polled[2].revents != 0) {
            fmt::print(output_, "\r\033[J{}", news_.read());
            std::fflush(output_);
            el_set(line, EL_REFRESH);
        }
        if (polled[0].revents != 0)
            return true;
    }
}

// As libedit's own: 1, 0 at the end, -1 where there is none.
int Editor::next_key(EditLine *line, wchar_t *key)
{
    std::mbstate_t state{};
    while (true) {
        if (!wait_for_key(line))
            return -1;
        char byte = 0;
        const ssize_t got = ::read(input_, &byte, 1);
        if (got == 0)
            return 0;
        if (got < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (got < 0)
            return -1;
        const std::size_t used = std::mbrtowc(key, &byte, 1, &state);
        if (used == static_cast<std::size_t>(-2))
            continue;
        if (used == static_cast<std::size_t>(-1)) { // no character: the next byte begins one
            state = {};
            continue;
        }
        if (used == 0)
            *key = L'\0';
        return 1;
    }
}

int Editor::read_key(EditLine *line, wchar_t *key)
{
    Editor *self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    return self->next_key(line, key);
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
