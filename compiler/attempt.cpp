#include "compiler/attempt.hpp"

#include "compiler/bpf/codegen.hpp"
#include "compiler/gotos.hpp"
#include "compiler/llvm/backend.hpp"
#include "compiler/passes/count_verdicts.hpp"
#include "compiler/passes/pipeline.hpp"

#include <expected>
#include <optional>
#include <set>
#include <utility>

namespace xdpf {
namespace {

std::string limit_text(const bpf::CodegenError &error)
{
    using LimitKind = bpf::CodegenError::Kind;
    switch (error.kind) {
    case LimitKind::too_many_insns:
        return fmt::format("it has {} instructions, and the kernel's verifier gets through about {}", error.amount,
                           error.limit);
    case LimitKind::stack_too_large:
        return fmt::format("it needs {} bytes of stack, and the kernel gives {}", error.amount, error.limit);
    case LimitKind::too_many_branches:
        return fmt::format("one packet can meet {} tests in a row, and the kernel's verifier follows {}", error.amount,
                           error.limit);
    case LimitKind::jump_too_far:
        return fmt::format("a jump goes over {} instructions, and {} are possible", error.amount, error.limit);
    }
    return {};
}

void heads_of(const std::vector<sema::Rule> &rules, std::vector<Span> &out)
{
    for (const sema::Rule &rule : rules) {
        if (const auto *nested = std::get_if<std::vector<sema::Rule>>(&rule.body))
            heads_of(*nested, out);
        else
            out.push_back(rule.head);
    }
}

// What the source says of a program, besides its instructions.
void describe(const sema::Program &source, ProgramImage &out)
{
    out.place = source.place;
    out.frags = source.frags;
    out.priority = source.priority;
    out.chain = source.chain;
    out.rule_counters = source.counters;
    heads_of(source.rules, out.rules);
}

double share_of(const bpf::CodegenError &error)
{
    const bool can_be_split = error.kind == bpf::CodegenError::Kind::too_many_insns ||
                              error.kind == bpf::CodegenError::Kind::too_many_branches;
    return can_be_split ? static_cast<double>(error.amount) / static_cast<double>(error.limit) : 0;
}

std::size_t maps_of(const ProgramImage &program)
{
    std::set<MapId> maps;
    for (const MapReference &reference : program.map_references)
        maps.insert(reference.map);
    return maps.size();
}

class Attempter {
public:
    Attempter(const Compilation::State &state, const CompileOptions &options, const SplitPrograms &split)
        : state_(state), options_(options), split_(split),
          programs_(split.programs.empty() ? state.unit.programs : split.programs)
    {
        made_.shares.resize(programs_.size());
        made_.whys.resize(programs_.size());
    }

    Attempt run()
    {
        lower_all();
        check_gotos(programs_, made_.module, made_.diagnostics);
        if (made_.diagnostics.has_errors())
            return std::move(made_);
        if (options_.verdict_counters)
            made_.verdict_counters = count_verdicts(programs_, made_.module);
        if (options_.optimize) {
            for (ir::Program &program : made_.module.programs)
                program.by_rule = false;
            passes::optimize(made_.module);
        }
        for (std::size_t i = 0; i < programs_.size(); ++i)
            generate(i);
        return std::move(made_);
    }

private:
    // Of the unit's programs none is too large to be split; a part that is will not become small by more of that.
    void lower_all()
    {
        constexpr double guessed = 16; // nobody knows how much it comes to
        std::vector<std::size_t> given_up;
        made_.module = lower(state_.unit, made_.diagnostics,
                             {.classify = options_.optimize,
                              .table_bytes = options_.table_bytes,
                              .forms = &made_.forms,
                              .programs = &programs_,
                              .given_up = split_.programs.empty() ? &given_up : nullptr});
        made_.is_complete = made_.module.programs.size() == programs_.size();
        for (const std::size_t i : given_up) {
            made_.shares[i] = guessed;
            made_.whys[i] = "it has far too many tests";
            ++made_.beyond;
        }
    }

    void too_large(std::size_t program, std::string why, std::string help, double share)
    {
        auto &report = made_.diagnostics.report(Kind::too_large, programs_[program].span, programs_[program].name, why);
        report.suggest(std::move(help));
        if (share <= 1)
            return;
        made_.shares[program] = share;
        made_.whys[program] = std::move(why);
        ++made_.beyond;
    }

    using Made = std::expected<ProgramImage, llvm_backend::Failure>;

    [[nodiscard]] Made ours(const ir::Program &program) const
    {
        auto made = bpf::generate(program, &state_.sources);
        return made ? Made(std::move(*made)) : std::unexpected(llvm_backend::Failure{{}, made.error()});
    }

    // LLVM takes a minute where we take a second, and its code is not so much shorter: what is far too large with us is
    // not tried with it.
    [[nodiscard]] Made by_llvm(const ir::Program &program) const
    {
        constexpr double far = 2;
        Made made = ours(program);
        if (!made && share_of(*made.error().limit) > far)
            return made;
        return llvm_backend::generate(program, made_.module.maps, &state_.sources);
    }

    std::optional<ProgramImage> instructions(std::size_t number)
    {
        const ir::Program &program = made_.module.programs[number];
        Made code = options_.backend == Backend::own ? ours(program) : by_llvm(program);
        if (code)
            return std::move(*code);
        if (const auto &limit = code.error().limit)
            too_large(number, limit_text(*limit),
                      "fewer rules in this program, or sets and maps in place of single values", share_of(*limit));
        else
            made_.diagnostics.report(Kind::llvm_backend, program.span, program.name, code.error().why)
                .suggest("leave --backend=llvm out: our own backend may manage");
        return std::nullopt;
    }

    void generate(std::size_t number)
    {
        auto code = instructions(number);
        if (!code)
            return;
        const std::size_t maps = maps_of(*code);
        if (maps > most_program_maps)
            too_large(number, fmt::format("a program may use {} maps", most_program_maps), {},
                      static_cast<double>(maps) / most_program_maps);
        else
            made_.shares[number] = bpf::share_of_verifier(code->insns);
        if (number < state_.unit.programs.size())
            describe(state_.unit.programs[number], *code);
        else
            describe_part(number, *code);
        code->goes_on_with = goes_on_with(made_.module.programs[number]);
        made_.programs.push_back(std::move(*code));
    }

    void describe_part(std::size_t number, ProgramImage &out) const
    {
        out.place = programs_[number].place;
        out.frags = programs_[number].frags;
        out.part_of = split_.parts[number].of;
    }

    const Compilation::State &state_;
    const CompileOptions &options_;
    const SplitPrograms &split_;
    const std::vector<sema::Program> &programs_;
    Attempt made_;
};

} // namespace

// Those at the entries of maps see packets that an interface's program has decided about already. Returns the counters.
MapId count_verdicts(const std::vector<sema::Program> &programs, ir::Module &module)
{
    const MapId counters(module.maps.size());
    module.maps.push_back(passes::verdict_counters(module.maps));
    for (std::size_t i = 0; i < module.programs.size(); ++i)
        if (programs[i].place == ProgramImage::Place::interface)
            passes::count_verdicts(module.programs[i], counters);
    return counters;
}

Attempt attempt(const Compilation::State &state, const CompileOptions &options, const SplitPrograms &split)
{
    return Attempter(state, options, split).run();
}

} // namespace xdpf
