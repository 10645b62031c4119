#include "runtime/library_log.hpp"

#include <array>
#include <bpf/libbpf.h>
#include <cstdarg>
#include <cstdio>
#include <mutex>
#include <string_view>
#include <xdp/libxdp.h>

namespace xdpf::runtime {
namespace {

thread_local std::string *current = nullptr;

int keep(const char *format, va_list arguments)
{
    if (current == nullptr)
        return 0;
    std::array<char, 4096> line{};
    const int length = std::vsnprintf(line.data(), line.size(), format, arguments);
    if (length > 0)
        current->append(line.data());
    return length;
}

int keep_libbpf(libbpf_print_level level, const char *format, va_list arguments)
{
    return level == LIBBPF_WARN ? keep(format, arguments) : 0;
}

int keep_libxdp(libxdp_print_level level, const char *format, va_list arguments)
{
    return level == LIBXDP_WARN ? keep(format, arguments) : 0;
}

} // namespace

LibraryLog::LibraryLog() : outer_(current)
{
    static std::once_flag once;
    std::call_once(once, [] {
        libbpf_set_print(keep_libbpf);
        libxdp_set_print(keep_libxdp);
    });
    current = &text_;
}

LibraryLog::~LibraryLog() { current = outer_; }

std::string LibraryLog::kernel_message() const
{
    constexpr std::string_view mark = "Kernel error message: ";
    const std::size_t at = text_.rfind(mark);
    if (at == std::string::npos)
        return {};
    const std::size_t begin = at + mark.size();
    return text_.substr(begin, text_.find('\n', begin) - begin);
}

std::string LibraryLog::last_line() const
{
    std::size_t end = text_.find_last_not_of('\n');
    if (end == std::string::npos)
        return {};
    const std::size_t before = text_.rfind('\n', end);
    std::string line = text_.substr(before == std::string::npos ? 0 : before + 1, end - (before + 1) + 1);
    for (const std::string_view prefix : {"libbpf: ", "libxdp: "})
        if (line.starts_with(prefix))
            line.erase(0, prefix.size());
    return line;
}

} // namespace xdpf::runtime
