#include "compiler/interpret.hpp"

#include "compiler/bpf/interpret.hpp"
#include "compiler/ir/interpret.hpp"
#include "compiler/map_text.hpp"
#include "compiler/state.hpp"

#include <algorithm>
#include <cassert>
#include <cstdio>
#include <cstdlib>

namespace xdpf {
namespace {

constexpr unsigned most_tail_calls = 33; // MAX_TAIL_CALL_CNT of <linux/bpf.h> in the kernel's tree

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
    const auto same_content = [](const MapContent &x, const MapContent &y) {
        return x.key == y.key && x.value == y.value && x.interface == y.interface;
    };
    return a.name == b.name && a.kind == b.kind && a.max_entries == b.max_entries && same_layout(a.key, b.key) &&
           same_layout(a.value, b.value) && a.initial == b.initial &&
           std::ranges::equal(a.contents, b.contents, same_content);
}

ir::Context context_of(const PacketContext &from)
{
    ir::Context out{.rx_queue = from.rx_queue,
                    .ingress_ifindex = from.ingress_ifindex,
                    .egress_ifindex = from.egress_ifindex,
                    .cpu = from.cpu,
                    .now = from.now,
                    .seed = from.seed,
                    .rx = {from.rx_hash, from.rx_timestamp, {}}};
    if (from.rx_vlan)
        out.rx.vlan = ir::RxMetadata::Vlan{.tci = *from.rx_vlan};
    return out;
}

// The field where nothing stands around it.
LayoutField alone(LayoutField field)
{
    field.offset = 0;
    return field;
}

std::vector<std::byte> copy_of(std::span<const std::byte> bytes) { return {bytes.begin(), bytes.end()}; }

} // namespace

struct Interpreter::State {
    State(const Compilation::State &compilation, std::size_t program)
        : image(compilation.image), module(compilation.reference()), maps(module.maps)
    {
        interpreters.resize(module.programs.size());
        select(program);
        for (std::size_t i = 0; i < module.maps.size(); ++i)
            fill(MapId(i));
    }

    void select(std::size_t program)
    {
        selected = program;
        (void)interpreter(program);
    }

    ir::Interpreter &interpreter(std::size_t program)
    {
        auto &one = interpreters[program];
        if (!one) {
            one.emplace(module.programs[program], maps);
            one->set_asm_hook(bpf::run_asm);
        }
        return *one;
    }

    void fill(MapId map)
    {
        const MapSpec &spec = module.maps[map.value];
        if (spec.data)
            maps.update(map, first_index, spec.initial);
        // Nobody knows what is in the slots of a table that the source fills by itself.
        if (has(spec.kind, map_trait::programs) && map != image.program_table)
            maps.clear_slots(map);
        if (has(spec.kind, map_trait::redirect | map_trait::programs))
            return;
        for (const MapContent &entry : spec.contents)
            put(map, entry.key, entry.value);
    }

    bool put(MapId map, std::span<const std::byte> key, std::span<const std::byte> value)
    {
        const bool keyless = has(module.maps[map.value].kind, map_trait::keyless);
        const auto outcome = keyless ? maps.push(map, value) : maps.update(map, key, value);
        return outcome == ir::MapStore::Outcome::done;
    }

    // The slots of a program table are empty for the one who has gone on often enough: its next `goto` fails.
    ir::RunResult run_last(std::size_t program, ir::PacketBuffer &buffer, const ir::Context &context)
    {
        const MapId table = image.program_table;
        std::vector<std::uint32_t> filled;
        for (std::uint32_t slot = 0; slot < maps.spec(table).max_entries; ++slot)
            if (maps.is_filled(table, slot))
                filled.push_back(slot);
        maps.clear_slots(table);
        auto result = run_one(program, buffer, context);
        for (const auto slot : filled)
            maps.fill(table, slot);
        return result;
    }

    ir::RunResult run_one(std::size_t program, ir::PacketBuffer &buffer, const ir::Context &context)
    {
        auto result = interpreter(program).run(buffer, context);
        if (result)
            return std::move(*result);
        // The compiler's own bug: a program that reads what it has not guarded.
        std::fputs(result.error().c_str(), stderr);
        std::abort();
    }

    [[nodiscard]] const Parameter *parameter(std::string_view name) const
    {
        const auto found = std::ranges::find(image.parameters, name, &Parameter::name);
        return found == image.parameters.end() ? nullptr : &*found;
    }
    [[nodiscard]] const LayoutField &field_of(const Parameter &parameter) const
    {
        return module.maps[image.params.value].value.fields[parameter.field];
    }
    [[nodiscard]] std::string no_parameter(std::string_view name) const
    {
        std::vector<std::string> names;
        for (const Parameter &one : image.parameters)
            names.push_back(one.name);
        const auto help = did_you_mean(name, names);
        return fmt::format("there is no parameter '{}'{}{}", name, help.empty() ? "" : "; ", help);
    }

    inline static const std::vector<std::byte> first_index = std::vector<std::byte>(4);

