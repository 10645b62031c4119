// Bytes of a file format in the making: plain structs one after the other, in the machine's byte order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace xdpf {

class ByteWriter {
public:
    template <class T>
    requires std::is_trivially_copyable_v<T>
    void put(const T &value) { put(std::as_bytes(std::span(&value, 1))); }
    void put(std::span<const std::byte> bytes) { bytes_.insert(bytes_.end(), bytes.begin(), bytes.end()); }
    // The text and a NUL behind it.
    void put_string(std::string_view text)
    {
        put(std::as_bytes(std::span(text)));
        bytes_.push_back(std::byte{0});
    }
    // Zeroes up to a multiple of `alignment`.
    void align(std::size_t alignment) { bytes_.resize((bytes_.size() + alignment - 1) / alignment * alignment); }

    [[nodiscard]] std::uint32_t size() const { return static_cast<std::uint32_t>(bytes_.size()); }
    [[nodiscard]] const std::vector<std::byte> &bytes() const { return bytes_; }
    // A writer that is about to go gives its bytes away.
    [[nodiscard]] std::vector<std::byte> take() && { return std::move(bytes_); }

private:
    std::vector<std::byte> bytes_;
};

} // namespace xdpf
