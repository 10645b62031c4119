// Random `asm` blocks that the checker accepts: grown piece by piece, each piece kept only if the block with it still
// passes. So they go to the limits of what is accepted.
#pragma once

#include "compiler/bpf/asm_check.hpp"

#include <fmt/format.h>

#include <array>
#include <iterator>
#include <random>
#include <string>
#include <vector>

namespace xdpf::testing {

inline MapSpec asm_map(std::string name, MapKind kind, std::uint32_t key, std::uint32_t value, std::uint32_t entries)
{
    MapSpec spec;
    spec.name = std::move(name);
    spec.kind = kind;
    spec.key.size = key;
    spec.value.size = value;
    spec.max_entries = entries;
    return spec;
}

// Maps of many kinds, under the names of their kinds.
inline std::vector<MapSpec> asm_maps()
{
    std::vector<MapSpec> maps{
        asm_map("xsks", MapKind::xskmap, 4, 4, 64),     asm_map("hash", MapKind::hash, 4, 16, 64),
        asm_map("array", MapKind::array, 4, 64, 4),     asm_map("percpu", MapKind::percpu_array, 4, 8, 4),
        asm_map("lru", MapKind::lru_hash, 6, 24, 64),   asm_map("lpm", MapKind::lpm_trie, 8, 8, 64),
        asm_map("devs", MapKind::devmap, 4, 4, 64),     asm_map("cpus", MapKind::cpumap, 4, 4, 2),
        asm_map("progs", MapKind::prog_array, 4, 4, 4), asm_map("ring", MapKind::ringbuf, 0, 0, 4096),
        asm_map("queue", MapKind::queue, 0, 8, 8),
    };
    maps[5].flags = 1; // BPF_F_NO_PREALLOC
    return maps;
}

class AsmGenerator {
public:
    explicit AsmGenerator(std::uint64_t seed) : random_(seed), maps_(asm_maps()) {}

    std::string run()
    {
        body_ = "r6 = r1\nr7 = *(u32 *)(r6 + xdp_md.data)\nr8 = *(u32 *)(r6 + xdp_md.data_end)\nr9 = r7\n";
        for (const int reg : {0, 2, 3, 4, 5})
            body_ += fmt::format("r{} = *(u32 *)(r6 + xdp_md.rx_queue_index)\n", reg);
        for (std::uint64_t i = below(9); i > 0; --i)
            body_ += fmt::format("*(u64 *)(r10 - {}) = {}\n", 8 * i, number());
        const std::uint64_t pieces = 20 + below(100);
        for (std::uint64_t i = 0; i < pieces; ++i)
            grow();
        return whole();
    }
    [[nodiscard]] const std::vector<MapSpec> &maps() const { return maps_; }

private:
    std::uint64_t below(std::uint64_t bound) { return random_() % bound; }
    template <class T> const T &one(const std::vector<T> &of) { return of[below(of.size())]; }

    [[nodiscard]] std::string whole() const
    {
        std::string text = body_;
        for (const std::string &label : open_)
            text += label + ":\n";
        return text + "r0 = XDP_PASS\nexit\n";
    }
    [[nodiscard]] bool accepted() const
    {
        Diagnostics diagnostics;
        return bpf::assemble_asm(whole(), Span{FileId(0), 0, 0}, {maps_, {}}, ProgramImage::Place::interface,
                                 diagnostics)
            .has_value();
    }

    void grow()
    {
        const std::string before = body_;
        const std::vector<std::string> open = open_;
        for (int tries = 0; tries < 6; ++tries) {
            body_ += piece();
            if (accepted())
                return;
            body_ = before;
            open_ = open;
        }
    }

