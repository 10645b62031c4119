// The maps of a program that is at work, whoever loaded it: its parameters, and what its rules and verdicts counted.
// Needs of the image only the maps, the programs' names and counters, and the parameters.
#pragma once

#include "runtime/load.hpp"
#include "runtime/maps.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::runtime {

// Borrows the image and the list of programs, and what `fd` refers to.
class ProgramMaps {
public:
    // The descriptor of a map; -1: there is none.
    using Descriptors = std::function<int(MapId)>;

    // `loaded`: indices into Image::programs.
    ProgramMaps(const Image &image, const std::vector<std::size_t> &loaded, Descriptors fd)
        : image_(image), loaded_(loaded), fd_(std::move(fd))
    {
    }

    [[nodiscard]] const Image &image() const { return image_; }
    [[nodiscard]] int fd(MapId map) const { return fd_(map); } // -1: there is none
    [[nodiscard]] Map map(MapId map) const { return {image_.maps[map.value], fd_(map)}; }
    // The error names the maps that there are.
    [[nodiscard]] Result<Map> map(std::string_view name) const;

    // As Loaded's of the same names.
    [[nodiscard]] Result<void> set_parameter(std::string_view name, std::string_view value) const;
    [[nodiscard]] Result<std::string> parameter(std::string_view name) const;
    [[nodiscard]] Result<std::vector<RuleCount>> rule_counts() const;
    [[nodiscard]] Result<std::optional<VerdictCounts>> verdict_counts() const;

private:
    const Image &image_;
    const std::vector<std::size_t> &loaded_;
    Descriptors fd_;
};

// Whether the source declares it or redirects into it: it is not the compiler's own, and counts no rules or verdicts.
[[nodiscard]] bool is_of_source(const Image &image, MapId map);

// What may be set: "1..100, 200"; empty: all that fits.
[[nodiscard]] std::string bounds_text(const Parameter &parameter);

} // namespace xdpf::runtime