    const Image &image;
    const ir::Module &module;
    ir::MapStore maps;
    std::size_t selected = 0;
    std::vector<std::optional<ir::Interpreter>> interpreters; // by program, made when they first run
    ir::PacketBuffer packet;
};

Interpreter::Interpreter(const Compilation &compilation, std::size_t program)
    : state_(std::make_unique<State>(compilation.state(), program))
{
}
Interpreter::Interpreter(Interpreter &&) noexcept = default;
Interpreter &Interpreter::operator=(Interpreter &&) noexcept = default;
Interpreter::~Interpreter() = default;

PacketResult Interpreter::run(std::span<const std::byte> packet, const PacketContext &context)
{
    State &state = *state_;
    state.packet.assign(packet);
    ir::Context around = context_of(context);
    PacketResult out{.program = state.selected};
    std::size_t running = state.selected;
    for (unsigned calls = 0;; ++calls) {
        auto result = calls == most_tail_calls ? state.run_last(running, state.packet, around)
                                               : state.run_one(running, state.packet, around);
        for (auto &record : result.records)
            out.records.push_back({record.map, std::move(record.bytes)});
        if (result.tail_call) {
            assert(result.tail_call->map == state.image.program_table);
            running = result.tail_call->slot;
            ++around.seed; // other numbers than those that the program in front has had
            if (state.image.programs[running].part_of)
                continue;
            out.gone_on_by.push_back(result.decided_by);
            out.program = running;
            continue;
        }
        out.verdict = result.verdict;
        out.decided_by = result.decided_by;
        if (result.redirect) {
            out.redirect_map = result.redirect->map;
            out.redirect_key = result.redirect->key;
            out.broadcast = result.redirect->broadcast;
            out.exclude_ingress = result.redirect->exclude_ingress;
        }
        break;
    }
    out.bytes = copy_of(state.packet.bytes());
    out.metadata = copy_of(state.packet.metadata());
    return out;
}

std::expected<void, std::string> Interpreter::set_parameter(std::string_view name, std::uint64_t value)
{
    const Parameter *parameter = state_->parameter(name);
    if (parameter == nullptr)
        return std::unexpected(state_->no_parameter(name));
    const LayoutField &field = state_->field_of(*parameter);
    if (field.format != FieldFormat::number)
        return std::unexpected(fmt::format("parameter '{}' is no number", name));
    if (field.size < sizeof value && value >> (8 * field.size) != 0)
        return std::unexpected(
            fmt::format("{} does not fit into parameter '{}', which has {} bits", value, name, 8 * field.size));
    std::vector<std::byte> bytes(field.size);
    put_number(alone(field), value, bytes);
    return set_parameter(name, bytes);
}

std::expected<void, std::string> Interpreter::set_parameter(std::string_view name, std::span<const std::byte> value)
{
    const Parameter *parameter = state_->parameter(name);
    if (parameter == nullptr)
        return std::unexpected(state_->no_parameter(name));
    const LayoutField &field = state_->field_of(*parameter);
    if (value.size() != field.size)
        return std::unexpected(
            fmt::format("parameter '{}' has {} bytes, and these are {}", name, field.size, value.size()));
    if (field.format == FieldFormat::number && !parameter->bounds.empty()) {
        const auto number = number_of(alone(field), value);
        if (std::ranges::none_of(parameter->bounds,
                                 [&](const auto &bound) { return bound.first <= number && number <= bound.second; }))
            return std::unexpected(fmt::format("{} lies out of the bounds of parameter '{}'", number, name));
    }
    const auto all = state_->maps.lookup(state_->image.params, State::first_index);
    std::ranges::copy(value, all->begin() + field.offset);
    return {};
}

std::optional<std::vector<std::byte>> Interpreter::lookup(MapId map, std::span<const std::byte> key)
{
    const MapKind kind = state_->maps.spec(map).kind;
    if (kind == MapKind::bloom_filter)
        return state_->maps.has_value(map, key) ? std::optional(copy_of(key)) : std::nullopt;
    if (has(kind, map_trait::keyless | map_trait::redirect | map_trait::programs | map_trait::ring))
        return std::nullopt;
    const auto value = state_->maps.lookup(map, key);
    return value ? std::optional(*value) : std::nullopt;
}

bool Interpreter::update(MapId map, std::span<const std::byte> key, std::span<const std::byte> value)
{
    return state_->put(map, key, value);
}

bool Interpreter::erase(MapId map, std::span<const std::byte> key) { return state_->maps.erase(map, key); }

void Interpreter::clear(MapId map) { state_->maps.clear(map); }

void Interpreter::clear_slots(MapId map) { state_->maps.clear_slots(map); }

void Interpreter::fill_slot(MapId map, std::uint32_t slot) { state_->maps.fill(map, slot); }

bool Interpreter::is_filled(MapId map, std::uint32_t slot) const { return state_->maps.is_filled(map, slot); }

void Interpreter::clear_records(MapId ring) { state_->maps.clear_records(ring); }

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
