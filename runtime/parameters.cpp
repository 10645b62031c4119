// Parameters of a program, when it is loaded and while it runs, and what its rules and its verdicts counted.
#include "compiler/base/diagnostic.hpp"
#include "runtime/loader.hpp"
#include "runtime/program_maps.hpp"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sys/mman.h>
#include <unistd.h>

namespace xdpf::runtime {
namespace {

Error cannot(std::string_view name, std::string message)
{
    Error error;
    error.stage = fmt::format("cannot set parameter '{}'", name);
    error.message = std::move(message);
    return error;
}

Result<const Parameter *> find_parameter(const Image &image, std::string_view name)
{
    const auto found = std::ranges::find(image.parameters, name, &Parameter::name);
    if (found != image.parameters.end())
        return &*found;
    std::vector<std::string> names;
    std::ranges::transform(image.parameters, std::back_inserter(names), &Parameter::name);
    Error error = cannot(name, "there is no parameter of that name");
    error.cause = names.empty() ? "the program has none" : fmt::format("there are: {}", fmt::join(names, ", "));
    if (const auto near = nearest(name, names); !near.empty())
        error.remedy = fmt::format("the same command with --param {}=VALUE", near);
    return std::unexpected(std::move(error));
}

// The map's only value, shared with the kernel.
class SharedValue {
public:
    SharedValue(int fd, std::size_t size)
    {
        const auto page_size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        size_ = (size + page_size - 1) / page_size * page_size;
        void *area = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        bytes_ = area == MAP_FAILED ? nullptr : static_cast<std::byte *>(area);
    }
    SharedValue(const SharedValue &) = delete;
    SharedValue &operator=(const SharedValue &) = delete;
    ~SharedValue()
    {
        if (bytes_ != nullptr)
            munmap(bytes_, size_);
    }
    [[nodiscard]] std::byte *bytes() const { return bytes_; } // null: the kernel refused, errno says why

private:
    std::byte *bytes_ = nullptr;
    std::size_t size_ = 0;
};

// As one store, so that the program never sees half a number.
template <class T> void store(std::byte *to, const std::byte *from)
{
    T value = 0;
    std::memcpy(&value, from, sizeof value);
    __atomic_store_n(reinterpret_cast<T *>(to), value, __ATOMIC_RELAXED);
}

void store(const LayoutField &field, std::byte *to, const std::byte *from)
{
    const bool aligned = field.offset % field.size == 0;
    if (field.format == FieldFormat::number && aligned && field.size == 8)
        store<std::uint64_t>(to, from);
    else if (field.format == FieldFormat::number && aligned && field.size == 4)
        store<std::uint32_t>(to, from);
    else if (field.format == FieldFormat::number && aligned && field.size == 2)
        store<std::uint16_t>(to, from);
    else
        std::memcpy(to, from, field.size);
}

} // namespace

std::string bounds_text(const Parameter &parameter)
{
    std::vector<std::string> parts;
    for (const auto &[first, last] : parameter.bounds)
        parts.push_back(first == last ? fmt::format("{}", first) : fmt::format("{}..{}", first, last));
    return fmt::format("{}", fmt::join(parts, ", "));
}

Result<void> put_parameter(const Image &image, std::string_view name, std::string_view value, std::span<std::byte> all)
{
    const Result<const Parameter *> parameter = find_parameter(image, name);
    if (!parameter)
        return std::unexpected(parameter.error());
    const LayoutField &field = image.maps[image.params.value].value.fields[(*parameter)->field];
    if (auto read = read_field(field, value, all); !read)
        return std::unexpected(cannot(name, std::move(read.error())));
    const auto &bounds = (*parameter)->bounds;
    if (bounds.empty())
        return {};
    const std::uint64_t number = number_of(field, all);
    if (std::ranges::any_of(bounds, [&](const auto &b) { return b.first <= number && number <= b.second; }))
        return {};
    Error error = cannot(name, fmt::format("{} is out of its bounds", number));
    error.cause = fmt::format("the source declares it in {}", bounds_text(**parameter));
    error.remedy = fmt::format("the same command without --param {}   (the source's own value)", name);
    return std::unexpected(std::move(error));
}

Result<void> ProgramMaps::set_parameter(std::string_view name, std::string_view value) const
{
    const Result<const Parameter *> parameter = find_parameter(image_, name);
    if (!parameter)
        return std::unexpected(parameter.error());
    const MapSpec &spec = image_.maps[image_.params.value];
    Bytes bytes(spec.value.size);
    if (Result<void> put = put_parameter(image_, name, value, bytes); !put)
        return put;
    const SharedValue shared(fd_(image_.params), spec.value.size);
    if (shared.bytes() == nullptr)
        return std::unexpected(system_error(fmt::format("cannot set parameter '{}'", name), "mmap", errno));
    const LayoutField &field = spec.value.fields[(*parameter)->field];
    store(field, shared.bytes() + field.offset, bytes.data() + field.offset);
    return {};
}

Result<std::string> ProgramMaps::parameter(std::string_view name) const
{
    const Result<const Parameter *> parameter = find_parameter(image_, name);
    if (!parameter)
        return std::unexpected(parameter.error());
    const Map map = this->map(image_.params);
    const Result<std::optional<Bytes>> bytes = map.lookup(Bytes(map.spec().key.size));
    if (!bytes)
        return std::unexpected(bytes.error());
    return field_text(map.spec().value.fields[(*parameter)->field], bytes->value());
}

Result<std::vector<RuleCount>> ProgramMaps::rule_counts() const
{
    std::vector<RuleCount> out;
    for (std::size_t i = 0; i < image_.programs.size(); ++i) {
        const MapId counters = image_.programs[i].rule_counters;
        if (!counters.valid() || std::ranges::find(loaded_, i) == loaded_.end())
            continue;
        const Map map = this->map(counters);
        const Result<std::vector<Entry>> entries = map.entries();
        if (!entries)
            return std::unexpected(entries.error());
        const std::vector<LayoutField> &fields = map.spec().value.fields;
        for (std::size_t rule = 0; rule < entries->size(); ++rule) {
            const Bytes &value = (*entries)[rule].value;
            out.push_back({i, rule, number_of(fields[0], value), number_of(fields[1], value)});
        }
    }
    return out;
}

Result<std::optional<VerdictCounts>> ProgramMaps::verdict_counts() const
{
    if (!image_.verdict_counters.valid())
        return std::nullopt;
    const Map map = this->map(image_.verdict_counters);
    const Result<std::vector<Entry>> entries = map.entries();
    if (!entries)
        return std::unexpected(entries.error());
    const auto count = [&](std::size_t verdict) {
        return number_of(map.spec().value.fields[0], (*entries)[verdict].value);
    };
    return VerdictCounts{count(XDP_ABORTED), count(XDP_DROP), count(XDP_PASS), count(XDP_TX), count(XDP_REDIRECT)};
}

} // namespace xdpf::runtime