    std::string reg()
    {
        const std::uint64_t reg = below(12);
        return fmt::format("r{}", reg == 11 ? 0 : reg == 6 && below(4) != 0 ? 3 : reg); // the context mostly stays
    }
    std::string number()
    {
        static const std::vector<std::int64_t> numbers{
            0,   1,   2,   3,    4,    7,     8,     14,    15,         16, 31, 32, 33,  60,  63,   64,
            100, 127, 255, 1000, 4095, 32767, 65535, 65536, 0x7fffffff, -1, -4, -8, -16, -64, -512, -2147483647};
        return fmt::format("{}", one(numbers));
    }
    std::string small() { return fmt::format("{}", one(std::vector<int>{0, 1, 2, 4, 8, 12, 14, 20, 34, 40, 62, 63})); }
    std::string slot()
    {
        const std::vector<int> places{4, 8, 12, 16, 24, 32, 64, 2, 3, 6, 512};
        return fmt::format("r10 - {}", one(places));
    }
    std::string place() { return below(3) == 0 ? slot() : fmt::format("r{} + {}", below(10), small()); }
    std::string label()
    {
        if (!open_.empty() && below(3) != 0)
            return one(open_);
        open_.push_back(fmt::format("l{}", labels_++));
        return open_.back();
    }
    std::string bind()
    {
        if (open_.empty())
            return {};
        const std::size_t which = below(open_.size());
        std::string text = open_[which] + ":\n";
        open_.erase(open_.begin() + static_cast<long>(which));
        return text;
    }

    std::string piece()
    {
        switch (below(16)) {
        case 0:
        case 1: return arithmetic(false);
        case 2: return arithmetic(true);
        case 3: return fmt::format("{} = {}\n", reg(), below(2) == 0 ? reg() : number());
        case 4:
        case 5: return fmt::format("{} = *({} *)({})\n", reg(), type(true), place());
        case 6: return fmt::format("*({} *)({}) = {}\n", type(false), place(), below(2) == 0 ? reg() : number());
        case 7: return packet();
        case 8: return guard();
        case 9: return branch();
        case 10: return bounded();
        case 11: return bind();
        case 12:
        case 13: return call();
        case 14: return odd();
        default: return exit_or_jump();
        }
    }

