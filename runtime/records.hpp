// What programs write into their ring buffers (`emit`, `sample`), read and taken apart.
#pragma once

#include "runtime/error.hpp"
#include "runtime/load.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::runtime {

struct RecordField {
    const LayoutField *layout; // of the RecordType's; `bytes` are only this field's
    std::span<const std::byte> bytes;

    [[nodiscard]] std::uint64_t number() const; // of numbers
    [[nodiscard]] std::string text() const;     // 53, 10.0.0.1
};

// Views into the ring: good until the callback that got it returns.
struct Record {
    std::string_view map; // its ring buffer
    const RecordType *type = nullptr;
    std::uint64_t time = 0;            // nanoseconds of CLOCK_MONOTONIC
    std::vector<RecordField> fields;   // without `time` and `type`; of samples captured, length, rx_queue, iface
    std::span<const std::byte> packet; // of samples: what was captured of it, from its first byte on
};

// Nothing where the bytes are no record of this map: too short, or of a type that the image does not have.
[[nodiscard]] std::optional<Record> decode_record(const Image &image, MapId map, std::span<const std::byte> bytes);

// One line without its end: "12.345678901 events src = 10.0.0.1, dport = 53"; of a sample the bytes in hex behind that.
[[nodiscard]] std::string to_text(const Record &record);
// {"map":"events","time":12345678901,"fields":{"src":"10.0.0.1","dport":53}}, of samples with "packet":"02…"
[[nodiscard]] std::string to_json(const Record &record);

class RecordReader {
public:
    // All ring buffers that the loaded programs write to; nothing where there are none. `loaded` must outlive it.
    [[nodiscard]] static Result<std::optional<RecordReader>> open(const Loaded &loaded);
    RecordReader(RecordReader &&) noexcept;
    RecordReader &operator=(RecordReader &&) noexcept;
    ~RecordReader();

    [[nodiscard]] int fd() const; // readable, for poll and epoll, when records are there
    // Hands over what is there, in each ring's order, without waiting, and of a ring that fills all the time a few
    // thousand; how many there were.
    std::uint64_t read(const std::function<void(const Record &)> &on_record);
    // What the rings held and no RecordType describes.
    [[nodiscard]] std::uint64_t unknown() const;

private:
    struct State;
    explicit RecordReader(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace xdpf::runtime
