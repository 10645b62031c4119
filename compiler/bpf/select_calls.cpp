// Arguments go straight to r1-r5 and the result comes from r0; the allocator keeps everything else out of their way.
#include "compiler/bpf/selector.hpp"

namespace xdpf::bpf {

using namespace ir;

void Selector::address(VReg dst, SlotId slot, std::uint64_t off)
{
    move(dst, frame_pointer);
    alu(Alu::add, dst, off).frame = FrameId(slot.value);
}

void Selector::call(bpf_func_id helper, std::uint8_t args)
{
    emit(BPF_JMP | BPF_CALL, no_reg, no_reg, helper).args = args;
}

void Selector::helper(const Inst &inst, VReg dst)
{
    switch (inst.op) {
    case Op::now: call(BPF_FUNC_ktime_get_ns, 0); break;
    case Op::random: call(BPF_FUNC_get_prandom_u32, 0); break;
    case Op::cpu: call(BPF_FUNC_get_smp_processor_id, 0); break;
    case Op::whole_length:
        move(1, context());
        call(BPF_FUNC_xdp_get_buff_len, 1);
        break;
    case Op::lookup:
        address(2, inst.key);
        map_address(1, inst.map);
        call(BPF_FUNC_map_lookup_elem, 2);
        break;
    case Op::update:
        address(2, inst.key);
        address(3, inst.value);
        map_address(1, inst.map);
        set(4, inst.imm);
        call(BPF_FUNC_map_update_elem, 4);
        break;
    case Op::erase:
        address(2, inst.key);
        map_address(1, inst.map);
        call(BPF_FUNC_map_delete_elem, 2);
        break;
    case Op::push_value:
        address(2, inst.value);
        map_address(1, inst.map);
        set(3, BPF_ANY);
        call(BPF_FUNC_map_push_elem, 3);
        break;
    case Op::peek:
        address(2, inst.value);
        map_address(1, inst.map);
        call(BPF_FUNC_map_peek_elem, 2);
        break;
    case Op::redirect:
        copy(2, inst.a);
        map_address(1, inst.map);
        set(3, inst.imm);
        call(BPF_FUNC_redirect_map, 3);
        break;
    case Op::reserve:
        map_address(1, inst.map);
        set(2, inst.imm);
        set(3, 0);
        call(BPF_FUNC_ringbuf_reserve, 3);
        break;
    case Op::submit:
        copy(1, inst.a);
        set(2, 0);
        call(BPF_FUNC_ringbuf_submit, 2);
        break;
    case Op::adjust_head:
    case Op::adjust_tail:
    case Op::adjust_meta: adjust(inst); break;
    case Op::rx_meta: rx_meta(inst); break;
    case Op::tail_call: return tail_call(inst);
    case Op::copy_packet: copy_packet(inst); break;
    default: assert(false); return;
    }
    take(dst);
}

void Selector::adjust(const Inst &inst)
{
    copy(2, inst.a);
    move(1, context());
    call(inst.op == Op::adjust_head   ? BPF_FUNC_xdp_adjust_head
         : inst.op == Op::adjust_tail ? BPF_FUNC_xdp_adjust_tail
                                      : BPF_FUNC_xdp_adjust_meta,
         2);
}

// Unlike helpers these give 32 bits.
void Selector::rx_meta(const Inst &inst)
{
    move(1, context());
    address(2, inst.value);
    Kfunc kfunc = Kfunc::rx_timestamp;
    std::uint8_t args = 2;
    if (inst.rx != RxMeta::timestamp) {
        const bool hash = inst.rx == RxMeta::hash; // its type, or the tag behind the protocol
        kfunc = hash ? Kfunc::rx_hash : Kfunc::rx_vlan_tag;
        address(3, inst.value, hash ? 4 : 2);
        args = 3;
    }
    MachineInst &made = emit(BPF_JMP | BPF_CALL, no_reg);
    made.args = args;
    made.kfunc = kfunc;
    if (inst.result.valid()) {
        alu(Alu::lsh, 0, std::uint64_t{32});
        alu(Alu::arsh, 0, std::uint64_t{32});
    }
}

void Selector::tail_call(const Inst &inst)
{
    move(1, context());
    map_address(2, inst.map);
    set(3, inst.imm);
    call(BPF_FUNC_tail_call, 3);
}

// The verifier wants to see for itself that the length is neither 0 nor more than there is room: two comparisons that
// always come out true, over the one instruction behind each.
void Selector::copy_packet(const Inst &inst)
{
    constexpr VReg length = 4;
    const auto keep_if = [&](Test test, std::uint64_t bound) {
        if (fits_imm(bound)) {
            emit(BPF_JMP | unsigned(test) | BPF_K, length, no_reg, bound).off = 1;
            alu(Alu::mov, length, bound);
        }
    };
    const auto [record, off] = access(inst.a, inst.imm);
    copy(length, inst.b);
    if (!constant_of(inst.b)) {
        keep_if(Test::ge, 1);
        keep_if(Test::le, inst.max);
    }
    move(3, record);
    if (off != 0)
        alu(Alu::add, 3, static_cast<std::uint64_t>(std::int64_t{off}));
    set(2, 0);
    move(1, context());
    call(BPF_FUNC_xdp_load_bytes, 4);
}

} // namespace xdpf::bpf
