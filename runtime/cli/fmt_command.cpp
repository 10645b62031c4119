#include "runtime/cli/fmt_command.hpp"

#include "compiler/format.hpp"
#include "compiler/report.hpp"
#include "runtime/cli/line_diff.hpp"
#include "runtime/cli/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <expected>
#include <fcntl.h>
#include <filesystem>
#include <string_view>
#include <sys/stat.h>
#include <unistd.h>

namespace xdpf::cli {
namespace {

class Descriptor {
public:
    explicit Descriptor(int fd) : fd_(fd) {}
    Descriptor(const Descriptor &) = delete;
    Descriptor &operator=(const Descriptor &) = delete;
    Descriptor(Descriptor &&) = delete;
    Descriptor &operator=(Descriptor &&) = delete;
    ~Descriptor()
    {
        if (fd_ > STDERR_FILENO)
            close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

template <class T> using OrErrno = std::expected<T, int>;

// One byte more than a source may have is enough to refuse it.
OrErrno<std::string> read_all(int fd)
{
    std::string out;
    while (out.size() <= most_source_bytes()) {
        const auto before = out.size();
        constexpr std::size_t step = 1u << 16;
        out.resize(before + step);
        const auto got = read(fd, out.data() + before, step);
        out.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
        if (got < 0 && errno != EINTR)
            return std::unexpected(errno);
        if (got == 0)
            break;
    }
    return out;
}

OrErrno<void> write_all(int fd, std::string_view text)
{
    while (!text.empty()) {
        const auto written = write(fd, text.data(), text.size());
        if (written < 0 && errno != EINTR)
            return std::unexpected(errno);
        text.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
    }
    return {};
}

OrErrno<std::string> read_source(const std::string &path)
{
    if (path == "-")
        return read_all(STDIN_FILENO);
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (file.get() < 0 || fstat(file.get(), &status) != 0)
        return std::unexpected(errno);
    if (!S_ISREG(status.st_mode))
        return std::unexpected(S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
    return read_all(file.get());
}

OrErrno<void> fill(int fd, std::string_view text, const struct stat &like)
{
    if (auto written = write_all(fd, text); !written)
        return written;
    // Not everyone may give a file away; the mode is what matters, and comes last: a change of owner clears bits.
    [[maybe_unused]] const int owner = fchown(fd, like.st_uid, like.st_gid);
    if (fchmod(fd, like.st_mode & 07777) != 0 || fsync(fd) != 0)
        return std::unexpected(errno);
    return {};
}

// Through a file beside it, renamed, so that nobody ever sees half of it. What a link points to is replaced, not the
// link.
OrErrno<void> replace(const std::string &path, std::string_view text)
{
    std::error_code error;
    const auto target = std::filesystem::canonical(path, error);
    if (error)
        return std::unexpected(error.value());
    struct stat status {};
    if (access(target.c_str(), W_OK) != 0 || stat(target.c_str(), &status) != 0)
        return std::unexpected(errno);
    std::string beside = target.string() + ".XXXXXX";
    const Descriptor file(mkostemp(beside.data(), O_CLOEXEC));
    if (file.get() < 0)
        return std::unexpected(errno);
    auto done = fill(file.get(), text, status);
    if (done && std::rename(beside.c_str(), target.c_str()) != 0)
        done = std::unexpected(errno);
    if (!done)
        unlink(beside.c_str());
    return done;
}

bool fail(std::string_view what, std::string_view name, int error)
{
    fmt::print(stderr, "error: cannot {} '{}': {}\n", what, name, std::strerror(error));
    return false;
}

// Whether all is well with a file.
bool format_one(const std::string &path, const FmtOptions &options)
{
    const bool standard_input = path == "-";
    const std::string name = standard_input ? "<standard input>" : path;
    const auto before = read_source(path);
    if (!before)
        return fail("read", name, before.error());

    const auto formatting = format_source(*before, name);
    const auto &after = formatting.text;
    fmt::print(stderr, "{}", to_text(formatting.diagnostics, formatting.sources, colour_on(STDERR_FILENO)));
    if (!after && !formatting.diagnostics.has_errors())
        fmt::print(stderr,
                   "error: formatting '{}' would change what it means, so nothing is written: a mistake of xdpf\n",
                   name);
    if (!after)
        return false;

    if (options.diff)
        fmt::print("{}", line_diff(*before, *after, name));
    else if (options.check && *after != *before)
        fmt::print("{}\n", name);
    if (options.check || options.diff)
        return !options.check || *after == *before;
    if (standard_input) {
        fmt::print("{}", *after);
        return true;
    }
    const auto written = *after == *before ? OrErrno<void>() : replace(path, *after);
    return written || fail("write", name, written.error());
}

} // namespace

int format_files(const FmtOptions &options)
{
    bool well = true;
    for (const auto &file : options.files)
        well = format_one(file, options) && well;
    return well ? exit_ok : exit_failure;
}

} // namespace xdpf::cli
