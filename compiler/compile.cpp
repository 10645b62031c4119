#include "compiler/compile.hpp"

#include "compiler/attempt.hpp"
#include "compiler/bpf/asm_check.hpp"
#include "compiler/bpf/disassemble.hpp"
#include "compiler/gotos.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/llvm/backend.hpp"
#include "compiler/lower/lower.hpp"
#include "compiler/object/object.hpp"
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

constexpr std::string_view is_bound = "it reads receive metadata, and such a program is bound to its interface";

// Nothing where a part would not be taken by the kernel's tables of programs, or there is no such error.
std::string why_not_split(const sema::Unit &unit, const Attempt &whole)
{
    for (std::size_t i = 0; i < unit.programs.size(); ++i) {
        if (!whole.shares[i] || *whole.shares[i] <= 1)
            continue;
        if (unit.programs[i].place != ProgramImage::Place::interface)
            return "it runs at the entries of a map";
        if (whole.is_complete && reads_metadata(whole.module.programs[i]))
            return std::string(is_bound);
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
    std::string why_not = why_not_split(state.unit, whole);
    Splitter splitter(state.unit);
    std::vector<Splitter::Share> shares = whole.shares;
    for (unsigned round = 0; round < most_rounds && why_not.empty(); ++round) {
        if (!splitter.divide(shares)) {
            why_not = splitter.why_not();
            break;
        }
        Attempt made = attempt(state, options, splitter.result());
        shares = made.shares;
        if (made.is_only_too_large())
            continue;
        if (!made.is_complete)
            why_not = "a part of it would be too large, too";
        else if (std::ranges::any_of(made.module.programs, reads_metadata) && !whole.is_complete)
            why_not = is_bound; // which of them did, was not to be seen before
        if (made.diagnostics.has_errors()) {
            for (const Diagnostic &one : made.diagnostics.all())
                if (one.kind == Kind::bad_goto && why_not.empty()) // of what was not there to be checked before
                    state.diagnostics.add(one);
            break;
        }
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
    Attempt made = attempt(state, options);
    if (made.is_only_too_large()) {
        auto parts = split(state, options, made);
        if (!parts)
            return;
        if (made.is_complete) // then all is known about rules where they stand together
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
