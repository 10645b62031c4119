#include "runtime/why_traces.hpp"

#include "runtime/library_log.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <fmt/format.h>
#include <linux/bpf.h>

#include <array>
#include <cerrno>
#include <memory>
#include <optional>
#include <string_view>

namespace xdpf::runtime::why {
namespace {

constexpr std::uint32_t most_entries = 4096;

struct Key {
    std::uint32_t event, subject, object, owner;
    std::int32_t error;
};
constexpr int key_at = -24; // from the frame pointer
constexpr int scratch_at = -32;
constexpr int zero_at = -40;

struct FreeBtf {
    void operator()(btf *types) const { btf__free(types); }
};
using Btf = std::unique_ptr<btf, FreeBtf>;

// Members of the kernel's structs that lead from an argument to a number: {"bpf_prog", "aux"}, {"bpf_prog_aux", "id"}.
struct Member {
    const char *type;
    const char *name;
};

// A word of the key: an argument of the tracepoint, or what members lead to from it. -1: 0.
struct Word {
    int argument = -1;
    std::vector<Member> way{};
};

struct Tracepoint {
    Event event;
    const char *name;
    int arguments; // an older kernel of other ones is left alone
    int packets;   // the argument that says how many; -1: one
    Word subject{}, object{}, owner{}, error{};
};

const std::vector<Member> program_id{{"bpf_prog", "aux"}, {"bpf_prog_aux", "id"}};
const std::vector<Member> interface_index{{"net_device", "ifindex"}};
// possible_net_t and struct ns_common lie within their structs.
const std::vector<Member> network{{"net_device", "nd_net"}, {"net", "ns.inum"}};

const std::array<Tracepoint, 6> tracepoints{{
    {Event::redirect_error, "xdp_redirect_err", 7, -1, {5}, {6}, {1, program_id}, {3}},
    {Event::exception, "xdp_exception", 3, -1, {2}, {}, {1, program_id}, {}},
    {Event::devmap_drop, "xdp_devmap_xmit", 5, 3, {0, interface_index}, {1, interface_index}, {0, network}, {4}},
    {Event::tx_drop, "xdp_bulk_tx", 4, 2, {0, interface_index}, {}, {0, network}, {3}},
    {Event::cpumap_full, "xdp_cpumap_enqueue", 4, 2, {0}, {3}, {}, {}},
    {Event::cpumap_drop, "xdp_cpumap_kthread", 5, 2, {0}, {}, {}, {}},
}};

// Bytes from the struct's beginning; members of unnamed structs within count, and "a.b" goes into a named one.
std::optional<std::uint32_t> offset_in(const btf *types, std::uint32_t type, std::string_view name)
{
    const btf_type *composite = btf__type_by_id(types, type);
    while (composite != nullptr && (btf_is_typedef(composite) || btf_is_mod(composite)))
        composite = btf__type_by_id(types, composite->type);
    if (composite == nullptr || !btf_is_composite(composite))
        return std::nullopt;
    const auto dot = name.find('.');
    const std::string_view first = name.substr(0, dot);
    for (std::uint32_t i = 0; i < btf_vlen(composite); ++i) {
        const btf_member &member = btf_members(composite)[i];
        const std::string_view here = btf__name_by_offset(types, member.name_off);
        const std::uint32_t offset = btf_member_bit_offset(composite, i) / 8;
        if (here == first && dot == std::string_view::npos)
            return offset;
        const auto within = here == first  ? offset_in(types, member.type, name.substr(dot + 1))
                            : here.empty() ? offset_in(types, member.type, name)
                                           : std::nullopt;
        if (within)
            return offset + *within;
    }
    return std::nullopt;
}

std::optional<std::uint32_t> offset_of(const btf *types, const Member &member)
{
    const int type = btf__find_by_name_kind(types, member.type, BTF_KIND_STRUCT);
    return type < 0 ? std::nullopt : offset_in(types, static_cast<std::uint32_t>(type), member.name);
}

// typedef void (*btf_trace_NAME)(void *, …): how many behind the first; -1: no such tracepoint.
int arguments_of(const btf *types, const char *name)
{
    const int id = btf__find_by_name_kind(types, fmt::format("btf_trace_{}", name).c_str(), BTF_KIND_TYPEDEF);
    const btf_type *type = id < 0 ? nullptr : btf__type_by_id(types, static_cast<std::uint32_t>(id));
    type = type == nullptr ? nullptr : btf__type_by_id(types, type->type);
    type = type == nullptr ? nullptr : btf__type_by_id(types, type->type);
    return type != nullptr && btf_is_func_proto(type) ? btf_vlen(type) - 1 : -1;
}

// The program of a tracepoint: reads the words of a key, and adds to the map's entry of it.
class Writer {
public:
    Writer(const btf *types, int map) : types_(types), map_(map) {}

