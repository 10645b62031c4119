// Images made by hand, shared by the tests that read the object's bytes and those that load it into a kernel.
#pragma once

#include "compiler/image.hpp"

#include <linux/bpf.h>

#include <string>
#include <vector>

namespace xdpf::samples {

inline Insn insn(int code, int dst, int src, int off, int imm)
{
    Insn result;
    result.code = static_cast<std::uint8_t>(code);
    result.dst = static_cast<std::uint8_t>(dst) & 0xf;
    result.src = static_cast<std::uint8_t>(src) & 0xf;
    result.off = static_cast<std::int16_t>(off);
    result.imm = imm;
    return result;
}

inline Insn mov(int dst, int imm) { return insn(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, imm); }
inline Insn mov_reg(int dst, int src) { return insn(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0); }
inline Insn add(int dst, int imm) { return insn(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, imm); }
inline Insn load32(int dst, int src, int off) { return insn(BPF_LDX | BPF_W | BPF_MEM, dst, src, off, 0); }
inline Insn store64(int dst, int off, int imm) { return insn(BPF_ST | BPF_DW | BPF_MEM, dst, 0, off, imm); }
inline Insn call(int helper) { return insn(BPF_JMP | BPF_CALL, 0, 0, 0, helper); }
inline Insn exit() { return insn(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }

inline LayoutField number(std::string name, std::uint32_t offset, std::uint32_t size)
{
    return {std::move(name), FieldFormat::number, offset, size, false};
}
inline Layout plain(std::uint32_t size) { return {"", size, {number("", 0, size)}}; }
inline Layout counter() { return {"counter", 16, {number("packets", 0, 8), number("bytes", 8, 8)}}; }

inline MapSpec map(std::string name, MapKind kind, Layout key, Layout value, std::uint32_t entries,
                   std::uint32_t flags = 0)
{
    return {std::move(name), kind, std::move(key), std::move(value), entries, flags, {}};
}

inline void load_map(ProgramImage &program, int dst, std::size_t map)
{
    program.map_references.push_back({static_cast<std::uint32_t>(program.insns.size()), MapId(map)});
    program.insns.push_back(insn(BPF_LD | BPF_IMM | BPF_DW, dst, 0, 0, 0));
    program.insns.push_back(insn(0, 0, 0, 0, 0));
}

// The line that the instructions added next stand for.
inline void at_line(ProgramImage &program, std::uint32_t line, std::uint32_t column, std::string text)
{
    program.lines.push_back(
        {static_cast<std::uint32_t>(program.insns.size()), "sample.xdpf", line, column, std::move(text)});
}

inline ProgramImage returns(std::string name, int verdict)
{
    ProgramImage program;
    program.name = std::move(name);
    at_line(program, 1, 1, "default -> " + std::to_string(verdict));
    program.insns = {mov(0, verdict), exit()};
    return program;
}

// Redirects every packet to the socket of its queue.
inline Image redirect_all()
{
    Image image{"redirect", "GPL", {}, {}, {}, {}};
    image.maps.push_back(map("xsks", MapKind::xskmap, plain(4), plain(4), 64));
    ProgramImage program;
    program.name = "redirect_all";
    at_line(program, 3, 5, "    match udp -> xsk xsks");
    program.insns.push_back(load32(2, 1, 16));
    load_map(program, 1, 0);
    at_line(program, 4, 5, "    default -> drop");
    program.insns.insert(program.insns.end(), {mov(3, XDP_DROP), call(BPF_FUNC_redirect_map), exit()});
    image.programs.push_back(std::move(program));
    return image;
}

// A key with a hole at byte 5 and a tail of padding; every format of field.
inline Layout flow_key()
{
    return {"flow_key",
            40,
            {{"src", FieldFormat::ipv4, 0, 4, false},
             number("protocol", 4, 1),
             number("dport", 6, 2),
             {"mac", FieldFormat::mac, 8, 6, false},
             {"src6", FieldFormat::ipv6, 14, 16, false},
             {"tag", FieldFormat::bytes, 30, 3, false},
             number("queue", 36, 4)}};
}

inline Layout prefix_key()
{
    return {"blocklist_key", 8, {number("prefixlen", 0, 4), {"addr", FieldFormat::ipv4, 4, 4, false}}};
}

// Looks a key of zeroes up in a map: 40 bytes of the stack are enough for each.
inline void look_up(ProgramImage &program, std::size_t map, std::uint32_t line)
{
    at_line(program, line, 9, "        count map" + std::to_string(map) + "[key]");
    load_map(program, 1, map);
    program.insns.insert(program.insns.end(), {mov_reg(2, 10), add(2, -40), call(BPF_FUNC_map_lookup_elem)});
}

// A map of every kind that programs read and write, and one program that looks into each.
inline Image all_kinds()
{
    Image image{"kinds", "GPL", {}, {}, {}, {}};
    image.maps = {
        map("flows", MapKind::hash, flow_key(), counter(), 16),
        map("numbers", MapKind::array, plain(4), counter(), 4),
        map("per_cpu", MapKind::percpu_array, plain(4), plain(8), 2),
        map("cpu_flows", MapKind::percpu_hash, flow_key(), counter(), 16),
        map("recent", MapKind::lru_hash, {"", 4, {{"", FieldFormat::ipv4, 0, 4, false}}}, plain(1), 16),
        map("cpu_recent", MapKind::lru_percpu_hash, plain(2), counter(), 1024),
        map("blocklist", MapKind::lpm_trie, prefix_key(), plain(1), 16, BPF_F_NO_PREALLOC),
        map("pairs", MapKind::hash, {"", 8, {number("ipv4.src", 0, 4), number("udp.dport", 4, 2)}}, plain(8), 16),
    };
    ProgramImage program;
    program.name = "count_all";
    at_line(program, 1, 1, "defprogram count_all {");
    for (int offset = -40; offset < 0; offset += 8)
        program.insns.push_back(store64(10, offset, 0));
    for (std::size_t i = 0; i < image.maps.size(); ++i)
        look_up(program, i, static_cast<std::uint32_t>(2 + i));
    at_line(program, 20, 5, "    default -> pass");
    program.insns.insert(program.insns.end(), {mov(0, XDP_PASS), exit()});
    image.programs.push_back(std::move(program));
    return image;
}

inline Image several_programs()
{
    Image image = redirect_all();
    image.programs.push_back(returns("dropper", XDP_DROP));
    image.programs.push_back(returns("passer", XDP_PASS));
    return image;
}

// As many maps as one program may use.
inline Image many_maps()
{
    Image image{"many", "Dual MIT/GPL", {}, {}, {}, {}};
    ProgramImage program;
    program.name = "many";
    at_line(program, 1, 1, "defprogram many {");
    program.insns.push_back(store64(10, -40, 0));
    for (std::size_t i = 0; i < 64; ++i) {
        image.maps.push_back(map("map" + std::to_string(i), MapKind::hash, plain(8), plain(8), 1));
        look_up(program, i, static_cast<std::uint32_t>(2 + i));
    }
    program.insns.insert(program.insns.end(), {mov(0, XDP_PASS), exit()});
    image.programs.push_back(std::move(program));
    return image;
}

inline Image no_maps() { return {"plain", "GPL", {}, {returns("plain", XDP_PASS)}, {}, {}}; }

} // namespace xdpf::samples
