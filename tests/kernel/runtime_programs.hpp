// Programs written as instructions, so that the runtime is tested without the compiler's stages.
#pragma once

#include "compiler/image.hpp"
#include "compiler/object/object.hpp"

#include <linux/bpf.h>

#include <string>
#include <utility>
#include <vector>

namespace xdpf::testing {

inline Insn op(int code, int dst, int src, int off, int imm)
{
    Insn insn;
    insn.code = static_cast<std::uint8_t>(code);
    insn.dst = static_cast<std::uint8_t>(dst) & 15;
    insn.src = static_cast<std::uint8_t>(src) & 15;
    insn.off = static_cast<std::int16_t>(off);
    insn.imm = imm;
    return insn;
}
inline Insn mov(int dst, int imm) { return op(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm); }
inline Insn mov_reg(int dst, int src) { return op(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0); }
inline Insn add(int dst, int imm) { return op(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm); }
inline Insn load(int size, int dst, int src, int off) { return op(BPF_LDX | BPF_MEM | size, dst, src, off, 0); }
inline Insn call(int helper) { return op(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
inline Insn leave() { return op(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }
inline Insn map_low(int dst) { return op(BPF_LD | BPF_DW | BPF_IMM, dst, 0, 0, 0); } // and a Insn() behind it

inline Layout number(std::uint32_t size) { return {"", size, {{"", FieldFormat::number, 0, size, false}}}; }

inline MapSpec map_spec(std::string name, MapKind kind, std::uint32_t entries, std::uint32_t value_size)
{
    MapSpec map;
    map.name = std::move(name);
    map.kind = kind;
    map.key = number(4);
    map.value = number(value_size);
    map.max_entries = entries;
    return map;
}

inline Image image_of(std::string name, std::vector<MapSpec> maps, std::vector<Insn> insns,
                      std::vector<MapReference> references)
{
    Image image;
    image.name = name;
    image.license = "GPL";
    image.maps = std::move(maps);
    ProgramImage program;
    program.name = std::move(name);
    program.insns = std::move(insns);
    program.map_references = std::move(references);
    program.lines = {{0, "hand.xdpf", 7, 1, "match udp -> xsk"}};
    image.programs.push_back(std::move(program));
    image.elf = write_object(image);
    return image;
}

// Everything to xsks[rx_queue]; an empty slot passes.
inline Image redirect_all(std::uint32_t entries = 64)
{
    return image_of("redirect_all", {map_spec("xsks", MapKind::xskmap, entries, 4)},
                    {load(BPF_W, 2, 1, offsetof(xdp_md, rx_queue_index)), map_low(1), Insn(), mov(3, XDP_PASS),
                     call(BPF_FUNC_redirect_map), leave()},
                    {{1, MapId(std::size_t{0})}});
}

// UDP right behind IPv4 right behind Ethernet to xsks[rx_queue], the rest passes.
inline Image udp_to_xsk()
{
    const int unequal = BPF_JMP | BPF_JNE | BPF_K;
    return image_of("udp_to_xsk", {map_spec("xsks", MapKind::xskmap, 64, 4)},
                    {mov_reg(6, 1), load(BPF_W, 2, 1, 0), load(BPF_W, 3, 1, 4), mov_reg(4, 2), add(4, 42),
                     op(BPF_JMP | BPF_JGT | BPF_X, 4, 3, 10, 0), load(BPF_H, 5, 2, 12), op(unequal, 5, 0, 8, 0x0008),
                     load(BPF_B, 5, 2, 23), op(unequal, 5, 0, 6, 17),
                     load(BPF_W, 2, 6, offsetof(xdp_md, rx_queue_index)), map_low(1), Insn(), mov(3, XDP_PASS),
                     call(BPF_FUNC_redirect_map), leave(), mov(0, XDP_PASS), leave()},
                    {{11, MapId(std::size_t{0})}});
}

// Adds one to hits[0] and passes.
inline Image count_all(MapKind kind)
{
    return image_of("count_all", {map_spec("hits", kind, 1, 8)},
                    {op(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0), mov_reg(2, 10), add(2, -4), map_low(1), Insn(),
                     call(BPF_FUNC_map_lookup_elem), op(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3, 0), load(BPF_DW, 1, 0, 0),
                     add(1, 1), op(BPF_STX | BPF_MEM | BPF_DW, 0, 1, 0, 0), mov(0, XDP_PASS), leave()},
                    {{3, MapId(std::size_t{0})}});
}

// Returns the index of the interface.
inline Image report_ifindex()
{
    return image_of("report_ifindex", {}, {load(BPF_W, 0, 1, offsetof(xdp_md, ingress_ifindex)), leave()}, {});
}

// Reads the packet without asking where it ends, which the verifier refuses.
inline Image unchecked_read()
{
    return image_of("unchecked_read", {}, {load(BPF_W, 2, 1, 0), load(BPF_B, 0, 2, 0), leave()}, {});
}

} // namespace xdpf::testing