    // Nothing: the kernel's structs have no such member.
    std::optional<std::vector<bpf_insn>> write(const Tracepoint &point)
    {
        add(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_6, BPF_REG_1);
        add(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_7, 0, 0, 1);
        std::optional<std::size_t> nothing_lost;
        if (point.packets >= 0) {
            load_argument(BPF_REG_7, point.packets);
            add(BPF_ALU | BPF_MOV | BPF_X, BPF_REG_7, BPF_REG_7); // an int
            nothing_lost = insns_.size();
            add(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_7);
        }
        add(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, key_at, static_cast<std::int32_t>(point.event));
        int at = key_at; // of the event
        for (const Word *word : {&point.subject, &point.object, &point.owner, &point.error}) {
            at += 4;
            if (!write_word(*word, at))
                return std::nullopt;
        }
        count();
        if (nothing_lost)
            insns_[*nothing_lost].off = static_cast<std::int16_t>(insns_.size() - *nothing_lost - 1);
        add(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0);
        add(BPF_JMP | BPF_EXIT);
        return std::move(insns_);
    }

private:
    void add(int code, int destination = 0, int source = 0, int offset = 0, std::int32_t value = 0)
    {
        bpf_insn insn{};
        insn.code = static_cast<__u8>(code);
        insn.dst_reg = static_cast<__u8>(destination) & 15;
        insn.src_reg = static_cast<__u8>(source) & 15;
        insn.off = static_cast<__s16>(offset);
        insn.imm = value;
        insns_.push_back(insn);
    }
    void load_argument(int into, int argument) { add(BPF_LDX | BPF_MEM | BPF_DW, into, BPF_REG_6, 8 * argument); }
    void address(int into, int offset)
    {
        add(BPF_ALU64 | BPF_MOV | BPF_X, into, BPF_REG_10);
        add(BPF_ALU64 | BPF_ADD, into, 0, 0, offset);
    }

    bool write_word(const Word &word, int at)
    {
        if (word.argument < 0) {
            add(BPF_ST | BPF_MEM | BPF_W, BPF_REG_10, 0, at);
            return true;
        }
        load_argument(BPF_REG_3, word.argument);
        for (const Member &member : word.way) {
            const auto offset = offset_of(types_, member);
            if (!offset)
                return false;
            add(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, scratch_at);
            add(BPF_ALU64 | BPF_ADD, BPF_REG_3, 0, 0, static_cast<std::int32_t>(*offset));
            address(BPF_REG_1, scratch_at);
            add(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, &member == &word.way.back() ? 4 : 8);
            add(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_probe_read_kernel);
            add(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_3, BPF_REG_10, scratch_at);
        }
        add(BPF_STX | BPF_MEM | BPF_W, BPF_REG_10, BPF_REG_3, at);
        return true;
    }

    void map_and_key()
    {
        add(BPF_LD | BPF_IMM | BPF_DW, BPF_REG_1, BPF_PSEUDO_MAP_FD, 0, map_);
        add(0);
        address(BPF_REG_2, key_at);
    }

    // Two processors may meet a new key at once: one of them puts a 0 in, then both add.
    void count()
    {
        map_and_key();
        add(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
        const std::size_t known = insns_.size();
        add(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_0);
        add(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, zero_at);
        map_and_key();
        address(BPF_REG_3, zero_at);
        add(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_4, 0, 0, BPF_NOEXIST);
        add(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_update_elem);
        map_and_key();
        add(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem);
        add(BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, 1);
        insns_[known].off = static_cast<std::int16_t>(insns_.size() - known - 1);
        add(BPF_STX | BPF_ATOMIC | BPF_DW, BPF_REG_0, BPF_REG_7, 0, BPF_ADD);
    }

    const btf *types_;
    int map_;
    std::vector<bpf_insn> insns_;
};

Fd load(const std::vector<bpf_insn> &insns)
{
    return Fd(bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "xdpf_why", "GPL", insns.data(), insns.size(), nullptr));
}

} // namespace

Traces::Traces()
{
    const LibraryLog quiet;
    const Btf types(btf__load_vmlinux_btf());
    if (!types) {
        missing_.emplace_back("all of them: this kernel has no types of its own (/sys/kernel/btf/vmlinux)");
        return;
    }
    counts_ =
        Fd(bpf_map_create(BPF_MAP_TYPE_HASH, "xdpf_why", sizeof(Key), sizeof(std::uint64_t), most_entries, nullptr));
    if (!counts_) {
        missing_.push_back(fmt::format("all of them: no map to count in: {}", errno_text(errno)));
        return;
    }
    for (const Tracepoint &point : tracepoints) {
        if (arguments_of(types.get(), point.name) != point.arguments) {
            missing_.push_back(fmt::format("{}: this kernel has none, or another", point.name));
            continue;
        }
        const auto insns = Writer(types.get(), counts_.get()).write(point);
        Fd program = insns ? load(*insns) : Fd();
        Fd attached(program ? bpf_raw_tracepoint_open(point.name, program.get()) : -1);
        if (!attached) {
            missing_.push_back(fmt::format("{}: {}", point.name,
                                           insns ? errno_text(errno) : "the kernel's structs have other members"));
            continue;
        }
        attached_.push_back(std::move(program));
        attached_.push_back(std::move(attached));
    }
}

Result<std::vector<Lost>> Traces::read() const
{
    std::vector<Lost> out;
    Key key{};
    const void *before = nullptr;
    while (counts_ && bpf_map_get_next_key(counts_.get(), before, &key) == 0) {
        before = &key;
        std::uint64_t packets = 0;
        if (bpf_map_lookup_elem(counts_.get(), &key, &packets) != 0)
            return std::unexpected(
                system_error("cannot read what was counted at tracepoints", "bpf(BPF_MAP_LOOKUP_ELEM)", errno));
        out.push_back({static_cast<Event>(key.event), key.subject, key.object, key.owner, key.error, packets});
    }
    return out;
}

} // namespace xdpf::runtime::why
