#include "compiler/explain/maps.hpp"

namespace xdpf::explain {

std::optional<Bytes> Overlay::lookup(MapId map, std::span<const std::byte> key)
{
    if (!written_.empty())
        if (const auto at = written_.find({map, Bytes(key.begin(), key.end())}); at != written_.end())
            return at->second;
    return below_(map, key);
}

void Overlay::update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value)
{
    written_.insert_or_assign({map, Bytes(key.begin(), key.end())}, Bytes(value.begin(), value.end()));
}

void Overlay::erase(MapId map, std::span<const std::byte> key)
{
    written_.insert_or_assign({map, Bytes(key.begin(), key.end())}, std::nullopt);
}

} // namespace xdpf::explain
