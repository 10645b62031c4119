#include "compiler/image.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/llvm/names.hpp"
#include "compiler/llvm/translator.hpp"

#include <fmt/format.h>
#include <llvm/IR/Module.h>

#include <cstdio>
#include <cstdlib>

namespace xdpf::llvm_backend {

using namespace ir;

void unknown(const Inst &inst)
{
    fmt::print(stderr, "The LLVM backend does not know '{}'\n", to_text(inst, {}));
    std::abort();
}

// Addresses of variables that are defined elsewhere.
llvm::Value *Translator::map(MapId id)
{
    return module_.getOrInsertGlobal(map_symbol(maps_[id.value]), builder_.getInt8Ty());
}

llvm::Value *Translator::only_value(MapId id)
{
    const MapSpec &spec = maps_[id.value];
    return module_.getOrInsertGlobal(value_symbol(spec), llvm::ArrayType::get(builder_.getInt8Ty(), spec.value.size));
}

// Helpers are called as in C: through their number as a pointer.
llvm::Value *Translator::call(llvm::Type *type, bpf_func_id helper, llvm::ArrayRef<llvm::Value *> args)
{
    std::vector<llvm::Type *> types;
    for (const llvm::Value *arg : args)
        types.push_back(arg->getType());
    auto *const signature = llvm::FunctionType::get(type, types, false);
    auto *const callee = llvm::ConstantExpr::getIntToPtr(builder_.getInt64(helper), builder_.getPtrTy());
    auto *const made = builder_.CreateCall(signature, callee, args);
    made->addFnAttr(llvm::Attribute::NoMerge); // one call with either of two maps is another thing to the verifier
    made->addFnAttr(llvm::Attribute::NoUnwind);
    return made;
}

llvm::Value *Translator::query(const Inst &inst)
{
    switch (inst.op) {
    case Op::now: return call(BPF_FUNC_ktime_get_ns, {});
    case Op::random: return call(BPF_FUNC_get_prandom_u32, {});
    case Op::cpu: return call(BPF_FUNC_get_smp_processor_id, {});
    case Op::whole_length: return call(BPF_FUNC_xdp_get_buff_len, {context_});
    default: unknown(inst);
    }
}

llvm::Value *Translator::adjust(const Inst &inst)
{
    switch (inst.op) {
    case Op::adjust_head: return call(BPF_FUNC_xdp_adjust_head, {context_, value(inst.a)});
    case Op::adjust_tail: return call(BPF_FUNC_xdp_adjust_tail, {context_, value(inst.a)});
    case Op::adjust_meta: return call(BPF_FUNC_xdp_adjust_meta, {context_, value(inst.a)});
    default: unknown(inst);
    }
}

llvm::Value *Translator::change_map(const Inst &inst)
{
    llvm::Type *const pointer = builder_.getPtrTy();
    switch (inst.op) {
    case Op::lookup: return call(pointer, BPF_FUNC_map_lookup_elem, {map(inst.map), slots_[inst.key]});
    case Op::update:
        return call(BPF_FUNC_map_update_elem, {map(inst.map), slots_[inst.key], slots_[inst.value], number(inst.imm)});
    case Op::erase: return call(BPF_FUNC_map_delete_elem, {map(inst.map), slots_[inst.key]});
    case Op::push_value: return call(BPF_FUNC_map_push_elem, {map(inst.map), slots_[inst.value], number(BPF_ANY)});
    case Op::peek: return call(BPF_FUNC_map_peek_elem, {map(inst.map), slots_[inst.value]});
    case Op::redirect: return call(BPF_FUNC_redirect_map, {map(inst.map), value(inst.a), number(inst.imm)});
    case Op::tail_call: return call(BPF_FUNC_tail_call, {context_, map(inst.map), number(inst.imm)});
    case Op::reserve: return call(pointer, BPF_FUNC_ringbuf_reserve, {map(inst.map), number(inst.imm), number(0)});
    case Op::submit: return call(BPF_FUNC_ringbuf_submit, {value(inst.a), number(0)});
    default: unknown(inst);
    }
}

// Unlike helpers these give 32 bits.
llvm::Value *Translator::rx_meta(const Inst &inst)
{
    Kfunc kfunc = Kfunc::rx_timestamp;
    std::vector<llvm::Value *> args{context_, slots_[inst.value]};
    if (inst.rx != RxMeta::timestamp) {
        const bool hash = inst.rx == RxMeta::hash; // its type, or the tag behind the protocol
        kfunc = hash ? Kfunc::rx_hash : Kfunc::rx_vlan_tag;
        args.push_back(at(slots_[inst.value], hash ? 4 : 2));
    }
    const std::vector<llvm::Type *> types(args.size(), builder_.getPtrTy());
    const auto callee =
        module_.getOrInsertFunction(name_of(kfunc), llvm::FunctionType::get(builder_.getInt32Ty(), types, false));
    auto *const made = builder_.CreateCall(callee, args);
    made->addFnAttr(llvm::Attribute::NoMerge);
    return builder_.CreateSExt(made, builder_.getInt64Ty());
}

// The verifier wants to see for itself that the length is neither 0 nor more than there is room: two comparisons that
// always come out true, over the one instruction behind each. The record stays where its null check was.
llvm::Value *Translator::copy_packet(const Inst &inst)
{
    llvm::Value *length = value(inst.b);
    if (!llvm::isa<llvm::ConstantInt>(length)) {
        std::string clamp = "if $0 >= 1 goto +1\n$0 = 1";
        if (inst.max <= INT32_MAX)
            clamp += fmt::format("\nif $0 <= {0} goto +1\n$0 = {0}", inst.max);
        length = assembly(length->getType(), clamp, "=r,0", {length});
    }
    llvm::Value *const record = at(opaque(value(inst.a)), inst.imm);
    return call(BPF_FUNC_xdp_load_bytes, {context_, number(0), record, length});
}

} // namespace xdpf::llvm_backend
