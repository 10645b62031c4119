#include "runtime/records.hpp"

#include "compiler/map_text.hpp"
#include "runtime/fd.hpp"
#include "runtime/library_log.hpp"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <sys/epoll.h>
#include <utility>

namespace xdpf::runtime {
namespace {

// What every record begins with (compiler/image.hpp).
const LayoutField time_field{"time", FieldFormat::number, 0, 8, false};
const LayoutField type_field{"type", FieldFormat::number, 8, 4, false};
constexpr std::size_t head_size = 12;

constexpr std::uint64_t at_once = 4096; // records of one ring before its reader looks at other things

std::string hex(std::span<const std::byte> bytes)
{
    std::vector<unsigned> octets;
    std::ranges::transform(bytes, std::back_inserter(octets), [](std::byte b) { return std::to_integer<unsigned>(b); });
    return fmt::format("{:02x}", fmt::join(octets, ""));
}

// `layout` says where the field stands in the whole record; here are its bytes alone.
LayoutField alone(const LayoutField &layout)
{
    LayoutField field = layout;
    field.offset = 0;
    return field;
}

} // namespace

std::uint64_t RecordField::number() const { return number_of(alone(*layout), bytes); }
std::string RecordField::text() const { return field_text(alone(*layout), bytes); }

std::optional<Record> decode_record(const Image &image, MapId map, std::span<const std::byte> bytes)
{
    if (bytes.size() < head_size)
        return std::nullopt;
    const std::uint64_t index = number_of(type_field, bytes);
    if (index >= image.records.size())
        return std::nullopt;
    const RecordType &type = image.records[index];
    if (type.map != map || bytes.size() < type.layout.size)
        return std::nullopt;
    Record record{.map = image.maps[map.value].name, .type = &type, .time = number_of(time_field, bytes)};
    record.fields.reserve(type.layout.fields.size());
    std::uint64_t captured = 0;
    for (const LayoutField &field : type.layout.fields) {
        if (field.offset < head_size)
            continue;
        record.fields.push_back({&field, bytes.subspan(field.offset, field.size)});
        if (type.sample && field.name == "captured")
            captured = number_of(field, bytes);
    }
    if (!type.sample)
        return record;
    const auto behind = bytes.subspan(type.layout.size);
    if (captured > behind.size())
        return std::nullopt;
    record.packet = behind.first(captured);
    return record;
}

std::string to_text(const Record &record)
{
    constexpr std::uint64_t second = 1'000'000'000;
    std::vector<std::string> fields;
    for (const RecordField &field : record.fields)
        fields.push_back(fmt::format("{} = {}", field.layout->name, field.text()));
    const std::string head =
        fmt::format("{}.{:09} {} {}", record.time / second, record.time % second, record.map, fmt::join(fields, ", "));
    return record.type->sample ? fmt::format("{}: {}", head, hex(record.packet)) : head;
}

std::string to_json(const Record &record)
{
    nlohmann::ordered_json fields = nlohmann::ordered_json::object();
    for (const RecordField &field : record.fields) {
        if (field.layout->format == FieldFormat::number)
            fields[field.layout->name] = field.number();
        else if (field.layout->format == FieldFormat::bytes)
            fields[field.layout->name] = hex(field.bytes);
        else
            fields[field.layout->name] = field.text();
    }
    nlohmann::ordered_json out{{"map", std::string(record.map)}, {"time", record.time}, {"fields", std::move(fields)}};
    if (record.type->sample)
        out["packet"] = hex(record.packet);
    return out.dump();
}

struct RecordReader::State {
    struct Ring {
        State *state;
        MapId map;
        std::unique_ptr<ring_buffer, void (*)(ring_buffer *)> buffer{nullptr, &ring_buffer__free};
    };
    static int on_sample(void *context, void *data, std::size_t size)
    {
        const auto &ring = *static_cast<const Ring *>(context);
        State &state = *ring.state;
        const std::span bytes(static_cast<const std::byte *>(data), size);
        const std::optional<Record> record = decode_record(*state.image, ring.map, bytes);
        if (!record)
            ++state.unknown;
        else if (*state.on_record)
            (*state.on_record)(*record);
        return ++state.handed < at_once ? 0 : -EAGAIN; // negative: ends the round
    }

    std::unique_ptr<const Image> image; // names and types: records point into it
    std::vector<std::unique_ptr<Ring>> rings;
    Fd readable; // an epoll over the rings' own
    const std::function<void(const Record &)> *on_record = nullptr;
    std::uint64_t handed = 0; // of one ring in one round
    std::uint64_t unknown = 0;

    int add(const Loaded &loaded, MapId map)
    {
        Ring &ring = *rings.emplace_back(std::make_unique<Ring>(this, map));
        ring.buffer.reset(ring_buffer__new(loaded.map_fd(map), &on_sample, &ring, nullptr));
        if (ring.buffer == nullptr)
            return errno;
        epoll_event event{.events = EPOLLIN, .data = {}};
        return epoll_ctl(readable.get(), EPOLL_CTL_ADD, ring_buffer__epoll_fd(ring.buffer.get()), &event) == 0 ? 0
                                                                                                               : errno;
    }
};

RecordReader::RecordReader(std::unique_ptr<State> state) : state_(std::move(state)) {}
RecordReader::RecordReader(RecordReader &&) noexcept = default;
RecordReader &RecordReader::operator=(RecordReader &&) noexcept = default;
RecordReader::~RecordReader() = default;

Result<std::optional<RecordReader>> RecordReader::open(const Loaded &loaded)
{
    const std::vector<MapId> maps = loaded.used_maps(MapKind::ringbuf);
    if (maps.empty())
        return std::nullopt;
    const LibraryLog said;
    auto state = std::make_unique<State>();
    state->image = std::make_unique<const Image>(loaded.image());
    state->readable = Fd(epoll_create1(EPOLL_CLOEXEC));
    if (!state->readable)
        return std::unexpected(system_error("cannot read records", "epoll_create1", errno));
    for (const MapId map : maps)
        if (const int code = state->add(loaded, map); code != 0)
            return std::unexpected(system_error(
                fmt::format("cannot read records from '{}'", loaded.maps()[map.value].name), "ring_buffer__new", code));
    return RecordReader(std::move(state));
}

int RecordReader::fd() const { return state_->readable.get(); }

std::uint64_t RecordReader::read(const std::function<void(const Record &)> &on_record)
{
    std::uint64_t records = 0;
    state_->on_record = &on_record;
    for (const auto &ring : state_->rings) {
        state_->handed = 0;
        (void)ring_buffer__consume(ring->buffer.get());
        records += state_->handed;
    }
    state_->on_record = nullptr;
    return records;
}

std::uint64_t RecordReader::unknown() const { return state_->unknown; }

} // namespace xdpf::runtime
