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

// A program for each place, with and without fragments; all in one file.
inline Image every_place()
{
    Image image = redirect_all();
    using Place = ProgramImage::Place;
    for (const Place place : {Place::interface, Place::devmap, Place::cpumap})
        for (const bool frags : {false, true}) {
            ProgramImage program = image.programs[0];
            program.name = std::string(place == Place::devmap   ? "on_device"
                                       : place == Place::cpumap ? "on_cpu"
                                                                : "on_interface") +
                           (frags ? "_f" : "");
            program.place = place;
            program.frags = frags;
            image.programs.push_back(std::move(program));
        }
    return image;
}

inline MapSpec data_map()
{
    MapSpec data = map("params", MapKind::array, plain(4), {}, 1);
    data.data = true;
    data.value = {
        "params", 16, {number("dns_port", 0, 2), {"server", FieldFormat::ipv4, 4, 4, false}, number("limit", 8, 8)}};
    data.initial = {
        std::byte{53}, {}, {}, {}, std::byte{10}, {}, {}, std::byte{1}, std::byte{7}, {}, {}, {}, {}, {}, {}, {}};
    return data;
}

inline void load_data(ProgramImage &program, int dst, std::size_t map, std::uint32_t offset)
{
    load_map(program, dst, map);
    program.map_references.back().value_offset = offset;
}

// Returns the limit, the port and the last byte of the server, added up; a map of the usual sort stands before.
inline Image with_data()
{
    Image image = redirect_all();
    image.maps.push_back(data_map());
    ProgramImage program;
    program.name = "with_data";
    at_line(program, 1, 1, "param dns_port : u16 = 53");
    load_data(program, 1, 1, 8);
    program.insns.push_back(insn(BPF_LDX | BPF_DW | BPF_MEM, 0, 1, 0, 0));
    load_data(program, 1, 1, 0);
    program.insns.push_back(insn(BPF_LDX | BPF_H | BPF_MEM, 2, 1, 0, 0));
    program.insns.push_back(insn(BPF_ALU64 | BPF_ADD | BPF_X, 0, 2, 0, 0));
    load_data(program, 1, 1, 7);
    program.insns.push_back(insn(BPF_LDX | BPF_B | BPF_MEM, 2, 1, 0, 0));
    program.insns.push_back(insn(BPF_ALU64 | BPF_ADD | BPF_X, 0, 2, 0, 0));
    program.insns.push_back(exit());
    image.programs.push_back(std::move(program));
    return image;
}

// Asks the device for all it knows of a packet, one after the other.
inline Image with_kfuncs()
{
    Image image{"kfuncs", "GPL", {}, {}, {}, {}};
    ProgramImage program;
    program.name = "kfuncs";
    at_line(program, 1, 1, "match rx_hash == 1 -> pass");
    program.insns = {mov_reg(6, 1), store64(10, -8, 0), store64(10, -16, 0)};
    for (const Kfunc kfunc : {Kfunc::rx_timestamp, Kfunc::rx_hash, Kfunc::rx_vlan_tag, Kfunc::rx_hash}) {
        program.insns.insert(program.insns.end(),
                             {mov_reg(1, 6), mov_reg(2, 10), add(2, -8), mov_reg(3, 10), add(3, -16)});
        program.kfunc_references.push_back({static_cast<std::uint32_t>(program.insns.size()), kfunc});
        program.insns.push_back(insn(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, 0));
    }
    program.insns.insert(program.insns.end(), {mov(0, XDP_PASS), exit()});
    image.programs.push_back(std::move(program));
    return image;
}

// Maps without keys, without types in the kernel, with flags, and one that is pinned.
inline Image unusual_maps()
{
    const auto target = [](const char *name, const char *first, const char *second) {
        return Layout{name, 8, {number(first, 0, 4), number(second, 4, 4)}};
    };
    Image image{"unusual", "GPL", {}, {}, {}, {}};
    image.maps = {
        map("ports", MapKind::devmap, plain(4), target("device", "ifindex", "prog_fd"), 8),
        map("hosts", MapKind::devmap_hash, plain(4), target("device", "ifindex", "prog_fd"), 8),
        map("cpus", MapKind::cpumap, plain(4), target("cpu_queue", "qsize", "prog_fd"), 2),
        map("programs", MapKind::prog_array, plain(4), plain(4), 4),
        map("seen", MapKind::bloom_filter, {}, plain(8), 1000),
        map("waiting", MapKind::queue, {}, counter(), 16),
        map("undo", MapKind::stack, {}, plain(4), 16),
        map("events", MapKind::ringbuf, {}, {}, 4096),
        map("flagged", MapKind::hash, plain(4), counter(), 16, BPF_F_NO_PREALLOC),
        map("kept", MapKind::hash, plain(4), counter(), 16),
    };
    image.maps.back().pinned = true;
    RecordType record;
    record.name = "events_0";
    record.layout = {"", 16, {number("time", 0, 8), number("type", 8, 4), number("queue", 12, 4)}};
    image.records.push_back(std::move(record));
    ProgramImage program;
    program.name = "unusual";
    at_line(program, 1, 1, "defprogram unusual {");
    for (std::size_t i = 0; i < image.maps.size(); ++i)
        load_map(program, 1, i);
    program.insns.insert(program.insns.end(), {mov(0, XDP_PASS), exit()});
    image.programs.push_back(std::move(program));
    return image;
}

inline Image no_maps() { return {"plain", "GPL", {}, {returns("plain", XDP_PASS)}, {}, {}}; }

} // namespace xdpf::samples
