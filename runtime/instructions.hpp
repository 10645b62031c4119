// The steps around a program of instructions (compiler/instructions.hpp), by the names that are usual for them.
#pragma once

#include "runtime/attach.hpp"
#include "runtime/load.hpp"
#include "runtime/maps.hpp"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace xdpf::runtime {

// Into the kernel, which verifies it: runtime/load.hpp.
[[nodiscard]] inline Result<Loaded> load_program(const Image &image) { return load(image); }

// As long as the attachment lives: runtime/attach.hpp.
[[nodiscard]] inline Result<Attachment> attach_xdp(Loaded &program, const std::string &interface,
                                                   Mode mode = Mode::automatic)
{
    const Result<Interface> found = find_interface(interface, "cannot attach to '" + interface + "'");
    return found ? attach(program, *found, mode) : std::unexpected(found.error());
}

// Into a slot of an XSKMAP goes a socket's descriptor, into other maps what the texts say: runtime/maps.hpp.
[[nodiscard]] inline Result<void> map_update(const Loaded &program, std::string_view map, std::uint32_t slot, int fd)
{
    const Result<Map> found = map_of(program, map);
    if (!found)
        return std::unexpected(found.error());
    return found->update(std::as_bytes(std::span(&slot, 1)), std::as_bytes(std::span(&fd, 1)));
}
[[nodiscard]] inline Result<void> map_update(const Loaded &program, std::string_view map, std::string_view key,
                                             std::string_view value)
{
    const Result<Map> found = map_of(program, map);
    const auto key_bytes = found ? found->key(key) : std::unexpected(found.error());
    const auto value_bytes = found ? found->value(value) : std::unexpected(found.error());
    if (!key_bytes || !value_bytes)
        return std::unexpected(key_bytes ? value_bytes.error() : key_bytes.error());
    return found->update(*key_bytes, *value_bytes);
}

} // namespace xdpf::runtime
