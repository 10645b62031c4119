// `:jit`: the machine code of a program, disassembled by objdump.
#include "runtime/cli/shell_commands.hpp"
#include "runtime/jited.hpp"
#include "runtime/load.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unordered_map>
#include <utility>

namespace xdpf::cli {
namespace {

using runtime::Error;
using runtime::Fd;
using runtime::JitedFunction;
using runtime::Result;

constexpr const char *stage = "cannot disassemble the program's machine code";

Result<std::string> architecture()
{
    utsname machine{};
    (void)uname(&machine);
    const std::string_view name = machine.machine;
    if (name == "x86_64")
        return "i386:x86-64";
    if (name == "aarch64")
        return "aarch64";
    Error error;
    error.stage = stage;
    error.message = fmt::format("objdump's name for the machine '{}' is not known here", name);
    error.remedy = "bpftool prog dump jited name NAME";
    return std::unexpected(std::move(error));
}

// As a file that a child process can open.
Result<Fd> file_of(const std::vector<std::byte> &code)
{
    Fd file(memfd_create("jited", 0));
    if (!file)
        return std::unexpected(runtime::system_error(stage, "memfd_create", errno));
    if (write(file.get(), code.data(), code.size()) != static_cast<ssize_t>(code.size()))
        return std::unexpected(runtime::system_error(stage, "write", errno));
    return file;
}

Error no_objdump(int code)
{
    Error error = runtime::system_error(stage, "posix_spawnp(objdump)", code);
    if (code == ENOENT) {
        error.cause = "objdump turns machine code into text, and is not installed";
        error.remedy = "apt-get install binutils";
    }
    return error;
}

// What a command prints on its standard output.
Result<std::string> output_of(const std::vector<std::string> &command)
{
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC) != 0)
        return std::unexpected(runtime::system_error(stage, "pipe2", errno));
    const Fd from(ends[0]);
    Fd to(ends[1]);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to.get(), STDOUT_FILENO);
    std::vector<char *> words;
    for (const std::string &word : command)
        words.push_back(const_cast<char *>(word.c_str()));
    words.push_back(nullptr);
    pid_t child = 0;
    const int spawned = posix_spawnp(&child, words[0], &actions, nullptr, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    to = Fd();
    if (spawned != 0)
        return std::unexpected(no_objdump(spawned));
    std::string out;
    std::array<char, 4096> part{};
    for (ssize_t size = 1; size != 0;) {
        size = read(from.get(), part.data(), part.size());
        if (size > 0)
            out.append(part.data(), static_cast<std::size_t>(size));
        else if (size < 0 && errno != EINTR)
            break;
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (status == 0)
        return out;
    Error error;
    error.stage = stage;
    error.call = command.front();
    error.message = fmt::format("it ended with status {}", WIFEXITED(status) ? WEXITSTATUS(status) : status);
    return std::unexpected(std::move(error));
}

// Functions of the kernel by their addresses, of those that are asked for.
class KernelSymbols {
public:
    // Its name, or the address where the kernel does not tell.
    std::string name(std::uint64_t address)
    {
        if (!std::exchange(read_, true))
            read();
        const auto found = names_.find(address);
        return found != names_.end() ? found->second : fmt::format("{:#x}", address);
    }

private:
    void read()
    {
        std::ifstream symbols("/proc/kallsyms");
        std::uint64_t address = 0;
        std::string kind;
        std::string name;
        for (std::string rest; symbols >> std::hex >> address >> kind >> name; std::getline(symbols, rest))
            if (address != 0)
                names_.emplace(address, name);
    }

    std::unordered_map<std::uint64_t, std::string> names_;
    bool read_ = false;
};

// "call   0xffffffffc21dd2f4" leads out of the function, whose code begins at 0 for objdump: names where to.
std::string with_target(std::string_view instruction, const JitedFunction &function, KernelSymbols &symbols)
{
    const auto number = instruction.rfind(" 0x");
    const bool leads = instruction.starts_with('j') || instruction.starts_with("call") || instruction.starts_with("bl");
    std::uint64_t target = 0;
    if (!leads || number == std::string_view::npos || function.address == 0 ||
        std::from_chars(instruction.data() + number + 3, instruction.data() + instruction.size(), target, 16).ptr !=
            instruction.data() + instruction.size() ||
        target < function.code.size())
        return std::string(instruction);
    return fmt::format("{} {}", instruction.substr(0, number), symbols.name(function.address + target));
}

// objdump's lines of instructions, "   4:\tpush   %rbp", with the lines of the source in front of what they became.
std::string with_source(std::string_view listing, const JitedFunction &function, KernelSymbols &symbols)
{
    std::string out;
    std::size_t next = 0;
    while (!listing.empty()) {
        const auto line = listing.substr(0, listing.find('\n'));
        listing.remove_prefix(std::min(listing.size(), line.size() + 1));
        const auto colon = line.find(":\t");
        const auto digits = line.find_first_not_of(' ');
        std::size_t offset = 0;
        if (colon == std::string_view::npos || digits >= colon ||
            std::from_chars(line.data() + digits, line.data() + colon, offset, 16).ptr != line.data() + colon)
            continue;
        for (; next < function.lines.size() && function.lines[next].offset <= offset; ++next)
            out += fmt::format("; {}\n", function.lines[next].text);
        out += fmt::format("  {:>4x}: {}\n", offset, with_target(line.substr(colon + 2), function, symbols));
    }
    return out;
}

Result<std::string> disassembled(const std::vector<JitedFunction> &functions)
{
    const Result<std::string> machine = architecture();
    if (!machine)
        return machine;
    KernelSymbols symbols;
    std::string out;
    for (std::size_t i = 0; i < functions.size(); ++i) {
        const Result<Fd> file = file_of(functions[i].code);
        if (!file)
            return std::unexpected(file.error());
        const auto listing = output_of({"objdump", "-D", "-b", "binary", "-m", *machine, "--no-show-raw-insn",
                                        fmt::format("/proc/self/fd/{}", file->get())});
        if (!listing)
            return listing;
        out += fmt::format("{}, {} bytes of machine code\n", i == 0 ? "the program" : fmt::format("function {}", i),
                           functions[i].code.size());
        out += with_source(*listing, functions[i], symbols);
    }
    return out;
}

} // namespace

CommandResult show_machine_code(ShellState &state, const std::string & /*argument*/)
{
    std::optional<runtime::Loaded> loaded;
    if (!state.work) {
        auto done = runtime::load(state.session.compilation().image(), {.isolated = true});
        if (!done)
            return failed(std::move(done.error()));
        loaded.emplace(std::move(*done));
    }
    const auto functions = runtime::jited(loaded ? loaded->program_fd() : state.work->session().program().program_fd());
    if (!functions)
        return failed(functions.error());
    auto text = disassembled(*functions);
    return text ? CommandResult{.output = std::move(*text)} : failed(std::move(text.error()));
}

} // namespace xdpf::cli
