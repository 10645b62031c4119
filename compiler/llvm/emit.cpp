#include "compiler/llvm/emit.hpp"

#include <llvm/ADT/SmallVector.h>
#include <llvm/Config/llvm-config.h>
#include <llvm/IR/DiagnosticInfo.h>
#include <llvm/IR/DiagnosticPrinter.h>
#include <llvm/IR/LegacyPassManager.h>
#include <llvm/IR/Verifier.h>
#include <llvm/MC/TargetRegistry.h>
#include <llvm/Passes/PassBuilder.h>
#include <llvm/Support/ErrorHandling.h>
#include <llvm/Support/raw_ostream.h>
#include <llvm/Target/TargetMachine.h>

#include <mutex>
#include <span>

// What <llvm/Support/TargetSelect.h> declares, without all other targets.
extern "C" void LLVMInitializeBPFTargetInfo();
extern "C" void LLVMInitializeBPFTarget();
extern "C" void LLVMInitializeBPFTargetMC();
extern "C" void LLVMInitializeBPFAsmPrinter();
extern "C" void LLVMInitializeBPFAsmParser();

namespace xdpf::llvm_backend {
namespace {

static_assert(LLVM_VERSION_MAJOR == 19, "the headers are of another LLVM: -DLLVM_INCLUDE_DIR=/usr/lib/llvm-19/include");

constexpr const char *triple = "bpfel";

// What LLVM cannot go on behind. It leaves through LLVM's frames, which have no handlers, and what they held is lost.
struct Fatal {
    std::string why;
};

void throw_fatal(void * /*user*/, const char *reason, bool /*crash*/) { throw Fatal{reason}; }

// While it lives, LLVM throws where it would end the process. There is one such setting in LLVM, hence one at a time.
class FatalErrors {
public:
    FatalErrors() { llvm::install_fatal_error_handler(throw_fatal); }
    ~FatalErrors() { llvm::remove_fatal_error_handler(); }
    FatalErrors(const FatalErrors &) = delete;
    FatalErrors &operator=(const FatalErrors &) = delete;
};

void keep_first_error(const llvm::DiagnosticInfo *info, void *first)
{
    auto &kept = *static_cast<std::string *>(first);
    if (info->getSeverity() != llvm::DS_Error || !kept.empty())
        return;
    llvm::raw_string_ostream out(kept);
    if (const auto *unsupported = llvm::dyn_cast<llvm::DiagnosticInfoUnsupported>(info)) {
        out << unsupported->getMessage().str(); // without a place: it has none of ours
        return;
    }
    llvm::DiagnosticPrinterRawOStream printer(out);
    info->print(printer);
}

// What people are told, where LLVM speaks of C.
std::string reason(const std::string &said)
{
    if (said.contains("stack limit is exceeded"))
        return "it needs more than 512 bytes of stack";
    return said;
}

std::unique_ptr<llvm::TargetMachine> machine(Cpu cpu)
{
    static std::once_flag initialized;
    std::call_once(initialized, [] {
        LLVMInitializeBPFTargetInfo();
        LLVMInitializeBPFTarget();
        LLVMInitializeBPFTargetMC();
        LLVMInitializeBPFAsmPrinter();
        LLVMInitializeBPFAsmParser();
    });
    std::string error;
    const llvm::Target *const target = llvm::TargetRegistry::lookupTarget(triple, error);
    if (target == nullptr)
        throw Fatal{error};
    return std::unique_ptr<llvm::TargetMachine>(target->createTargetMachine(
        triple, cpu == Cpu::v3 ? "v3" : "v4", "", {}, llvm::Reloc::PIC_, {}, llvm::CodeGenOptLevel::Default));
}

void optimize(llvm::Module &module, llvm::TargetMachine &target)
{
    llvm::PipelineTuningOptions tuning;
    tuning.LoopInterleaving = false;
    tuning.LoopVectorization = false;
    tuning.SLPVectorization = false;
    tuning.LoopUnrolling = false; // the verifier walks every round anyway
    llvm::PassBuilder builder(&target, tuning);
    target.registerPassBuilderCallbacks(builder);
    llvm::LoopAnalysisManager loops;
    llvm::FunctionAnalysisManager functions;
    llvm::CGSCCAnalysisManager calls;
    llvm::ModuleAnalysisManager modules;
    builder.registerModuleAnalyses(modules);
    builder.registerCGSCCAnalyses(calls);
    builder.registerFunctionAnalyses(functions);
    builder.registerLoopAnalyses(loops);
    builder.crossRegisterProxies(loops, functions, calls, modules);
    builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O2).run(module, modules);
}

std::vector<std::byte> object_of(llvm::Module &module, llvm::TargetMachine &target)
{
    llvm::SmallVector<char, 0> bytes;
    llvm::raw_svector_ostream out(bytes);
    llvm::legacy::PassManager passes;
    if (target.addPassesToEmitFile(passes, out, nullptr, llvm::CodeGenFileType::ObjectFile))
        throw Fatal{"it writes no objects"};
    passes.run(module);
    const auto whole = std::as_bytes(std::span(bytes.data(), bytes.size()));
    return {whole.begin(), whole.end()};
}

std::vector<std::byte> compile(llvm::Module &module, Cpu cpu)
{
    const std::unique_ptr<llvm::TargetMachine> target = machine(cpu);
    module.setDataLayout(target->createDataLayout());
    std::string broken;
    llvm::raw_string_ostream said(broken);
    if (llvm::verifyModule(module, &said))
        throw Fatal{broken};
    optimize(module, *target);
    return object_of(module, *target);
}

} // namespace

void set_target(llvm::Module &module)
{
    module.setTargetTriple(triple);
    module.setDataLayout("e-m:e-p:64:64-i64:64-i128:128-n32:64-S128");
}

std::expected<std::vector<std::byte>, EmitError> emit(Job job, Cpu cpu)
{
    static std::mutex one_at_a_time;
    const std::scoped_lock lock(one_at_a_time);
    std::string error;
    job.first->setDiagnosticHandlerCallBack(keep_first_error, &error);
    try {
        const FatalErrors fatal;
        auto bytes = compile(*job.second, cpu);
        if (error.empty())
            return bytes;
    } catch (const Fatal &fatal) {
        // LLVM was in the middle of something: what it had in hands is left as it is.
        static_cast<void>(job.second.release());
        static_cast<void>(job.first.release());
        if (error.empty())
            error = fatal.why;
    }
    return std::unexpected(EmitError{error.contains("out of insn range"), reason(error)});
}

} // namespace xdpf::llvm_backend
