#include "compiler/interpret.hpp"

#include "compiler/ir/interpret.hpp"
#include "compiler/state.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace xdpf {
namespace {

bool same_layout(const Layout &a, const Layout &b)
{
    const auto same_field = [](const LayoutField &x, const LayoutField &y) {
        return x.name == y.name && x.format == y.format && x.offset == y.offset && x.size == y.size &&
               x.big_endian == y.big_endian;
    };
    return a.size == b.size && std::ranges::equal(a.fields, b.fields, same_field);
}

bool same_map(const MapSpec &a, const MapSpec &b)
{
    return a.name == b.name && a.kind == b.kind && a.max_entries == b.max_entries && same_layout(a.key, b.key) &&
           same_layout(a.value, b.value);
}

} // namespace

struct Interpreter::State {
    State(const ir::Module &from, std::size_t program) : module(from), maps(from.maps) { select(program); }

    void select(std::size_t program) { interpreter.emplace(module.programs[program], maps); }

    const ir::Module &module;
    ir::MapStore maps;
    std::optional<ir::Interpreter> interpreter;
    std::vector<std::byte> packet; // a copy: programs may rewrite it
};

Interpreter::Interpreter(const Compilation &compilation, std::size_t program)
    : state_(std::make_unique<State>(compilation.state().module, program))
{
}
Interpreter::Interpreter(Interpreter &&) noexcept = default;
Interpreter &Interpreter::operator=(Interpreter &&) noexcept = default;
Interpreter::~Interpreter() = default;

PacketResult Interpreter::run(std::span<const std::byte> packet, PacketContext context)
{
    state_->packet.assign(packet.begin(), packet.end());
    const auto result = state_->interpreter->run(state_->packet, {context.rx_queue, context.ingress_ifindex});
    if (!result) {
        // The compiler's own bug: a program that reads what it has not guarded.
        std::fputs(result.error().c_str(), stderr);
        std::abort();
    }
    PacketResult out{.verdict = result->verdict, .decided_by = result->decided_by};
    if (result->redirect) {
        out.redirect_map = result->redirect->map;
        out.redirect_key = result->redirect->key;
    }
    return out;
}

std::optional<std::vector<std::byte>> Interpreter::lookup(MapId map, std::span<const std::byte> key)
{
    const auto value = state_->maps.lookup(map, key);
    return value ? std::optional(*value) : std::nullopt;
}

bool Interpreter::update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value)
{
    return state_->maps.update(map, key, value) == ir::MapStore::Outcome::done;
}

bool Interpreter::erase(MapId map, std::span<const std::byte> key) { return state_->maps.erase(map, key); }

void Interpreter::clear_slots(MapId map) { state_->maps.clear_slots(map); }

void Interpreter::fill_slot(MapId map, std::uint32_t slot) { state_->maps.fill(map, slot); }

void Interpreter::select(std::size_t program) { state_->select(program); }

std::vector<std::pair<std::vector<std::byte>, std::vector<std::byte>>> Interpreter::entries(MapId map) const
{
    return state_->maps.entries(map);
}

std::vector<std::uint32_t> Interpreter::filled_slots(MapId map) const
{
    std::vector<std::uint32_t> slots;
    for (std::uint32_t slot = 0; slot < state_->maps.spec(map).max_entries; ++slot)
        if (state_->maps.is_filled(map, slot))
            slots.push_back(slot);
    return slots;
}

void Interpreter::take_maps(Interpreter &&other)
{
    const auto &mine = state_->module.maps;
    const auto &theirs = other.state_->module.maps;
    for (std::size_t i = 0; i < mine.size(); ++i) {
        const auto same = std::ranges::find_if(theirs, [&](const MapSpec &spec) { return same_map(spec, mine[i]); });
        if (same != theirs.end())
            state_->maps.take(MapId(i), other.state_->maps, MapId(static_cast<std::size_t>(same - theirs.begin())));
    }
}

} // namespace xdpf
