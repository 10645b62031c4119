#include "compiler/ir/graph.hpp"
#include "compiler/llvm/names.hpp"
#include "compiler/llvm/slots.hpp"
#include "compiler/llvm/translator.hpp"

#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/MDBuilder.h>
#include <llvm/IR/Module.h>

#include <cassert>

namespace xdpf::llvm_backend {

using namespace ir;

Translator::Translator(const Program &program, std::span<const MapSpec> maps, llvm::Module &module, DebugLines &lines)
    : program_(program), maps_(maps), module_(module), lines_(lines), builder_(module.getContext())
{
}

void Translator::run()
{
    auto *const type = llvm::FunctionType::get(builder_.getInt32Ty(), {builder_.getPtrTy()}, false);
    function_ = llvm::Function::Create(type, llvm::GlobalValue::ExternalLinkage, program_.name, module_);
    function_->setSection(program_section);
    function_->setDSOLocal(true);
    function_->addFnAttr(llvm::Attribute::NoUnwind);
    function_->addFnAttr("no-jump-tables", "true"); // they would need a section of their own
    function_->addFnAttr("no-builtins");            // there is no memcpy to call
    context_ = function_->getArg(0);
    context_->setName("ctx");
    lines_.begin(*function_, program_);
    values_.resize(program_.values.size());
    make_blocks();
    make_slots();
    for (std::size_t i = 0; i < program_.blocks.size(); ++i)
        if (blocks_[BlockId(i)] != nullptr)
            block(BlockId(i));
}

void Translator::make_blocks()
{
    const auto reachable = reachable_blocks(program_);
    blocks_.resize(program_.blocks.size());
    params_.resize(program_.blocks.size());
    for (BlockId id(0); id.value < program_.blocks.size(); ++id.value) {
        if (!reachable.contains(id))
            continue;
        blocks_[id] = llvm::BasicBlock::Create(module_.getContext(), "b" + std::to_string(id.value), function_);
        builder_.SetInsertPoint(blocks_[id]);
        for (const ValueId param : program_.blocks[id].params)
            params_[id].push_back(builder_.CreatePHI(type_of(param), 2));
    }
}

void Translator::make_slots()
{
    const SlotPlaces places = place_slots(program_);
    builder_.SetInsertPoint(blocks_[BlockId(0)]);
    std::vector<llvm::Value *> made;
    for (const std::uint32_t size : places.sizes) {
        auto *const slot = builder_.CreateAlloca(llvm::ArrayType::get(builder_.getInt8Ty(), size));
        slot->setAlignment(llvm::Align(8));
        made.push_back(slot);
    }
    slots_.resize(program_.slots.size());
    if (!made.empty())
        for (SlotId slot(0); slot.value < program_.slots.size(); ++slot.value)
            slots_[slot] = made[places.place[slot]];
}

void Translator::block(BlockId id)
{
    const Block &from = program_.blocks[id];
    builder_.SetInsertPoint(blocks_[id]);
    builder_.SetCurrentDebugLocation({});
    for (std::size_t i = 0; i < from.params.size(); ++i) {
        llvm::Value *param = params_[id][i];
        // Else LLVM counts loops its own way, and moves a pointer by sums that the verifier does not follow.
        values_[from.params[i]] = from.is_loop() ? opaque(param) : param;
    }
    for (const Inst &inst : from.insts)
        instruction(inst);
    builder_.SetCurrentDebugLocation(lines_.at(from.end.span));
    finish(from.end);
}

// ---- Ends ----------------------------------------------------------------------------------------------------------

llvm::BasicBlock *Translator::pass(const Edge &edge, llvm::BasicBlock *from)
{
    for (std::size_t i = 0; i < edge.args.size(); ++i) {
        llvm::PHINode *const param = params_[edge.target][i];
        param->addIncoming(as(param->getType(), value(edge.args[i])), from);
    }
    return blocks_[edge.target];
}

// Through a block of its own: LLVM knows no two edges between the same blocks.
llvm::BasicBlock *Translator::apart(const Edge &edge)
{
    auto *const out = llvm::BasicBlock::Create(module_.getContext(), "", function_);
    const llvm::IRBuilderBase::InsertPointGuard guard(builder_);
    builder_.SetInsertPoint(out);
    builder_.CreateBr(pass(edge, out));
    return out;
}

llvm::Value *Translator::condition(const Terminator &end)
{
    // Compared is a pointer that nobody loads through: on the failing side the verifier takes all knowledge from it.
    if (end.kind == Terminator::Kind::guard)
        return builder_.CreateICmpULE(opaque(at(value(end.a), end.imm)), value(end.b));
    llvm::Value *const a = value(end.a);
    llvm::Value *const b = end.b.valid() ? as(a->getType(), value(end.b)) : as(a->getType(), number(end.imm));
    switch (end.cond) {
    case Cond::eq: return builder_.CreateICmpEQ(a, b);
    case Cond::ne: return builder_.CreateICmpNE(a, b);
    case Cond::lt: return builder_.CreateICmpULT(a, b);
    case Cond::le: return builder_.CreateICmpULE(a, b);
    case Cond::gt: return builder_.CreateICmpUGT(a, b);
    case Cond::ge: return builder_.CreateICmpUGE(a, b);
    case Cond::set: return builder_.CreateICmpNE(builder_.CreateAnd(a, b), number(0));
    case Cond::clear: return builder_.CreateICmpEQ(builder_.CreateAnd(a, b), number(0));
    }
    return nullptr;
}

void Translator::leave(const Terminator &end)
{
    if (end.kind == Terminator::Kind::asm_) {
        // A word that is no instruction, to be replaced in the finished code: the block brings its own exits.
        const std::string marker = std::to_string(end.imm << 32U | asm_marker);
        assembly(builder_.getVoidTy(), ".quad " + marker, "{r1},~{memory}", {context_});
        builder_.CreateUnreachable();
        return;
    }
    assert(end.kind == Terminator::Kind::return_);
    llvm::Value *const verdict = end.a.valid() ? value(end.a) : number(end.imm);
    builder_.CreateRet(builder_.CreateTrunc(verdict, builder_.getInt32Ty()));
}

void Translator::finish(const Terminator &end)
{
    llvm::BasicBlock *const from = builder_.GetInsertBlock();
    if (end.kind == Terminator::Kind::jump || end.kind == Terminator::Kind::again) {
        builder_.CreateBr(pass(end.edges[0], from));
        return;
    }
    if (!has_two_edges(end))
        return leave(end);
    llvm::Value *const holds = condition(end);
    const bool same = end.edges[0].target == end.edges[1].target;
    llvm::BasicBlock *const yes = pass(end.edges[0], from);
    llvm::BasicBlock *const no = same ? apart(end.edges[1]) : pass(end.edges[1], from);
    llvm::MDNode *const weights = end.kind == Terminator::Kind::guard
                                      ? llvm::MDBuilder(module_.getContext()).createBranchWeights(2000, 1)
                                      : nullptr;
    builder_.CreateCondBr(holds, yes, no, weights);
}

} // namespace xdpf::llvm_backend
