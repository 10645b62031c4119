#include "compiler/llvm/debug_lines.hpp"

#include <llvm/BinaryFormat/Dwarf.h>
#include <llvm/IR/Function.h>
#include <llvm/IR/Module.h>

namespace xdpf::llvm_backend {

DebugLines::DebugLines(llvm::Module &module, const Sources *sources)
    : context_(module.getContext()), sources_(sources), builder_(module)
{
    module.addModuleFlag(llvm::Module::Warning, "Debug Info Version", llvm::DEBUG_METADATA_VERSION);
    builder_.createCompileUnit(llvm::dwarf::DW_LANG_C, file({}), "xdpf", true, "", 0, "",
                               llvm::DICompileUnit::LineTablesOnly);
}

llvm::DIFile *DebugLines::file(FileId id)
{
    llvm::DIFile *&out = files_[id];
    if (out == nullptr)
        out = builder_.createFile(sources_ != nullptr && id.valid() ? std::string(sources_->name(id)) : "xdpf", "");
    return out;
}

void DebugLines::begin(llvm::Function &function, const ir::Program &program)
{
    scopes_.clear();
    llvm::DIFile *const where = file(program.span.file);
    llvm::Metadata *const nothing = nullptr; // what it returns, for LLVM's BTF
    auto *const type = builder_.createSubroutineType(builder_.getOrCreateTypeArray({nothing}));
    const unsigned line = program.span.valid() ? at(program.span).getLine() : 0;
    function_ = builder_.createFunction(where, program.name, program.name, where, line, type, line,
                                        llvm::DINode::FlagZero, llvm::DISubprogram::SPFlagDefinition);
    function.setSubprogram(function_);
    scopes_[program.span.file] = function_;
}

llvm::DIScope *DebugLines::scope(FileId id)
{
    llvm::DIScope *&out = scopes_[sources_ != nullptr ? id : FileId()];
    if (out == nullptr)
        out = sources_ != nullptr ? static_cast<llvm::DIScope *>(builder_.createLexicalBlockFile(function_, file(id)))
                                  : function_;
    return out;
}

unsigned DebugLines::number(Span span)
{
    if (spans_.empty() || spans_.back() != span)
        spans_.push_back(span);
    return static_cast<unsigned>(spans_.size());
}

llvm::DebugLoc DebugLines::at(Span span)
{
    if (!span.valid())
        return {};
    if (sources_ == nullptr)
        return llvm::DILocation::get(context_, number(span), 0, scope(span.file));
    const Location place = sources_->location(span.file, span.begin);
    return llvm::DILocation::get(context_, place.line, place.column, scope(span.file));
}

} // namespace xdpf::llvm_backend
