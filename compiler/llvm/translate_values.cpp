#include "compiler/ir/traits.hpp"
#include "compiler/llvm/translator.hpp"

#include <llvm/IR/InlineAsm.h>
#include <llvm/IR/Module.h>

#include <bit>
#include <cstddef>
#include <cstdlib>

namespace xdpf::llvm_backend {

using namespace ir;

// ---- Writing -----------------------------------------------------------------------------------------------------

llvm::Value *Translator::assembly(llvm::Type *type, const std::string &text, const std::string &constraints,
                                  llvm::ArrayRef<llvm::Value *> args)
{
    std::vector<llvm::Type *> types;
    for (const llvm::Value *arg : args)
        types.push_back(arg->getType());
    auto *const signature = llvm::FunctionType::get(type, types, false);
    // Always with side effects: it stays where it is, behind the guards in front of it and before what moves the
    // packet.
    auto *const call = builder_.CreateCall(signature, llvm::InlineAsm::get(signature, text, constraints, true), args);
    call->addFnAttr(llvm::Attribute::NoUnwind);
    return call;
}

llvm::Value *Translator::at(llvm::Value *pointer, std::uint64_t offset)
{
    return offset == 0 ? pointer : builder_.CreateGEP(builder_.getInt8Ty(), pointer, number(offset));
}

// Of the context, 32 bits. In assembly, because the verifier wants the offset in the load itself, and LLVM would make
// one load with a variable offset of two in different branches.
llvm::Value *Translator::field(std::size_t offset)
{
    return assembly(builder_.getInt64Ty(), "$0 = *(u32 *)($1 + " + std::to_string(offset) + ")", "=r,r", {context_});
}

// LLVM would subtract only as many bits as are asked for afterwards; of pointers the verifier takes all 64.
llvm::Value *Translator::difference(llvm::Value *a, llvm::Value *b)
{
    return opaque(builder_.CreateSub(as(builder_.getInt64Ty(), a), as(builder_.getInt64Ty(), b)));
}

// ---- Reading values ----------------------------------------------------------------------------------------------

llvm::Type *Translator::type_of(ValueId value)
{
    if (program_.values[value].kind == ValueKind::number)
        return builder_.getInt64Ty();
    return builder_.getPtrTy();
}

// A number as the pointer that it is, and the other way.
llvm::Value *Translator::as(llvm::Type *type, llvm::Value *value)
{
    if (value->getType() == type)
        return value;
    return type->isPointerTy() ? builder_.CreateIntToPtr(value, type) : builder_.CreatePtrToInt(value, type);
}

// ---- Instructions ------------------------------------------------------------------------------------------------

void Translator::instruction(const Inst &inst)
{
    builder_.SetCurrentDebugLocation(lines_.at(inst.span));
    llvm::Value *const made = body(inst);
    if (inst.result.valid())
        values_[inst.result] = as(type_of(inst.result), made);
}

llvm::Value *Translator::body(const Inst &inst)
{
    switch (shape_of(inst.op)) {
    case Shape::constant: return number(inst.imm);
    case Shape::nullary: return nullary(inst);
    case Shape::context: return context_field(inst);
    case Shape::query: return query(inst);
    case Shape::load: return load(inst, at(value(inst.a), inst.imm), true);
    case Shape::store_packet: return store(inst, value(inst.b), at(value(inst.a), inst.imm), true);
    case Shape::unary: return unary(inst);
    case Shape::binary: return binary(inst);
    case Shape::offset: return offset(inst);
    case Shape::adjust: return adjust(inst);
    case Shape::load_slot: return load(inst, at(slots_[inst.key], inst.imm), false);
    case Shape::store_slot: return store(inst, value(inst.a), at(slots_[inst.key], inst.imm), false);
    case Shape::rx_meta: return rx_meta(inst);
    case Shape::load_map: return load(inst, at(value(inst.a), inst.imm), false);
    case Shape::store_map:
        if (inst.op == Op::atomic_add)
            return atomic_add(inst);
        return store(inst, value(inst.b), at(value(inst.a), inst.imm), false);
    case Shape::map_value: return at(only_value(inst.map), inst.imm);
    case Shape::element:
        return opaque(builder_.CreateGEP(builder_.getInt8Ty(), value(inst.a),
                                         builder_.CreateAnd(opaque(value(inst.b)), number(inst.imm))));
    case Shape::lookup:
    case Shape::update:
    case Shape::erase:
    case Shape::push:
    case Shape::redirect:
    case Shape::tail_call:
    case Shape::reserve:
    case Shape::submit: return change_map(inst);
    case Shape::copy_packet: return copy_packet(inst);
    }
    unknown(inst);
}

llvm::Value *Translator::nullary(const Inst &inst)
{
    const auto pointer = [&](std::size_t offset) { return as(builder_.getPtrTy(), field(offset)); };
    switch (inst.op) {
    case Op::packet_start: return pointer(offsetof(xdp_md, data));
    case Op::packet_end: return pointer(offsetof(xdp_md, data_end));
    case Op::meta_start: return pointer(offsetof(xdp_md, data_meta));
    case Op::packet_length: {
        llvm::Value *const end = field(offsetof(xdp_md, data_end));
        return difference(end, field(offsetof(xdp_md, data)));
    }
    default: unknown(inst);
    }
}

llvm::Value *Translator::context_field(const Inst &inst)
{
    switch (inst.field) {
    case ContextField::rx_queue: return field(offsetof(xdp_md, rx_queue_index));
    case ContextField::ingress_ifindex: return field(offsetof(xdp_md, ingress_ifindex));
    case ContextField::egress_ifindex: return field(offsetof(xdp_md, egress_ifindex));
    }
    unknown(inst);
}

llvm::Value *Translator::unary(const Inst &inst)
{
    switch (inst.op) {
    case Op::neg: return builder_.CreateNeg(value(inst.a));
    case Op::complement: return builder_.CreateNot(value(inst.a));
    default: unknown(inst);
    }
}

llvm::Value *Translator::binary(const Inst &inst)
{
    if (inst.op == Op::distance)
        return difference(value(inst.a), value(inst.b));
    llvm::Value *const a = value(inst.a);
    llvm::Value *const b = value(inst.b);
    const auto amount = [&] { return builder_.CreateAnd(b, number(63)); };
    switch (inst.op) {
    case Op::add: return builder_.CreateAdd(a, b);
    case Op::sub: return builder_.CreateSub(a, b);
    case Op::mul: return builder_.CreateMul(a, b);
    case Op::div:
    case Op::mod: return divide(inst.op, a, b);
    case Op::bit_and: return builder_.CreateAnd(a, b);
    case Op::bit_or: return builder_.CreateOr(a, b);
    case Op::bit_xor: return builder_.CreateXor(a, b);
    case Op::shl: return builder_.CreateShl(a, amount());
    case Op::shr: return builder_.CreateLShr(a, amount());
    default: unknown(inst);
    }
}

// The machine divides by zero, LLVM does not.
llvm::Value *Translator::divide(Op op, llvm::Value *a, llvm::Value *b)
{
    if (const auto *known = llvm::dyn_cast<llvm::ConstantInt>(b); known != nullptr && !known->isZero())
        return op == Op::div ? builder_.CreateUDiv(a, b) : builder_.CreateURem(a, b);
    return assembly(a->getType(), op == Op::div ? "$0 /= $2" : "$0 %= $2", "=r,0,r", {a, b});
}

// A pointer that was moved by a number is one of its own to the verifier, so it is made once, and not again from its
// parts. That the number is within its bound the verifier has to see right here; LLVM may have found a way to it that
// only LLVM understands, and would leave a mask out that it knows to do nothing.
llvm::Value *Translator::offset(const Inst &inst)
{
    llvm::Value *base = value(inst.a);
    llvm::Value *by = nullptr;
    std::uint64_t mask = inst.imm;
    if (inst.op == Op::rebase) {
        by = difference(base, value(inst.b));
        base = value(inst.b);
    } else if (const auto *known = llvm::dyn_cast<llvm::ConstantInt>(value(inst.b))) {
        return at(base, known->getZExtValue());
    } else {
        by = opaque(value(inst.b));
        mask = std::bit_ceil(inst.imm + 1) - 1;
    }
    return opaque(builder_.CreateGEP(builder_.getInt8Ty(), base, builder_.CreateAnd(by, number(mask))));
}

// ---- Memory --------------------------------------------------------------------------------------------------------

// Natural alignment is claimed for everything: without, LLVM puts numbers together byte by byte. The processor and the
// verifier ask for none. From the packet volatile: what is loaded again is meant to be, since a field that is held in a
// register over many rules gives the verifier as many states to follow.
llvm::Value *Translator::load(const Inst &inst, llvm::Value *pointer, bool packet)
{
    llvm::Type *const type = builder_.getIntNTy(8 * inst.width);
    llvm::Value *loaded = builder_.CreateAlignedLoad(type, pointer, llvm::Align(inst.width), packet);
    if (inst.order == Order::big && inst.width > 1)
        loaded = builder_.CreateUnaryIntrinsic(llvm::Intrinsic::bswap, loaded);
    return builder_.CreateZExt(loaded, builder_.getInt64Ty());
}

llvm::Value *Translator::store(const Inst &inst, llvm::Value *stored, llvm::Value *pointer, bool packet)
{
    llvm::Type *const type = builder_.getIntNTy(8 * inst.width);
    llvm::Value *number = builder_.CreateTrunc(stored, type);
    if (inst.order == Order::big && inst.width > 1)
        number = builder_.CreateUnaryIntrinsic(llvm::Intrinsic::bswap, number);
    return builder_.CreateAlignedStore(number, pointer, llvm::Align(inst.width), packet);
}

llvm::Value *Translator::atomic_add(const Inst &inst)
{
    llvm::Value *const added = builder_.CreateTrunc(value(inst.b), builder_.getIntNTy(8 * inst.width));
    return builder_.CreateAtomicRMW(llvm::AtomicRMWInst::Add, at(value(inst.a), inst.imm), added,
                                    llvm::Align(inst.width), llvm::AtomicOrdering::Monotonic);
}

} // namespace xdpf::llvm_backend
