#include "compiler/llvm/backend.hpp"
#include "compiler/llvm/module.hpp"

#include "compiler/llvm/emit.hpp"
#include "compiler/llvm/link.hpp"
#include "compiler/llvm/names.hpp"
#include "compiler/llvm/translator.hpp"

#include <llvm/Support/raw_ostream.h>

namespace xdpf::llvm_backend {
namespace {

Job new_job(const std::string &name)
{
    auto context = std::make_unique<llvm::LLVMContext>();
    auto module = std::make_unique<llvm::Module>(name, *context);
    set_target(*module);
    return {std::move(context), std::move(module)};
}

// `lines`: the spans by the numbers of the object's lines.
std::expected<std::vector<std::byte>, EmitError> object_of(const ir::Program &program, std::span<const MapSpec> maps,
                                                           Cpu cpu, std::vector<Span> &lines)
{
    Job job = new_job(program.name);
    DebugLines debug(*job.second, nullptr);
    Translator(program, maps, *job.second, debug).run();
    debug.finish();
    lines = debug.spans();
    return emit(std::move(job), cpu);
}

} // namespace

std::expected<ProgramImage, Failure> generate(const ir::Program &program, std::span<const MapSpec> maps,
                                              const Sources *sources)
{
    std::vector<Span> lines;
    auto object = object_of(program, maps, Cpu::v3, lines);
    if (!object && object.error().too_far)
        object = object_of(program, maps, Cpu::v4, lines);
    if (!object)
        return std::unexpected(Failure{std::move(object.error().why), {}});
    const auto code = read_object(*object, program_section);
    if (!code)
        return std::unexpected(Failure{code.error(), {}});
    auto assembly = link(*code, program, maps);
    if (!assembly)
        return std::unexpected(Failure{std::move(assembly.error()), {}});
    auto image = bpf::finish(program, std::move(*assembly), lines, sources);
    if (!image)
        return std::unexpected(Failure{{}, image.error()});
    return std::move(*image);
}

std::string to_llvm(const ir::Module &module, const Sources &sources)
{
    const Job job = new_job("xdpf");
    DebugLines debug(*job.second, &sources);
    for (const ir::Program &program : module.programs)
        Translator(program, module.maps, *job.second, debug).run();
    debug.finish();
    std::string out;
    llvm::raw_string_ostream(out) << *job.second;
    return out;
}

} // namespace xdpf::llvm_backend

extern "C" __attribute__((visibility("default"))) xdpf::llvm_backend::Functions xdpf_llvm_functions()
{
    return {&xdpf::llvm_backend::generate, &xdpf::llvm_backend::to_llvm};
}
