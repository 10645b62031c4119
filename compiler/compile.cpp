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

std::optional<ProgramImage> instructions(Compilation::State &state, const ir::Program &program, Backend backend)
{
    using Made = std::expected<ProgramImage, llvm_backend::Failure>;
    const auto ours = [&]() -> Made {
        auto made = bpf::generate(program, &state.sources);
        return made ? Made(std::move(*made)) : std::unexpected(llvm_backend::Failure{{}, made.error()});
    };
    Made code = backend == Backend::own ? ours() : llvm_backend::generate(program, state.module.maps, &state.sources);
    if (code)
        return std::move(*code);
    if (code.error().limit)
        state.diagnostics.report(Kind::too_large, program.span, program.name, limit_text(*code.error().limit))
            .suggest("fewer rules in this program, or sets and maps in place of single values");
    else
        state.diagnostics.report(Kind::llvm_backend, program.span, program.name, code.error().why)
            .suggest("leave --backend=llvm out: our own backend may manage");
    return std::nullopt;
}

void generate(Compilation::State &state, Backend backend)
{
    for (std::size_t i = 0; i < state.module.programs.size(); ++i) {
        const ir::Program &program = state.module.programs[i];
        auto code = instructions(state, program, backend);
        if (!code)
            continue;
        if (state.module.maps.size() > most_program_maps && code->map_references.size() > most_program_maps)
            state.diagnostics.report(Kind::too_large, program.span, program.name,
                                     fmt::format("a program may use {} maps", most_program_maps));
        describe(state.unit.programs[i], *code);
        code->goes_on_with = goes_on_with(program);
        state.image.programs.push_back(std::move(*code));
    }
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

// Those at the entries of maps see packets that an interface's program has decided about already. Returns the counters.
MapId count_verdicts(const sema::Unit &unit, ir::Module &module)
{
    const MapId counters(module.maps.size());
    module.maps.push_back(passes::verdict_counters(module.maps));
    for (std::size_t i = 0; i < module.programs.size(); ++i)
        if (unit.programs[i].place == ProgramImage::Place::interface)
            passes::count_verdicts(module.programs[i], counters);
    return counters;
}

void build(Compilation::State &state, const CompileOptions &options)
{
    analyze(state, options);
    assemble(state);
    if (state.diagnostics.has_errors())
        return;
    state.module = lower(state.unit, state.diagnostics,
                         {.classify = options.optimize, .table_bytes = options.table_bytes, .forms = &state.forms});
    check_gotos(state.unit, state.module, state.diagnostics);
    if (state.diagnostics.has_errors())
        return;
    if (options.verdict_counters)
        state.image.verdict_counters = count_verdicts(state.unit, state.module);
    if (options.optimize) {
        for (ir::Program &program : state.module.programs)
            program.by_rule = false;
        passes::optimize(state.module);
    }
    generate(state, options.backend);
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
        by_rule = lower(unit, unused, {.classify = false});
        if (image.verdict_counters.valid() && by_rule->programs.size() == module.programs.size())
            count_verdicts(unit, *by_rule);
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
