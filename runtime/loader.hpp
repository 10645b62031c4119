// The steps of load(), private to it.
#pragma once

#include "runtime/library_log.hpp"
#include "runtime/load.hpp"
#include "runtime/pins.hpp"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace xdpf::runtime {

// Of the maps whose entries can have a program.
[[nodiscard]] std::optional<ProgramImage::Place> place_at(MapKind kind);

class Loader {
public:
    Loader(const Image &image, const LoadOptions &options);

    // Each needs the one before it.
    [[nodiscard]] Result<void> choose();  // which programs
    [[nodiscard]] Result<void> open();    // the object, for libbpf
    [[nodiscard]] Result<void> prepare(); // pins, parameters, the interface
    [[nodiscard]] Result<void> load();    // into the kernel

    [[nodiscard]] Loaded take() { return std::move(loaded_); }

private:
    [[nodiscard]] Error failed(std::string message) const;
    [[nodiscard]] Result<std::size_t> main_program() const;
    [[nodiscard]] Result<void> choose_goto();
    [[nodiscard]] Result<void> choose_entry_program(MapId map);
    [[nodiscard]] Result<void> check_entry_programs() const;
    [[nodiscard]] Result<void> bind_to_interface();
    [[nodiscard]] Result<void> prepare_pins();
    [[nodiscard]] Result<void> prepare_pin(MapId id);
    [[nodiscard]] Result<void> prepare_reused();
    [[nodiscard]] Result<void> prepare_parameters();
    [[nodiscard]] Error not_loaded(int code, const LibraryLog &said) const;

    const Image &image_;
    const LoadOptions &options_;
    Loaded loaded_;
};

// Of an error of bpf_object__load() with what libbpf said of it: names the map that the kernel refused, and why, if
// that is what went wrong.
bool explain_refused_map(Error &error, const Image &image, std::string_view said);

// Puts a value into the bytes of all parameters. Errors as Loaded::set_parameter.
[[nodiscard]] Result<void> put_parameter(const Image &image, std::string_view name, std::string_view value,
                                         std::span<std::byte> all);

} // namespace xdpf::runtime
