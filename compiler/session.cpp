#include "compiler/session.hpp"

#include "compiler/session_state.hpp"
#include "compiler/state.hpp"
#include "compiler/test.hpp"
#include "grammar/parse.hpp"

#include <algorithm>
#include <cassert>

namespace xdpf {
namespace {

using session::Assembly;
using session::InputPtr;
using session::Piece;
using session::Scope;

constexpr std::string_view name =
    "shell"; // of the program that loose rules form; imports are looked up in the current folder
constexpr std::size_t most_undone = 100;

template <class... Cases> struct Overloaded : Cases... {
    using Cases::operator()...;
};

Piece piece_of(const ast::File &file, const ast::Decl &decl, const InputPtr &input)
{
    Piece piece{.input = input, .begin = decl.span.begin, .end = decl.span.end};
    const auto named = [&](Scope scope, std::string_view kind, const std::string &text) {
        piece.scope = scope;
        piece.name = text;
        piece.what = fmt::format("{} '{}'", kind, text);
    };
    std::visit(Overloaded{[&](const ast::Import &import) { named(Scope::import, "import", import.path); },
                          [&](const ast::Const &constant) { named(Scope::symbol, "const", constant.name.text); },
                          [&](const ast::Header &header) { named(Scope::symbol, "header", header.name.text); },
                          [&](const ast::Map &map) { named(Scope::symbol, "map", map.name.text); },
                          [&](const ast::Param &param) { named(Scope::symbol, "param", param.name.text); },
                          [&](const ast::Def &def) { named(Scope::symbol, "def", def.name.text); },
                          [&](const ast::Union &all) { named(Scope::symbol, "union", all.name.text); },
                          [&](const ast::Program &program) { named(Scope::program, "program", program.name.text); },
                          [&](const ast::Test &test) { named(Scope::test, "test", test.name); },
                          [&](ast::RuleId id) {
                              piece.scope = file.rules[id].predicate ? Scope::rule : Scope::fallback;
                              piece.what = piece.scope == Scope::rule ? "rule" : "default";
                          }},
               decl.node);
    return piece;
}

// Puts a piece in; one that it replaces gives it its place. Only pieces of earlier inputs, the first `older`, are
// replaced.
std::string insert(std::vector<Piece> &pieces, Piece piece, std::size_t older)
{
    const auto end = pieces.begin() + static_cast<std::ptrdiff_t>(older);
    const auto same = std::find_if(pieces.begin(), end, [&](const Piece &other) { return piece.replaces(other); });
    auto what = piece.what;
    if (same == end) {
        pieces.push_back(std::move(piece));
        return what;
    }
    *same = std::move(piece);
    return what + ", in place of the older one";
}

const ast::Test &last_test(const Compilation &compilation)
{
    return std::get<ast::Test>(compilation.state().modules.files.back()->ast.decls.back().node);
}

bool has_packet(const Compilation &compilation)
{
    const auto &files = compilation.state().modules.files;
    if (files.empty() || files.back()->ast.decls.empty() ||
        !std::holds_alternative<ast::Test>(files.back()->ast.decls.back().node))
        return true;
    return std::ranges::any_of(last_test(compilation).statements,
                               [](const auto &one) { return std::holds_alternative<ast::PacketStatement>(one); });
}

// A statement's misspelt keyword is nothing that the grammar of files could guess.
void suggest_statement(std::string_view text, Diagnostic &diagnostic)
{
    const auto first = session::first_token(text);
    const auto near = nearest(first, {"packet", "hex", "with"});
    const bool of_first = diagnostic.span.begin == static_cast<std::size_t>(first.data() - text.data());
    if (diagnostic.kind == Kind::syntax && of_first && !near.empty())
        diagnostic.help = fmt::format("did you mean '{}'?", near);
}

// A bracket that would close the test around the statements.
std::optional<Answer> reject_stray(const InputPtr &input)
{
    const auto stray = session::find_stray_bracket(input->text);
    if (!stray)
        return std::nullopt;
    Answer answer{.status = Answer::Status::rejected};
    const FileId id = answer.sources.add(input->source, input->text);
    const auto at = static_cast<std::uint32_t>(*stray);
    answer.diagnostics.report(Kind::syntax, {id, at, at + 1}, "'packet', 'with' or 'expect'")
        .suggest("nothing is open that this could close");
    return answer;
}

} // namespace

std::string rule_text(const Compilation::State &state, Span decided_by)
{
    for (const auto &rule : state.modules.files.back()->ast.rules) {
        if (rule.head != decided_by)
            continue;
        const auto text = state.sources.text(rule.span);
        const auto line = text.substr(0, text.find('\n'));
        return line.size() == text.size() ? std::string(line) : fmt::format("{} …", line);
    }
    return {};
}

Session::Session() : state_(std::make_unique<State>()) { clear(); }
Session::Session(Session &&) noexcept = default;
Session &Session::operator=(Session &&) noexcept = default;
Session::~Session() = default;

Assembly Session::State::assemble(const Pieces &pieces)
{
    Assembly out;
    const auto add_all = [&](bool fallback) {
        bool any = false;
        for (const auto &piece : pieces)
            if ((piece.scope == Scope::fallback) == fallback) {
                out.add(piece.input, piece.begin, piece.end);
                any = true;
            }
        return any;
    };
    add_all(false);
    const bool has_default = add_all(true);
    const bool has_rule = std::ranges::any_of(pieces, [](const Piece &piece) { return piece.scope == Scope::rule; });
    const bool has_program =
        std::ranges::any_of(pieces, [](const Piece &piece) { return piece.scope == Scope::program; });
    // Written out, so that a packet which no rule matches is told from one that the first rule matches.
    if (!has_default && (has_rule || !has_program))
        out.generate("default -> pass\n");
    return out;
}

void Session::State::adopt(Pieces next, Assembly text, Compilation compiled)
{
    assert(compiled.ok());
    // The old interpreter refers to the old compilation: it goes first.
    Interpreter fresh(compiled);
    if (interpreter)
        fresh.take_maps(std::move(*interpreter));
    interpreter.emplace(std::move(fresh));
    pieces = std::move(next);
    assembly = std::move(text);
    compilation.emplace(std::move(compiled));
    warnings.clear();
    for (const auto &one : compilation->diagnostics().all())
        warnings.push_back({one.kind, assembly.near(one.span)});
}

Answer Session::State::declare(const InputPtr &input, std::optional<std::size_t> instead)
{
    Answer answer;
    const FileId id = answer.sources.add(input->source, input->text);
    Diagnostics syntax;
    const auto file = parse(answer.sources, id, syntax);
    if (!file || syntax.has_errors()) {
        answer.status = Answer::Status::rejected;
        for (auto one : syntax.all()) {
            suggest_statement(input->text, one);
            answer.diagnostics.add(std::move(one));
        }
        return answer;
    }
    Pieces next = pieces;
    Pieces behind; // an edited piece leaves its place to what is entered
    if (instead) {
        const auto at = next.begin() + static_cast<std::ptrdiff_t>(*instead);
        behind.assign(at + 1, next.end());
        next.erase(at, next.end());
    }
    const auto older = next.size();
    for (const auto &decl : file->decls) {
        Piece piece = piece_of(*file, decl, input);
        std::erase_if(behind, [&](const Piece &other) { return piece.replaces(other); });
        answer.changes.push_back(insert(next, std::move(piece), older));
    }
    std::ranges::move(behind, std::back_inserter(next));
    auto text = assemble(next);
    auto compiled = compile(text.text(), std::string(name));
    answer.sources = {};
    session::Translator translator(text, compiled.sources(), answer.sources);
    for (const auto &one : compiled.diagnostics().all()) {
        const bool error = severity_of(one.kind) == Severity::error;
        const bool known = std::ranges::find(warnings, Warning{one.kind, text.near(one.span)}) != warnings.end();
        if (error || (!known && text.exact(one.span)))
            answer.diagnostics.add(translator.translate(one));
    }
    answer.status = compiled.ok() ? Answer::Status::accepted : Answer::Status::rejected;
    if (!compiled.ok()) {
        answer.changes.clear();
        return answer;
    }
    history.push_back(pieces);
    if (history.size() > most_undone)
        history.pop_front();
    adopt(std::move(next), std::move(text), std::move(compiled));
    return answer;
}

// The statements become a test of the first program, compiled with everything else.
std::expected<Session::State::Statements, Answer> Session::State::compile_statements(const InputPtr &input) const
{
    if (auto rejected = reject_stray(input))
        return std::unexpected(std::move(*rejected));
    const auto first = session::first_token(input->text);
    const bool short_form = first == ">";
    const std::size_t begin =
        short_form ? static_cast<std::size_t>(first.data() - input->text.data()) + first.size() : 0;
    const auto wrap = [&](std::string_view front) {
        Assembly text = assemble(pieces);
        text.generate(fmt::format("test \"\" for {} {{\n{}", compilation->image().programs[0].name, front));
        text.add(input, begin, input->text.size());
        text.generate("expect pass\n}\n");
        return text;
    };
    const bool packet_first = short_form || first == "hex";
    Assembly text = wrap(packet_first ? "packet " : "");
    auto compiled = compile(text.text(), std::string(name));
    const bool only_with = !packet_first && !has_packet(compiled);
    if (only_with) {
        text = wrap("packet hex \"00\"\n");
        compiled = compile(text.text(), std::string(name));
    }
    if (!compiled.ok()) {
        Answer answer{.status = Answer::Status::rejected};
        session::Translator translator(text, compiled.sources(), answer.sources);
        for (const auto &one : compiled.diagnostics().all())
            if (severity_of(one.kind) == Severity::error)
                answer.diagnostics.add(translator.translate(one));
        return std::unexpected(std::move(answer));
    }
    TestImage test = compiled.image().tests.back();
    test.groups.back().expectations.pop_back(); // the generated one
    return Statements{std::move(compiled), std::move(test), only_with};
}

Answer Session::State::run(const InputPtr &input)
{
    auto statements = compile_statements(input);
    if (!statements)
        return std::move(statements.error());
    Answer answer{.status = statements->only_with ? Answer::Status::accepted : Answer::Status::ran};
    for (const TestGroup &group : statements->test.groups) {
        set_up(*interpreter, compilation->image(), group);
        if (statements->only_with)
            apply(group.surroundings, context);
        else
            run(group, statements->compiled, answer);
    }
    return answer;
}

// All programs see the packets; what is expected is about the first.
void Session::State::run(const TestGroup &group, const Compilation &compiled, Answer &answer)
{
    const TestEngine engine{
        .run = {}, .lookup = [&](MapId map, std::span<const std::byte> key) { return interpreter->lookup(map, key); }};
    for (std::size_t program = 0; program < compilation->image().own_programs().size(); ++program) {
        interpreter->select(program);
        PacketContext met = context;
        const TestedGroup tested =
            run_group(*interpreter, group, met, [&](const TestPacket &packet, const PacketResult &result) {
                answer.packets.push_back(packet_answer(program, packet.bytes, result));
            });
        if (program == 0)
            for (const auto &failure : judge(compiled, program, group, tested, engine))
                answer.failures.push_back(failure.text);
        if (program + 1 == compilation->image().own_programs().size())
            context = met;
    }
}

PacketAnswer Session::State::packet_answer(std::size_t program, std::span<const std::byte> packet,
                                           const PacketResult &result) const
{
    const Image &image = compilation->image();
    PacketAnswer answer{.program = image.programs[program].name,
                        .verdict = verdict_text(image, result),
                        .size = packet.size(),
                        .bytes = {packet.begin(), packet.end()}};
    const auto place = assembly.exact(result.decided_by);
    auto rule = rule_text(compilation->state(), result.decided_by);
    if (!place || rule.empty())
        return answer;
    answer.rule = std::move(rule);
    answer.source = place->input->source;
    const auto before = std::string_view(place->input->text).substr(0, place->begin);
    answer.line = 1 + static_cast<std::uint32_t>(std::ranges::count(before, '\n'));
    return answer;
}

Answer Session::enter(std::string_view text, const Entry &entry)
{
    const auto first = session::first_token(text);
    if (first.empty())
        return {};
    if (!entry.complete && session::is_incomplete(text))
        return {.status = Answer::Status::incomplete};
    const auto input = state_->input(text, entry);
    const bool statement = first == "packet" || first == ">" || first == "hex" || first == "with";
    return statement ? state_->run(input) : state_->declare(input);
}

Answer Session::replace(std::size_t declaration, std::string_view text, const Entry &entry)
{
    if (!session::first_token(text).empty() && !entry.complete && session::is_incomplete(text))
        return {.status = Answer::Status::incomplete};
    return state_->declare(state_->input(text, entry), state_->in_order().at(declaration));
}

InputPtr Session::State::input(std::string_view text, const Entry &entry)
{
    return std::make_shared<const session::Input>(
        entry.source, std::string(std::max(entry.line, 1U) - 1, '\n') + std::string(text), ++inputs);
}

bool Session::undo()
{
    if (state_->history.empty())
        return false;
    auto pieces = std::move(state_->history.back());
    state_->history.pop_back();
    auto text = State::assemble(pieces);
    auto compiled = compile(text.text(), std::string(name));
    if (!compiled.ok()) // a file that it imports has changed since
        return false;
    state_->adopt(std::move(pieces), std::move(text), std::move(compiled));
    return true;
}

void Session::clear()
{
    State &state = *state_;
    if (!state.pieces.empty())
        state.history.push_back(state.pieces);
    state.context = {};
    state.interpreter.reset();
    auto text = State::assemble({});
    auto compiled = compile(text.text(), std::string(name));
    state.adopt({}, std::move(text), std::move(compiled));
}

} // namespace xdpf