    std::string type(bool load)
    {
        const std::vector<std::string> types{"u8", "u16", "u32", "u64", "u8", "u16", "u32", "u64", "s8", "s16", "s32"};
        return types[below(load ? types.size() : 8)];
    }
    std::string arithmetic(bool half)
    {
        static const std::vector<std::string> signs{
            "+=", "-=", "+=", "-=", "*=", "/=", "%=", "&=", "&=", "|=", "^=", "<<=", ">>=", "s>>=", "s/=", "s%="};
        const std::string &sign = one(signs);
        std::string a = reg();
        std::string b = below(3) == 0 ? reg() : below(2) == 0 ? number() : small();
        if (half) {
            a[0] = 'w';
            if (b[0] == 'r')
                b[0] = 'w';
        }
        return fmt::format("{} {} {}\n", a, sign, b);
    }
    std::string odd()
    {
        const std::string r = reg();
        switch (below(7)) {
        case 0: return fmt::format("{0} = -{0}\n", r);
        case 1: return fmt::format("{0} = be{1} {0}\n", r, 16U << below(3));
        case 2: return fmt::format("{0} = bswap{1} {0}\n", r, 16U << below(3));
        case 3: return fmt::format("{} = (s{}){}\n", r, 8U << below(3), reg());
        case 4: return fmt::format("{} = {:#x} ll\n", r, random_() >> below(64));
        case 5: return fmt::format("{} = map {}\n", r, one(maps_).name);
        default:
            return fmt::format("lock *(u{} *)({}) {} {}\n", 32U << below(2), place(),
                               one(std::vector<std::string>{"+=", "|=", "&=", "^="}), reg());
        }
    }
    std::string packet()
    {
        static const std::vector<std::string> fields{"data", "data_end",       "data_end",       "data_meta",
                                                     "data", "rx_queue_index", "ingress_ifindex"};
        if (below(3) == 0)
            return "r7 = *(u32 *)(r6 + xdp_md.data)\nr8 = *(u32 *)(r6 + xdp_md.data_end)\n";
        return fmt::format("{} = *(u32 *)(r6 + xdp_md.{})\n", reg(), one(fields));
    }
    std::string guard()
    {
        static const std::vector<std::string> tests{">", ">=", "<", "<="};
        const std::string p = reg();
        const std::string from = below(4) == 0 ? reg() : below(2) == 0 ? "r9" : "r7";
        const std::string end = below(3) == 0 ? reg() : "r8";
        std::string text;
        if (below(3) != 0)
            text = fmt::format("{} = {}\n{} += {}\n", p, from, p, small());
        if (below(3) == 0)
            text += fmt::format("{} -= {}\n", p, below(3));
        const bool swapped = below(2) == 0;
        text += fmt::format("if {} {} {} goto {}\n", swapped ? end : p, one(tests), swapped ? p : end, label());
        for (std::uint64_t i = below(3); i > 0; --i)
            text += fmt::format("r3 = *({} *)({} + {})\n", type(true), below(2) == 0 ? p : from, small());
        return text;
    }
    std::string branch()
    {
        static const std::vector<std::string> tests{"==", "!=", ">", ">=", "<", "<=", "s>", "s>=", "s<", "s<=", "&"};
        const char letter = below(4) == 0 ? 'w' : 'r';
        std::string a = reg();
        std::string b = below(4) == 0 ? reg() : below(3) == 0 ? "0" : number();
        a[0] = letter;
        if (b[0] == 'r')
            b[0] = letter;
        return fmt::format("if {} {} {} goto {}\n", a, one(tests), b, label());
    }
    // A number that is bounded one way or other, added to a pointer.
    std::string bounded()
    {
        static const std::vector<std::string> bounds{
            "&= 0xff", "&= 0x3c", "&= 63", ">>= 58", ">>= 28", "<<= 2", "%= 8",  "+= 3",    "*= 4",      "|= 1",
            "^= 5",    "-= 1",    "&= 7",  "/= 2",   "/= 300", "*= 9",  "<<= 3", "s>>= 60", "&= 0x7fff", "&= 0xffff"};
        const std::string n = reg();
        std::string text = below(2) == 0 ? fmt::format("{} = *({} *)({})\n", n, type(true), place()) : "";
        for (std::uint64_t i = below(4); i > 0; --i)
            text += fmt::format("{}{} {}\n", below(3) == 0 ? 'w' : 'r', n.substr(1), one(bounds));
        if (below(3) == 0)
            text += fmt::format("if {}{} {} {} goto {}\n", below(4) == 0 ? 'w' : 'r', n.substr(1),
                                one(std::vector<std::string>{">", ">=", "<", "<=", "==", "!="}), small(), label());
        if (below(3) == 0)
            return text + fmt::format("{} += {}\n", n, reg());
        const std::string p = below(3) == 0 ? reg() : "r9";
        if (below(2) == 0)
            text += fmt::format("{} = {}\n", p, below(3) == 0 ? reg() : "r7");
        text += fmt::format("{} {} {}\n", p, below(5) == 0 ? "-=" : "+=", n);
        if (below(2) == 0)
            return text;
        const std::uint64_t size = 1 + below(4);
        return text + fmt::format("r4 = {0}\nr4 += {1}\nif r4 {2} r8 goto {3}\nr5 = *(u8 *)({0} + {4})\n", p, size,
                                  below(2) == 0 ? ">" : ">=", label(), size - below(2));
    }
    std::string memory(const std::string &r)
    {
        if (below(4) != 0)
            return fmt::format("{} = r10\n{} += -{}\n", r, r, one(std::vector<int>{4, 8, 16, 24, 32, 64, 6}));
        return fmt::format("{} = {}\n{} += {}\n", r, reg(), r, small());
    }
    std::string size(const std::string &r)
    {
        if (below(2) == 0)
            return fmt::format("{} = {}\n", r, small());
        return fmt::format("{} = {}\n{} &= {}\n{}", r, reg(), r, one(std::vector<int>{3, 7, 15, 31}),
                           below(2) == 0 ? fmt::format("{} += 1\n", r) : "");
    }
    std::string call()
    {
        std::string text;
        if (below(2) == 0)
            text = fmt::format("*(u64 *)(r10 - 8) = {}\n*(u64 *)(r10 - 16) = {}\n", number(), number());
        const std::string map = fmt::format("r1 = map {}\n", one(maps_).name);
        switch (below(3) == 0 ? below(15) : below(9)) { // those that move the packet are rarer
        case 0:
        case 1:
        case 2:
            text += memory("r2") + map + "call bpf_map_lookup_elem\n";
            if (below(4) != 0)
                text += fmt::format("if r0 {} 0 goto {}\n", below(3) == 0 ? "!=" : "==", label());
            return text + (below(2) == 0 ? entry() : "");
        case 3: return text + memory("r2") + memory("r3") + map + "r4 = BPF_ANY\ncall bpf_map_update_elem\n";
        case 4: return text + memory("r2") + map + "call bpf_map_delete_elem\n";
        case 5: return fmt::format("r2 = {}\n{}r3 = {}\ncall bpf_redirect_map\n", number(), map, number());
        case 6: return fmt::format("r1 = {}\nr2 = 0\ncall bpf_redirect\n", number());
        case 7: return "call bpf_ktime_get_ns\n";
        case 8: return below(2) == 0 ? "call bpf_get_prandom_u32\n" : "call bpf_get_smp_processor_id\n";
        case 10:
            return fmt::format("r2 = {}\nr1 = r6\ncall bpf_xdp_adjust_{}\n", below(2) == 0 ? small() : "-8",
                               one(std::vector<std::string>{"head", "tail", "meta"}));
        case 9:
            return text + (below(2) == 0 ? memory("r1") + size("r2") : "r1 = 0\nr2 = 0\n") +
                   (below(2) == 0 ? memory("r3") + size("r4") : "r3 = 0\nr4 = 0\n") + "r5 = 0\ncall bpf_csum_diff\n";
        case 11: return fmt::format("r3 = {}\nr1 = r6\nr2 = map progs\ncall bpf_tail_call\n", small());
        case 12: return text + memory("r2") + size("r3") + "r4 = 0\nr1 = map ring\ncall bpf_ringbuf_output\n";
        default:
            return text + memory("r3") + size("r4") +
                   fmt::format("r2 = {}\nr1 = r6\ncall bpf_xdp_{}_bytes\n", small(), below(2) == 0 ? "load" : "store");
        }
    }
    // An entry in r0, perhaps with a number added that is not known.
    std::string entry()
    {
        std::string text;
        if (below(2) == 0)
            text = fmt::format("r3 = *(u8 *)(r0 + {})\nr3 &= {}\nr0 += r3\n", small(), small());
        if (below(3) == 0)
            text += fmt::format("r4 = 1\nlock *(u{} *)(r0 + {}) += r4\n", 32U << below(2), small());
        text += fmt::format("*({} *)(r0 + {}) = {}\n", type(false), small(), below(2) == 0 ? reg() : number());
        return text + fmt::format("{} = *({} *)(r0 + {})\n", reg(), type(true), small());
    }
    std::string exit_or_jump()
    {
        if (open_.empty())
            return {};
        return below(3) == 0 ? "r0 = XDP_DROP\nexit\n" + bind() : fmt::format("goto {}\n{}", label(), bind());
    }

    std::mt19937_64 random_;
    std::vector<MapSpec> maps_;
    std::string body_;
    std::vector<std::string> open_; // labels that are jumped to and stand nowhere yet
    unsigned labels_ = 0;
};

} // namespace xdpf::testing
