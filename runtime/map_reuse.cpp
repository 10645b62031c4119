#include "runtime/map_reuse.hpp"

#include <algorithm>
#include <tuple>

namespace xdpf::runtime {
namespace {

bool same_field(const LayoutField &a, const LayoutField &b)
{
    const auto parts = [](const LayoutField &field) {
        return std::tie(field.name, field.format, field.offset, field.size, field.big_endian, field.either_ip);
    };
    return parts(a) == parts(b);
}

bool same_layout(const Layout &a, const Layout &b)
{
    return a.size == b.size && std::ranges::equal(a.fields, b.fields, same_field);
}

bool can_take_over(const MapSpec &before, const MapSpec &now)
{
    const bool targets = has(now.kind, map_trait::redirect) && now.kind != MapKind::xskmap;
    return !targets && !before.pinned && !now.pinned && before.kind == now.kind && same_layout(before.key, now.key) &&
           same_layout(before.value, now.value) && before.max_entries == now.max_entries && before.flags == now.flags;
}

} // namespace

std::map<std::string, int> maps_to_keep(const ProgramMaps &before, const Image &now)
{
    std::map<std::string, int> out;
    const Image &old = before.image();
    for (std::size_t i = 0; i < now.maps.size(); ++i) {
        const MapSpec &spec = now.maps[i];
        const auto found = std::ranges::find(old.maps, spec.name, &MapSpec::name);
        const MapId id(static_cast<std::size_t>(found - old.maps.begin()));
        if (found != old.maps.end() && is_of_source(now, MapId(i)) && is_of_source(old, id) &&
            can_take_over(*found, spec) && before.fd(id) >= 0)
            out[spec.name] = before.fd(id);
    }
    return out;
}

} // namespace xdpf::runtime
