#include "runtime/jited.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <span>

namespace xdpf::runtime {
namespace {

constexpr const char *jited_stage = "cannot show the program's machine code";

struct FreeBtf {
    void operator()(btf *types) const { btf__free(types); }
};

// Lines of the source by where their machine code begins in the kernel's memory.
struct Place {
    std::uint64_t address = 0;
    std::string text;
};

std::string without_margin(std::string_view text)
{
    const auto begin = text.find_first_not_of(" \t");
    return std::string(begin == std::string_view::npos ? std::string_view() : text.substr(begin));
}

std::vector<Place> places_of(std::uint32_t btf_id, std::span<const bpf_line_info> lines,
                             std::span<const std::uint64_t> addresses)
{
    std::vector<Place> places;
    const std::unique_ptr<btf, FreeBtf> types(btf__load_from_kernel_by_id(btf_id));
    if (!types)
        return places;
    for (std::size_t i = 0; i < std::min(lines.size(), addresses.size()); ++i) {
        const char *text = btf__name_by_offset(types.get(), lines[i].line_off);
        if (text != nullptr && addresses[i] != 0)
            places.push_back({addresses[i], without_margin(text)});
    }
    std::ranges::stable_sort(places, {}, &Place::address);
    return places;
}

// The same line again says nothing new.
void put_lines(JitedFunction &function, std::span<const Place> places)
{
    for (const Place &place : places) {
        const std::uint64_t offset = place.address - function.address;
        const bool inside = place.address >= function.address && offset < function.code.size();
        if (inside && (function.lines.empty() || function.lines.back().text != place.text))
            function.lines.push_back({static_cast<std::size_t>(offset), place.text});
    }
}

Error refused(const bpf_prog_info &sizes)
{
    Error error;
    error.stage = jited_stage;
    error.call = "bpf(BPF_OBJ_GET_INFO_BY_FD)";
    error.message = sizes.jited_prog_len == 0 ? "the kernel shows none" : "the kernel keeps it to itself";
    error.cause = "the JIT compiler is off, or the code is hidden (net.core.bpf_jit_enable, kernel.kptr_restrict), or "
                  "CAP_PERFMON is missing";
    error.remedy = "sysctl net.core.bpf_jit_enable=1 kernel.kptr_restrict=0";
    return error;
}

template <class T> std::uint64_t address_of(std::vector<T> &values)
{
    return reinterpret_cast<std::uint64_t>(values.data());
}

} // namespace

Result<std::vector<JitedFunction>> jited(int program_fd)
{
    bpf_prog_info sizes{};
    std::uint32_t size = sizeof sizes;
    if (int result = bpf_obj_get_info_by_fd(program_fd, &sizes, &size); result != 0)
        return std::unexpected(system_error(jited_stage, "bpf(BPF_OBJ_GET_INFO_BY_FD)", -result));
    std::vector<std::byte> code(sizes.jited_prog_len);
    std::vector<std::uint64_t> symbols(sizes.nr_jited_ksyms);
    std::vector<std::uint32_t> lengths(sizes.nr_jited_func_lens);
    std::vector<bpf_line_info> lines(sizes.nr_line_info);
    std::vector<std::uint64_t> line_addresses(sizes.nr_jited_line_info);
    bpf_prog_info info{};
    info.jited_prog_len = sizes.jited_prog_len;
    info.jited_prog_insns = address_of(code);
    info.nr_jited_ksyms = sizes.nr_jited_ksyms;
    info.jited_ksyms = address_of(symbols);
    info.nr_jited_func_lens = sizes.nr_jited_func_lens;
    info.jited_func_lens = address_of(lengths);
    info.nr_line_info = sizes.nr_line_info;
    info.line_info_rec_size = sizeof(bpf_line_info);
    info.line_info = address_of(lines);
    info.nr_jited_line_info = sizes.nr_jited_line_info;
    info.jited_line_info_rec_size = sizeof(std::uint64_t);
    info.jited_line_info = address_of(line_addresses);
    size = sizeof info;
    if (int result = bpf_obj_get_info_by_fd(program_fd, &info, &size); result != 0)
        return std::unexpected(system_error(jited_stage, "bpf(BPF_OBJ_GET_INFO_BY_FD)", -result));
    if (code.empty() || info.jited_prog_insns == 0)
        return std::unexpected(refused(sizes));
    if (lengths.empty())
        lengths.push_back(static_cast<std::uint32_t>(code.size()));

    const std::vector<Place> places = places_of(info.btf_id, lines, line_addresses);
    std::vector<JitedFunction> functions;
    std::size_t begin = 0;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        const std::size_t length = std::min<std::size_t>(lengths[i], code.size() - begin);
        JitedFunction &function = functions.emplace_back();
        function.address = i < symbols.size() && info.jited_ksyms != 0 ? symbols[i] : 0;
        const auto from = code.begin() + static_cast<std::ptrdiff_t>(begin);
        function.code.assign(from, from + static_cast<std::ptrdiff_t>(length));
        if (function.address != 0)
            put_lines(function, places);
        begin += length;
    }
    return functions;
}

} // namespace xdpf::runtime
