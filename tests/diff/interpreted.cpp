#include "tests/diff/interpreted.hpp"

#include "compiler/state.hpp"

#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>

namespace xdpf::diff {
namespace {

constexpr unsigned most_tail_calls = 33; // MAX_TAIL_CALL_CNT of the kernel's include/linux/bpf.h

const Bytes first_index(4);

} // namespace

std::string text_of(const Outcome &outcome)
{
    if (!outcome)
        return outcome.error();
    std::string out = fmt::format("{}", outcome->verdict);
    if (const auto &to = outcome->redirect)
        out += fmt::format(" to map {} slot {}{}{}", to->map.value, to->key, to->broadcast ? " and all others" : "",
                           to->exclude_ingress ? " but where it came from" : "");
    for (const auto &[map, bytes] : outcome->records)
        out += fmt::format("\n    record in map {}: {}", map, hex(bytes));
    return out + fmt::format("\n    left {}", hex(outcome->left));
}

std::uint32_t slots_to_fill(const MapSpec &map)
{
    return map.kind == MapKind::xskmap ? map.max_entries
                                       : std::min(map.max_entries, map.kind == MapKind::cpumap ? 1U : 3U);
}

Interpreted::Interpreted(const Compilation &compilation, bool bytecode, const Subject &subject, ir::Context context)
    : compilation_(compilation), maps_(compilation.state().module.maps), context_(std::move(context))
{
    const ir::Module &module = compilation.state().module;
    if (!bytecode)
        for (const ir::Program &program : module.programs) {
            interpreters_.push_back(std::make_unique<ir::Interpreter>(program, maps_));
            interpreters_.back()->set_asm_hook(bpf::run_asm);
        }
    for (std::size_t i = 0; i < module.maps.size(); ++i)
        fill(MapId(i));
    for (const Filling &filling : subject.fillings)
        for (std::size_t i = 0; i < module.maps.size(); ++i)
            if (module.maps[i].name == filling.map)
                (void)maps_.update(MapId(i), filling.key, filling.value);
}

void Interpreted::fill(MapId map)
{
    const MapSpec &spec = maps_.spec(map);
    if (spec.data)
        (void)maps_.update(map, first_index, spec.initial);
    if (has(spec.kind, map_trait::redirect)) {
        maps_.clear_slots(map);
        for (std::uint32_t slot = 0; slot < slots_to_fill(spec); ++slot)
            maps_.fill(map, slot);
        return;
    }
    for (const MapContent &content : spec.contents)
        (void)(has(spec.kind, map_trait::keyless) ? maps_.push(map, content.value)
                                                  : maps_.update(map, content.key, content.value));
}

template <class Result> std::optional<ir::TailCall> Interpreted::take(Result &result, Answer &answer)
{
    answer.verdict = result.verdict;
    answer.redirect = result.verdict == XDP_REDIRECT ? result.redirect : std::nullopt;
    for (ir::RingRecord &record : result.records)
        answer.records.emplace_back(record.map.value, std::move(record.bytes));
    return result.tail_call;
}

Outcome Interpreted::run(const Bytes &packet)
{
    ir::PacketBuffer buffer(packet);
    Answer answer;
    const MapId table = compilation_.image().program_table;
    std::optional<ir::TailCall> next = ir::TailCall{table, 0};
    for (unsigned runs = 0; next; ++runs) {
        const std::size_t program = next->slot;
        if (runs == most_tail_calls)
            maps_.clear_slots(table);
        if (interpreters_.empty()) {
            auto result = bpf::interpret(compilation_.image().programs[program], maps_, buffer, context_);
            if (!result)
                return std::unexpected(result.error());
            next = take(*result, answer);
        } else {
            auto result = interpreters_[program]->run(buffer, context_);
            if (!result)
                return std::unexpected(result.error());
            next = take(*result, answer);
        }
    }
    if (table.valid())
        for (std::uint32_t slot = 0; slot < maps_.spec(table).max_entries; ++slot)
            maps_.fill(table, slot);
    for (std::size_t i = 0; i < compilation_.image().maps.size(); ++i)
        if (has(compilation_.image().maps[i].kind, map_trait::ring))
            maps_.clear_records(MapId(i)); // as the one who runs the kernel's program reads them
    const auto metadata = buffer.metadata();
    answer.left.assign(metadata.begin(), metadata.end());
    answer.left.insert(answer.left.end(), buffer.bytes().begin(), buffer.bytes().end());
    return answer;
}

} // namespace xdpf::diff
