// Every header of the standard library in packets: what its bytes are according to its own document, where it begins to
// be there as a packet grows, what its fields say, and packets that only look like it.
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace xdpf::diff {

// A condition that holds as soon as a packet has these layers behind the row's own, and not before.
struct Claim {
    std::string_view condition;
    std::string_view layers; // none: with the row's own
};

// Layers as `packet` statements have them; several stacks of them with `|` between. Conditions that are empty are not
// asked, and a row with no `never` needs `misses`.
struct Row {
    std::string_view imports;  // names of modules, with blanks between
    std::string_view fronts;   // stacks of layers, each with the row's layer behind it
    std::string_view layer;    // "vxlan(vni = 7)": the header that the row is about
    std::string_view bytes;    // hexadecimal digits; `?` is any: a checksum over what stands around it
    std::string_view behind;   // more layers
    std::string_view holds;    // of every such packet, as soon as it has the header
    std::string_view never;    // of no such packet
    std::string_view misses{}; // whole packets for which nothing of the row holds, claims included
    std::vector<Claim> claims{};

    [[nodiscard]] std::string_view header() const { return layer.substr(0, layer.find('(')); }
};

[[nodiscard]] std::span<const Row> link_rows();
[[nodiscard]] std::span<const Row> network_rows();
[[nodiscard]] std::span<const Row> option_rows();
[[nodiscard]] std::span<const Row> transport_rows();
[[nodiscard]] std::span<const Row> tunnel_rows();

} // namespace xdpf::diff
