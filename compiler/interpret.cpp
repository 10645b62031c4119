#include "compiler/interpret.hpp"

#include "compiler/ir/interpret.hpp"
#include "compiler/state.hpp"

#include <cstdio>
#include <cstdlib>

namespace xdpf {

struct Interpreter::State {
    State(const ir::Module &module, std::size_t program) : maps(module.maps), interpreter(module.programs[program], maps) {}

    ir::MapStore maps;
    ir::Interpreter interpreter;
    std::vector<std::byte> packet; // a copy: programs may rewrite it
};

Interpreter::Interpreter(const Compilation &compilation, std::size_t program) : state_(std::make_unique<State>(compilation.state().module, program)) {}
Interpreter::Interpreter(Interpreter &&) noexcept = default;
Interpreter &Interpreter::operator=(Interpreter &&) noexcept = default;
Interpreter::~Interpreter() = default;

PacketResult Interpreter::run(std::span<const std::byte> packet, PacketContext context)
{
    state_->packet.assign(packet.begin(), packet.end());
    const auto result = state_->interpreter.run(state_->packet, {context.rx_queue, context.ingress_ifindex});
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

void Interpreter::clear_slots(MapId map) { state_->maps.clear_slots(map); }

void Interpreter::fill_slot(MapId map, std::uint32_t slot) { state_->maps.fill(map, slot); }

} // namespace xdpf
