#include "compiler/bpf/machine.hpp"

namespace xdpf::bpf {

Access access_of(const MachineInst &inst)
{
    Access access;
    switch (inst.code & 0x07U) {
    case BPF_ALU:
    case BPF_ALU64: {
        const unsigned operation = inst.code & 0xf0U;
        access.writes_dst = true;
        access.reads_dst = operation != BPF_MOV;
        access.reads_src = (inst.code & BPF_X) != 0 && operation != BPF_END && operation != BPF_NEG;
        break;
    }
    case BPF_LDX: access.writes_dst = access.reads_src = true; break;
    case BPF_LD: access.writes_dst = true; break;
    case BPF_STX: access.reads_dst = access.reads_src = true; break;
    case BPF_ST: access.reads_dst = true; break;
    case BPF_JMP: // over the next instruction
        access.reads_dst = !is_call(inst);
        access.reads_src = access.reads_dst && (inst.code & BPF_X) != 0;
        break;
    default: break;
    }
    return access;
}

} // namespace xdpf::bpf
