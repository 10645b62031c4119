#include "compiler/compile.hpp"

#include "compiler/bpf/asm_check.hpp"
#include "compiler/bpf/codegen.hpp"
#include "compiler/bpf/disassemble.hpp"
#include "compiler/gotos.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/llvm/backend.hpp"
#include "compiler/lower/lower.hpp"
#include "compiler/object/object.hpp"
#include "compiler/passes/count_verdicts.hpp"
#include "compiler/passes/pipeline.hpp"
#include "compiler/rule_tables.hpp"
#include "compiler/sema/analyze.hpp"
#include "compiler/state.hpp"
#include "grammar/dump.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>
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

// Blocks of instructions name maps, so they are read when all maps are known.
void assemble(Compilation::State &state)
{
    sema::Unit &unit = state.unit;
    const std::vector<MapSpec> maps(unit.maps.begin(), unit.maps.end());
    for (sema::Assembly &block : unit.assembly) {
        auto made = bpf::assemble_asm(block.text, block.text_span, {.maps = maps, .constants = {}}, block.place,
                                      state.diagnostics);
        if (!made)
            continue;
        block.insns = std::move(made->insns);
        block.maps = std::move(made->map_references);
        block.spans = std::move(made->spans);
    }
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

// One try to make instructions of the unit's programs, or of the parts that they are split into.
struct Attempt {
    bool endless = false; // its lowering was given up
    ir::Module module;
    std::vector<RunForm> forms;
    std::vector<ProgramImage> programs;
    MapId verdict_counters;
    Diagnostics diagnostics;
    std::vector<Splitter::Share> shares; // of what the kernel takes, by program
    std::size_t beyond = 0;              // programs that are more than that: errors that splitting can do away with
    std::vector<std::string> whys;       // by program; empty: it is not

    // Whether there is something to split, and nothing else in the way.
    [[nodiscard]] bool is_only_too_large() const { return beyond != 0 && diagnostics.errors() == beyond; }
};

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
        if (split_.programs.empty())
            check_gotos(state_.unit, made_.module, made_.diagnostics);
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
    static constexpr double many_times = 16; // where parts multiply nobody knows how much they come to

    void lower_all()
    {
        std::vector<std::size_t> endless;
        made_.module = lower(state_.unit, made_.diagnostics,
                             {.classify = options_.optimize,
                              .table_bytes = options_.table_bytes,
                              .forms = &made_.forms,
                              .programs = &programs_,
                              .endless = &endless});
        for (const std::size_t i : endless) {
            made_.shares[i] = many_times;
            made_.endless = true;
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

    std::optional<ProgramImage> instructions(std::size_t number)
    {
        const ir::Program &program = made_.module.programs[number];
        using Made = std::expected<ProgramImage, llvm_backend::Failure>;
        const auto ours = [&]() -> Made {
            auto made = bpf::generate(program, &state_.sources);
            return made ? Made(std::move(*made)) : std::unexpected(llvm_backend::Failure{{}, made.error()});
        };
        Made code = options_.backend == Backend::own
                        ? ours()
                        : llvm_backend::generate(program, made_.module.maps, &state_.sources);
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

// Nothing where a part would not be taken by the kernel's tables of programs, or there is no such error.
std::string why_not_split(const sema::Unit &unit, const Attempt &whole)
{
    for (std::size_t i = 0; i < unit.programs.size(); ++i) {
        if (!whole.shares[i] || *whole.shares[i] <= 1)
            continue;
        if (unit.programs[i].place != ProgramImage::Place::interface)
            return "it runs at the entries of a map";
        if (whole.module.programs.size() == unit.programs.size() && reads_metadata(whole.module.programs[i]))
            return "it reads receive metadata, and such a program is bound to its interface";
    }
    return {};
}

void analyze(Compilation::State &state, const CompileOptions &options)
{
    if (state.modules.files.empty())
        return;
    state.unit =
        sema::analyze(state.modules, state.sources, state.diagnostics, {.rule_counters = options.rule_counters});
    if (state.unit.programs.empty() && !state.diagnostics.has_errors())
        state.diagnostics.report(Kind::nothing_to_compile, {}, state.unit.name).suggest("match udp -> xsk");
}

// Rules can be replaced by others that the same instructions read: the tables carry a signature of these (FNV-1a).
void sign_tables(Image &image)
{
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const ProgramImage &program : image.programs)
        for (const Insn &insn : program.insns)
            for (const auto byte : std::bit_cast<std::array<std::uint8_t, sizeof(Insn)>>(insn))
                hash = (hash ^ byte) * 0x100000001b3;
    for (MapSpec &spec : image.maps)
        if (rule_tables::is_one(spec))
            for (std::size_t i = 0; i < sizeof hash; ++i)
                spec.initial[rule_tables::signature_at + i] = static_cast<std::byte>(hash >> (8 * i));
}

bool says_the_same(const Diagnostic &one, const Diagnostic &other)
{
    const auto same = [](const Note &a, const Note &b) { return a.span == b.span && a.text == b.text; };
    return one.kind == other.kind && one.span == other.span && one.message == other.message &&
           std::ranges::equal(one.notes, other.notes, same);
}

// By place, whatever found them, each once, and once what is to import; what has no place comes last.
void put_in_order(Diagnostics &diagnostics)
{
    auto all = diagnostics.all();
    std::ranges::stable_sort(all, {},
                             [](const Diagnostic &one) { return std::pair(one.span.file.value, one.span.begin); });
    const auto repeated = std::ranges::unique(all, says_the_same);
    all.erase(repeated.begin(), repeated.end());
    Diagnostics ordered;
    std::set<std::string> known;
    for (auto &one : all) {
        const bool about_import = one.kind == Kind::import_missing || one.help.starts_with("import \"");
        if (about_import && !known.insert(one.help).second)
            one.help.clear();
        ordered.add(std::move(one));
    }
    diagnostics = std::move(ordered);
}

void report_as_it_was(const Attempt &whole, const std::string &why_not, Diagnostics &to)
{
    for (Diagnostic one : whole.diagnostics.all()) {
        if (one.kind == Kind::too_large && !why_not.empty())
            one.message += fmt::format("; it is not split, since {}", why_not);
        to.add(std::move(one));
    }
}

Diagnostics warnings_of(const Diagnostics &all)
{
    Diagnostics out;
    for (const Diagnostic &one : all.all())
        if (severity_of(one.kind) == Severity::warning)
            out.add(one);
    return out;
}

// The parts of what is too large whole; nothing where that cannot be, which is reported.
std::optional<Attempt> split(Compilation::State &state, const CompileOptions &options, const Attempt &whole)
{
    constexpr unsigned most_rounds = 4; // each measures what the one before has cut
    if (whole.endless) { // each round would take seconds, and mostly ends there too
        report_as_it_was(whole, {}, state.diagnostics);
        return std::nullopt;
    }
    std::string why_not = why_not_split(state.unit, whole);
    Splitter splitter(state.unit);
    std::vector<Splitter::Share> shares = whole.shares;
    for (unsigned round = 0; round < most_rounds && why_not.empty(); ++round) {
        if (!splitter.divide(shares)) {
            why_not = splitter.why_not();
            break;
        }
        Attempt made = Attempter(state, options, splitter.result()).run();
        shares = made.shares;
        if (made.is_only_too_large())
            continue;
        if (made.diagnostics.has_errors())
            break;
        if (const std::size_t row = longest_row(made.module); row > most_in_a_row) {
            why_not = too_many_in_a_row(row);
            break;
        }
        state.split = splitter.result();
        return made;
    }
    report_as_it_was(whole, why_not, state.diagnostics);
    return std::nullopt;
}

// Instructions for everything, whole if the kernel takes it so.
void generate(Compilation::State &state, const CompileOptions &options)
{
    Attempt made = Attempter(state, options, {}).run();
    if (made.is_only_too_large()) {
        auto parts = split(state, options, made);
        if (!parts)
            return;
        // All is known about rules where they stand together, as far as that was written.
        if (made.module.programs.size() == state.unit.programs.size())
            parts->diagnostics = warnings_of(made.diagnostics);
        state.whys_split = std::move(made.whys);
        made = std::move(*parts);
    }
    for (const Diagnostic &one : made.diagnostics.all())
        state.diagnostics.add(one);
    state.module = std::move(made.module);
    state.forms = std::move(made.forms);
    state.image.programs = std::move(made.programs);
    state.image.verdict_counters = made.verdict_counters;
}

void build(Compilation::State &state, const CompileOptions &options)
{
    analyze(state, options);
    assemble(state);
    if (state.diagnostics.has_errors())
        return;
    generate(state, options);
    Image &image = state.image;
    image.name = state.unit.name;
    image.license = state.unit.license;
    image.maps = state.module.maps;
    sign_tables(image);
    image.records = state.unit.records;
    image.parameters = state.unit.parameters;
    image.params = state.unit.params;
    image.program_table = state.unit.program_table;
    image.tests = state.unit.tests;
    if (!state.diagnostics.has_errors())
        image.elf = write_object(image);
}

Compilation finish(std::unique_ptr<Compilation::State> state, const CompileOptions &options)
{
    build(*state, options);
    put_in_order(state->diagnostics);
    return Compilation(std::move(state));
}

} // namespace

bool has_backend(Backend backend) { return backend == Backend::own || llvm_backend::available(); }

std::optional<Stage> stage_named(std::string_view name)
{
    static constexpr std::array<std::pair<std::string_view, Stage>, 4> stages{
        {{"ast", Stage::ast}, {"ir", Stage::ir}, {"llvm", Stage::llvm}, {"bpf", Stage::bpf}}};
    for (const auto &[text, stage] : stages)
        if (text == name)
            return stage;
    return std::nullopt;
}

Compilation::Compilation(std::unique_ptr<State> state) : state_(std::move(state)) {}
Compilation::Compilation(Compilation &&) noexcept = default;
Compilation &Compilation::operator=(Compilation &&) noexcept = default;
Compilation::~Compilation() = default;

const ir::Module &Compilation::State::reference() const
{
    if (std::ranges::all_of(module.programs, &ir::Program::by_rule))
        return module;
    if (!by_rule) {
        Diagnostics unused;
        by_rule = lower(unit, unused, {.classify = false, .programs = &lowered()});
        if (image.verdict_counters.valid() && by_rule->programs.size() == module.programs.size())
            count_verdicts(lowered(), *by_rule);
        passes::optimize(*by_rule);
    }
    return by_rule->programs.size() == module.programs.size() ? *by_rule : module;
}

bool Compilation::ok() const { return !state_->diagnostics.has_errors(); }
const Sources &Compilation::sources() const { return state_->sources; }
const Diagnostics &Compilation::diagnostics() const { return state_->diagnostics; }

const Image &Compilation::image() const
{
    assert(ok());
    return state_->image;
}

std::vector<std::byte> Compilation::object() const { return write_object(image(), ProgramTables::filled); }

std::string Compilation::dump(Stage stage) const
{
    if (stage == Stage::ast)
        return state_->modules.files.empty() ? "" : xdpf::dump(state_->modules.files.back()->ast);
    if (stage == Stage::ir)
        return ir::to_text(state_->module);
    if (stage == Stage::llvm)
        return llvm_backend::to_llvm(state_->module, state_->sources);
    std::string out;
    for (const auto &program : state_->image.programs)
        out += bpf::disassemble(program, state_->image.maps);
    return out;
}

Compilation compile(std::string text, std::string name, const CompileOptions &options)
{
    auto state = std::make_unique<Compilation::State>();
    state->modules =
        sema::load_text(std::move(name), std::move(text), state->sources, state->diagnostics, options.overlay);
    return finish(std::move(state), options);
}

Compilation compile_file(const std::filesystem::path &path, const CompileOptions &options)
{
    auto state = std::make_unique<Compilation::State>();
    state->modules = sema::load_file(path, state->sources, state->diagnostics);
    return finish(std::move(state), options);
}

} // namespace xdpf
