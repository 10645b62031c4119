#include "runtime/cli/build_command.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace xdpf::cli {
namespace {

// Written beside its place and renamed, so that nobody ever sees half an object.
bool write_file(const std::string &path, const std::vector<std::byte> &bytes)
{
    if (path == "-")
        return std::fwrite(bytes.data(), 1, bytes.size(), stdout) == bytes.size();
    const bool special = std::filesystem::exists(path) && !std::filesystem::is_regular_file(path);
    const std::string written = special ? path : fmt::format("{}.part", path);
    std::ofstream out(written, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    out.close();
    if (out && (special || std::rename(written.c_str(), path.c_str()) == 0))
        return true;
    const int code = errno;
    if (!special)
        std::remove(written.c_str());
    fmt::print(stderr, "error: cannot write '{}': {}\n  try:   another place with -o FILE\n", path,
               std::strerror(code));
    return false;
}

} // namespace

int check(const SourceOptions &source) { return compile_and_report(source).ok() ? exit_ok : exit_failure; }

int build(const BuildOptions &options)
{
    const Compilation compilation = compile_and_report(options.source);
    for (const Stage stage : options.dumps)
        if (compilation.ok() || stage == Stage::ast)
            fmt::print("{}", compilation.dump(stage));
    if (!compilation.ok())
        return exit_failure;
    if (options.explain)
        fmt::print("{}", compilation.explain_forms());
    if (options.output.empty() && (!options.dumps.empty() || options.explain))
        return exit_ok;
    const std::string output = options.output.empty() ? compilation.image().name + ".o" : options.output;
    return write_file(output, compilation.object()) ? exit_ok : exit_failure;
}

} // namespace xdpf::cli
