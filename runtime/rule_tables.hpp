// The rules of a program that stand in a map and can be replaced while it runs: those of `match from "FILE"`.
#pragma once

#include "compiler/image.hpp"
#include "runtime/error.hpp"
#include "runtime/fd.hpp"

#include <cstdint>
#include <string>

namespace xdpf::runtime {

class RuleTables {
public:
    // Of the first program on an interface, in the calling thread's network namespace; its owner may be another
    // process. Needs CAP_SYS_ADMIN, to open maps by their number.
    [[nodiscard]] static Result<RuleTables> of_interface(const std::string &interface);

    [[nodiscard]] std::uint32_t map_id() const { return id_; }
    // Bytes of the map's value: CompileOptions::table_bytes for the rules that are to take the place of these.
    [[nodiscard]] std::uint32_t size() const { return size_; }

    // Whether the program that runs reads rules as those of `image` are read.
    [[nodiscard]] Result<bool> match(const Image &image) const;
    // Puts the rules of `image` into force, all at once: a packet is decided by the old ones or by the new ones. The
    // image must come of the same source with another file of rules. Returns the new generation, counted from 1.
    Result<std::uint32_t> replace(const Image &image);

private:
    RuleTables(Fd map, std::uint32_t id, std::uint32_t size) : map_(std::move(map)), id_(id), size_(size) {}

    Fd map_;
    std::uint32_t id_;
    std::uint32_t size_;
};

} // namespace xdpf::runtime
