// A program of the IR as a function of LLVM's IR. Private to this folder. Control flow is in translate.cpp, arithmetic
// and memory in translate_values.cpp, calls into the kernel in translate_calls.cpp.
//
// What the kernel's verifier must see stays out of the optimiser's sight, by the means of those who write BPF in C:
// an empty piece of assembly that a value goes through, of which LLVM then knows nothing. Numbers are i64, pointers are
// ptr; widths are those of loads and stores alone.
#pragma once

#include "compiler/ir/ir.hpp"
#include "compiler/llvm/debug_lines.hpp"

#include <linux/bpf.h>
#include <llvm/IR/IRBuilder.h>

#include <span>

namespace xdpf::llvm_backend {

// An operation that was added to the IR and not to this backend.
[[noreturn]] void unknown(const ir::Inst &inst);

class Translator {
public:
    // Adds a function of the program's name to the module. All must outlive it.
    Translator(const ir::Program &program, std::span<const MapSpec> maps, llvm::Module &module, DebugLines &lines);

    void run();

private:
    // ---- Writing -------------------------------------------------------------------------------------------------

    llvm::Value *number(std::uint64_t value) { return builder_.getInt64(value); }
    llvm::Value *assembly(llvm::Type *type, const std::string &text, const std::string &constraints,
                          llvm::ArrayRef<llvm::Value *> args);
    // The same value, of which the optimiser knows nothing.
    llvm::Value *opaque(llvm::Value *value) { return assembly(value->getType(), "", "=r,0", {value}); }
    llvm::Value *at(llvm::Value *pointer, std::uint64_t offset);
    llvm::Value *field(std::size_t offset);
    // How many bytes pointer `a` lies behind pointer `b`.
    llvm::Value *difference(llvm::Value *a, llvm::Value *b);

    // ---- Reading values ------------------------------------------------------------------------------------------

    llvm::Type *type_of(ir::ValueId value);
    llvm::Value *value(ir::ValueId value) { return values_[value]; }
    llvm::Value *as(llvm::Type *type, llvm::Value *value);
    llvm::Value *map(MapId map);
    llvm::Value *only_value(MapId map);

    // ---- Instructions --------------------------------------------------------------------------------------------

    void instruction(const ir::Inst &inst);
    llvm::Value *body(const ir::Inst &inst);
    llvm::Value *nullary(const ir::Inst &inst);
    llvm::Value *context_field(const ir::Inst &inst);
    llvm::Value *unary(const ir::Inst &inst);
    llvm::Value *binary(const ir::Inst &inst);
    llvm::Value *divide(ir::Op op, llvm::Value *a, llvm::Value *b);
    llvm::Value *offset(const ir::Inst &inst);
    llvm::Value *load(const ir::Inst &inst, llvm::Value *pointer, bool packet);
    llvm::Value *store(const ir::Inst &inst, llvm::Value *stored, llvm::Value *pointer, bool packet);
    llvm::Value *atomic_add(const ir::Inst &inst);

    // ---- Calls ---------------------------------------------------------------------------------------------------

    llvm::Value *call(llvm::Type *type, bpf_func_id helper, llvm::ArrayRef<llvm::Value *> args);
    llvm::Value *call(bpf_func_id helper, llvm::ArrayRef<llvm::Value *> args)
    {
        return call(builder_.getInt64Ty(), helper, args);
    }
    llvm::Value *query(const ir::Inst &inst);
    llvm::Value *adjust(const ir::Inst &inst);
    llvm::Value *change_map(const ir::Inst &inst);
    llvm::Value *rx_meta(const ir::Inst &inst);
    llvm::Value *copy_packet(const ir::Inst &inst);

    // ---- Control flow --------------------------------------------------------------------------------------------

    void make_slots();
    void make_blocks();
    void block(ir::BlockId id);
    void finish(const ir::Terminator &end);
    void leave(const ir::Terminator &end);
    llvm::Value *condition(const ir::Terminator &end);
    // Where the edge leads, its arguments passed from the block that is being written.
    llvm::BasicBlock *pass(const ir::Edge &edge, llvm::BasicBlock *from);
    llvm::BasicBlock *apart(const ir::Edge &edge);

    const ir::Program &program_;
    std::span<const MapSpec> maps_;
    llvm::Module &module_;
    DebugLines &lines_;
    llvm::IRBuilder<> builder_;
    llvm::Function *function_ = nullptr;
    llvm::Value *context_ = nullptr;
    IdVector<ir::ValueId, llvm::Value *> values_;
    IdVector<ir::SlotId, llvm::Value *> slots_;
    IdVector<ir::BlockId, llvm::BasicBlock *> blocks_; // null: out of reach
    IdVector<ir::BlockId, std::vector<llvm::PHINode *>> params_;
};

} // namespace xdpf::llvm_backend
