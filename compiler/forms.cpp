// `xdpf build --explain`.
#include "compiler/cut.hpp"
#include "compiler/rule_tables.hpp"
#include "compiler/sema/literals.hpp"
#include "compiler/state.hpp"

#include <fmt/format.h>

namespace xdpf {
namespace {

std::string_view text_of(RunForm::Kind kind)
{
    switch (kind) {
    case RunForm::Kind::row: return "tested one after the other";
    case RunForm::Kind::tree: return "a tree of comparisons, in code";
    case RunForm::Kind::points: return "a hash table in a map";
    case RunForm::Kind::intervals: return "a table of intervals in a map";
    case RunForm::Kind::tables: return "a tree in a map, behind a cache of flows";
    }
    return {};
}

// How often the kernel's verifier walks each instruction: those of loops once a round. A path that joins another in
// the same state ends there, so this is about what it takes where that works.
std::uint64_t verifier_steps(const ir::Program &program, std::size_t insns)
{
    std::uint64_t once = 0;
    std::uint64_t walked = 0;
    std::vector<std::uint64_t> rounds(program.blocks.size(), 1);
    for (std::size_t i = 0; i < program.blocks.size(); ++i) {
        const ir::Terminator &end = program.blocks[ir::BlockId(i)].end;
        if (end.kind != ir::Terminator::Kind::again)
            continue;
        const ir::BlockId head = end.edges[0].target;
        for (std::size_t inside = head.value; inside <= i; ++inside)
            rounds[inside] = std::max<std::uint64_t>(rounds[inside], program.blocks[head].rounds + 1);
    }
    for (std::size_t i = 0; i < program.blocks.size(); ++i) {
        const std::uint64_t size = program.blocks[ir::BlockId(i)].insts.size() + 1;
        once += size;
        walked += size * rounds[i];
    }
    return once == 0 ? 0 : walked * insns / once;
}

std::string text_of(const RunForm &form)
{
    std::string out = fmt::format("  {} for packets with {}: {}\n", sema::counted(form.rules, "rule"),
                                  form.headers.empty() ? "none of the headers" : form.headers, text_of(form.kind));
    if (form.kind == RunForm::Kind::points)
        out += fmt::format("    over {}, each compared with one number\n", sema::counted(form.fields, "field"));
    else if (form.kind == RunForm::Kind::intervals)
        out += fmt::format("    over 1 field, {}; up to {} of entries{}\n", sema::counted(form.entries, "interval"),
                           sema::counted(form.depth, "level"),
                           form.widest == 0 ? "" : fmt::format(", then {} ends at once", form.widest));
    else if (form.kind != RunForm::Kind::row)
        out += fmt::format("    over {}, up to {}, then up to {}; {} entries in all\n",
                           sema::counted(form.fields, "field"), sema::counted(form.depth, "comparison"),
                           sema::counted(form.widest, "rule"), form.entries);
    return out + fmt::format("    because {}\n", form.why);
}

// Of the lowered program `number`.
std::string text_of(const Compilation::State &state, std::size_t number)
{
    const ProgramImage &program = state.image.programs[number];
    std::string out = fmt::format("{} instructions, about {} steps of the kernel's verifier\n", program.insns.size(),
                                  verifier_steps(state.module.programs[number], program.insns.size()));
    bool any = false;
    for (const RunForm &form : state.forms) {
        if (form.program != program.name || form.rules == 0)
            continue;
        any = true;
        out += text_of(form);
    }
    if (!any)
        out += "  rules are tested one after the other, those that share a header behind one look at it\n";
    return out;
}

// "rules 4001 to 8000"
std::string rules_of(const SplitPrograms::Part &part, const sema::Program &program)
{
    if (part.begin == part.end)
        return "no rule of its own";
    const auto numbers = numbers_of_leaves(program.rules);
    const std::size_t first = numbers[part.begin].first;
    const std::size_t last = numbers[part.end - 1].second;
    return first == last ? fmt::format("rule {}", first) : fmt::format("rules {} to {}", first, last);
}

std::string text_of_parts(const Compilation::State &state, std::size_t program)
{
    const std::vector<std::size_t> parts = state.split.parts_of(program);
    std::string out = fmt::format("program {}: split into {} programs that go on with each other by tail call\n"
                                  "    because {}\n",
                                  state.unit.programs[program].name, parts.size(), state.whys_split[program]);
    for (const std::size_t part : parts)
        out += fmt::format("program {}, {}: {}", state.image.programs[part].name,
                           rules_of(state.split.parts[part], state.unit.programs[program]), text_of(state, part));
    return out;
}

} // namespace

std::string Compilation::explain_forms() const
{
    std::string out;
    for (std::size_t i = 0; i < state_->unit.programs.size(); ++i)
        if (state_->split.programs.empty() || state_->split.parts_of(i).size() == 1)
            out += fmt::format("program {}: {}", state_->image.programs[i].name, text_of(*state_, i));
        else
            out += text_of_parts(*state_, i);
    for (const MapSpec &spec : state_->image.maps)
        if (spec.internal)
            out += fmt::format("map {}: {} bytes{}\n", spec.name, std::uint64_t{spec.max_entries} * spec.value.size,
                               has(spec.kind, map_trait::per_cpu) ? " for each processor" : "");
    return out;
}

} // namespace xdpf
