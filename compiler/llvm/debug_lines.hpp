// Where instructions come from, as LLVM's debug locations. Private to this folder.
#pragma once

#include "compiler/base/source.hpp"
#include "compiler/ir/ir.hpp"

#include <llvm/IR/DIBuilder.h>

#include <map>
#include <vector>

namespace xdpf::llvm_backend {

class DebugLines {
public:
    // With sources, lines are theirs. Without, line n stands for spans()[n - 1]: no file has to be found again by its
    // name, and BTF, which has 10 bits for a column, loses nothing.
    DebugLines(llvm::Module &module, const Sources *sources);

    void begin(llvm::Function &function, const ir::Program &program);
    // Of the function begun last; no location for a span that is no place.
    [[nodiscard]] llvm::DebugLoc at(Span span);
    void finish() { builder_.finalize(); }

    [[nodiscard]] const std::vector<Span> &spans() const { return spans_; }

private:
    llvm::DIFile *file(FileId id);
    llvm::DIScope *scope(FileId id);
    unsigned number(Span span);

    llvm::LLVMContext &context_;
    const Sources *sources_;
    llvm::DIBuilder builder_;
    llvm::DISubprogram *function_ = nullptr;
    std::map<FileId, llvm::DIFile *> files_;
    std::map<FileId, llvm::DIScope *> scopes_; // of the function, for the files that it does not stand in
    std::vector<Span> spans_;
};

} // namespace xdpf::llvm_backend
