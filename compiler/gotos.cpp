#include "compiler/gotos.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

namespace xdpf {
namespace {

template <class Function> void each_instruction(const ir::Program &program, ir::Op op, Function function)
{
    for (const ir::Block &block : program.blocks)
        for (const ir::Inst &inst : block.insts)
            if (inst.op == op)
                function(inst);
}

// How many programs stand in a row from each on; those that the search is inside of count as none.
class Rows {
public:
    explicit Rows(const ir::Module &module) : module_(module), lengths_(module.programs.size()) {}

    std::size_t from(std::size_t program)
    {
        if (lengths_[program])
            return *lengths_[program];
        lengths_[program] = 0;
        std::size_t behind = 0;
        for (const std::size_t next : goes_on_with(module_.programs[program]))
            behind = std::max(behind, from(next));
        return *(lengths_[program] = behind + 1);
    }

private:
    const ir::Module &module_;
    std::vector<std::optional<std::size_t>> lengths_;
};

class Check {
public:
    Check(const std::vector<sema::Program> &programs, const ir::Module &module, Diagnostics &diagnostics)
        : programs_(programs), module_(module), diagnostics_(diagnostics)
    {
    }

    void run()
    {
        if (module_.programs.size() != programs_.size())
            return; // lowering ended at a program that is too large, and said so
        for (std::size_t from = 0; from < module_.programs.size(); ++from)
            each_instruction(module_.programs[from], ir::Op::tail_call,
                             [&](const ir::Inst &inst) { check(from, inst.imm, inst.span); });
    }

private:
    void check(std::size_t from, std::size_t to, Span span)
    {
        const sema::Program &first = programs_[from];
        const sema::Program &second = programs_[to];
        if (first.place != ProgramImage::Place::interface || second.place != first.place) {
            const bool at_entry = first.place != ProgramImage::Place::interface;
            report(span, first, second,
                   fmt::format("'{}' runs at the entries of a map, and 'goto' is for programs of an interface",
                               at_entry ? first.name : second.name))
                .suggest("put the rules into one program");
        } else if (first.frags != second.frags) {
            const sema::Program &without = first.frags ? second : first;
            report(span, first, second, "one takes packets of several pieces (frags), the other does not")
                .suggest(fmt::format("defprogram {} (frags) {{ … }}", without.name));
        } else if (const bool reads = reads_metadata(module_.programs[from]);
                   reads || reads_metadata(module_.programs[to])) {
            report(span, first, second,
                   fmt::format("'{}' reads receive metadata, and such a program is bound to its interface",
                               reads ? first.name : second.name))
                .suggest("put the rules into one program");
        }
    }

    Diagnostic &report(Span span, const sema::Program &first, const sema::Program &second, const std::string &why)
    {
        return diagnostics_.report(Kind::bad_goto, span, first.name, second.name, why);
    }

    const std::vector<sema::Program> &programs_;
    const ir::Module &module_;
    Diagnostics &diagnostics_;
};

} // namespace

bool reads_metadata(const ir::Program &program)
{
    bool found = false;
    each_instruction(program, ir::Op::rx_meta, [&](const ir::Inst &) { found = true; });
    return found;
}

std::size_t longest_row(const ir::Module &module)
{
    Rows rows(module);
    std::size_t longest = 0;
    for (std::size_t program = 0; program < module.programs.size(); ++program)
        longest = std::max(longest, rows.from(program));
    return longest;
}

std::vector<std::size_t> goes_on_with(const ir::Program &program)
{
    std::vector<std::size_t> out;
    each_instruction(program, ir::Op::tail_call, [&](const ir::Inst &inst) {
        if (std::ranges::find(out, inst.imm) == out.end())
            out.push_back(inst.imm);
    });
    return out;
}

void check_gotos(const std::vector<sema::Program> &programs, const ir::Module &module, Diagnostics &diagnostics)
{
    Check(programs, module, diagnostics).run();
}

} // namespace xdpf
