// Addresses in here: the upper half tells what is pointed into, so that no distance leads from one thing to another.
#include "compiler/bpf/interpret.hpp"

#include "compiler/bpf/disassemble.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <cstddef>
#include <cstring>

namespace xdpf::bpf {
namespace {

constexpr std::uint64_t room = std::uint64_t{1} << 32;
constexpr std::uint64_t context_at = 1 * room;
constexpr std::uint64_t packet_at = 3 * room;
constexpr std::uint64_t frame_end_at = 6 * room; // r10
constexpr std::uint64_t values_at = 8 * room;    // of maps, one room each
constexpr std::uint64_t maps_at = 1'000'000'000 * room;
constexpr std::size_t stack_size = 512; // MAX_BPF_STACK
constexpr std::uint64_t step_limit = 1'000'000;

std::uint64_t read_number(std::span<const std::byte> bytes)
{
    std::uint64_t number = 0;
    std::memcpy(&number, bytes.data(), bytes.size());
    return number;
}

std::uint64_t calculate(unsigned operation, std::uint64_t a, std::uint64_t b, unsigned bits)
{
    switch (operation) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_DIV: return b == 0 ? 0 : a / b;
    case BPF_MOD: return b == 0 ? a : a % b;
    case BPF_OR: return a | b;
    case BPF_AND: return a & b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return a << (b & (bits - 1));
    case BPF_RSH: return a >> (b & (bits - 1));
    case BPF_NEG: return -a;
    default: return b; // BPF_MOV
    }
}

std::uint64_t swapped(std::uint64_t number, std::int32_t bits) { return __builtin_bswap64(number) >> (64 - bits); }

bool holds(unsigned operation, std::uint64_t a, std::uint64_t b)
{
    switch (operation) {
    case BPF_JEQ: return a == b;
    case BPF_JNE: return a != b;
    case BPF_JLT: return a < b;
    case BPF_JLE: return a <= b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    default: return (a & b) != 0; // BPF_JSET
    }
}

class Machine {
public:
    Machine(const ProgramImage &program, ir::MapStore &maps, std::span<std::byte> packet, ir::Context context)
        : program_(program), maps_(maps), packet_(packet), context_(context)
    {
        set(1, context_at);
        set(10, frame_end_at);
    }

    std::expected<Outcome, std::string> run()
    {
        while (!done_) {
            if (at_ >= program_.insns.size())
                return std::unexpected("the program runs past its end");
            const Insn insn = program_.insns[at_];
            step(insn);
            if (++outcome_.executed > step_limit)
                error_ = "does not come to an end";
            if (!error_.empty())
                return std::unexpected(fmt::format("instruction {}, {}: {}", at_, to_text(insn), error_));
            ++at_;
        }
        outcome_.verdict = static_cast<std::uint32_t>(registers_[0]);
        if (outcome_.verdict != XDP_REDIRECT)
            outcome_.redirect.reset();
        return outcome_;
    }

private:
    void fail(std::string what)
    {
        if (error_.empty())
            error_ = std::move(what);
    }

    std::uint64_t get(unsigned reg)
    {
        if (reg > 10 || !written_[reg])
            fail(fmt::format("r{} holds nothing", reg));
        return reg > 10 ? 0 : registers_[reg];
    }
    void set(unsigned reg, std::uint64_t number)
    {
        registers_[reg] = number;
        written_[reg] = true;
    }

    // The bytes at an address; empty, and an error, where they are not all there.
    std::span<std::byte> bytes(std::uint64_t address, std::size_t size, bool to_read)
    {
        std::span<std::byte> all;
        std::uint64_t start = address / room * room;
        if (address >= frame_end_at - stack_size && address < frame_end_at) {
            all = stack_;
            start = frame_end_at - stack_size;
        } else if (start == packet_at) {
            all = packet_;
        } else if (start >= values_at && (start - values_at) / room < values_.size()) {
            all = *values_[(start - values_at) / room];
        }
        const std::uint64_t off = address - start;
        if (off > all.size() || size > all.size() - off) {
            fail(fmt::format("{} bytes at {:#x} are nobody's", size, address));
            return {};
        }
        if (all.data() == stack_.data())
            for (std::size_t i = off; i < off + size; ++i) {
                if (to_read && !stack_written_[i])
                    fail(fmt::format("byte {} of the stack was not written", static_cast<int>(i) - int{stack_size}));
                stack_written_[i] = stack_written_[i] || !to_read;
            }
        return all.subspan(off, size);
    }

    void load(Insn insn)
    {
        const std::uint64_t address = get(insn.src) + static_cast<std::uint64_t>(std::int64_t{insn.off});
        const unsigned size = bytes_of(static_cast<Size>(insn.code & 0x18U));
        if (address / room == context_at / room)
            return load_context(insn.dst, address - context_at, size);
        if (const auto from = bytes(address, size, true); !from.empty())
            set(insn.dst, read_number(from));
    }

    void load_context(unsigned dst, std::uint64_t off, unsigned size)
    {
        if (size != 4)
            return fail("fields of the context have 4 bytes");
        switch (off) {
        case offsetof(xdp_md, data): return set(dst, packet_at);
        case offsetof(xdp_md, data_end): return set(dst, packet_at + packet_.size());
        case offsetof(xdp_md, rx_queue_index): return set(dst, context_.rx_queue);
        case offsetof(xdp_md, ingress_ifindex): return set(dst, context_.ingress_ifindex);
        default: return fail("no such field in the context");
        }
    }

    void store(Insn insn)
    {
        const bool from_register = class_of(insn) == BPF_STX;
        const bool atomic = from_register && (insn.code & 0xe0U) == BPF_ATOMIC;
        if (atomic && insn.imm != BPF_ADD)
            return fail("an unknown atomic operation");
        std::uint64_t number = from_register ? get(insn.src) : static_cast<std::uint64_t>(std::int64_t{insn.imm});
        const std::uint64_t address = get(insn.dst) + static_cast<std::uint64_t>(std::int64_t{insn.off});
        const auto to = bytes(address, bytes_of(static_cast<Size>(insn.code & 0x18U)), atomic);
        if (to.empty())
            return;
        if (atomic)
            number += read_number(to);
        std::memcpy(to.data(), &number, to.size());
    }

    void arithmetic(Insn insn)
    {
        const bool narrow = class_of(insn) == BPF_ALU;
        const unsigned operation = operation_of(insn);
        if (operation == BPF_END && narrow && (insn.code & BPF_TO_BE) != 0)
            return set(insn.dst, swapped(get(insn.dst), insn.imm));
        if (operation == BPF_END || operation == BPF_ARSH || insn.off != 0)
            return fail("an unknown instruction");
        std::uint64_t a = operation == BPF_MOV ? 0 : get(insn.dst);
        std::uint64_t b = 0;
        if (operation != BPF_NEG)
            b = (insn.code & BPF_X) != 0 ? get(insn.src) : static_cast<std::uint64_t>(std::int64_t{insn.imm});
        if (narrow) {
            a = static_cast<std::uint32_t>(a);
            b = static_cast<std::uint32_t>(b);
        }
        const std::uint64_t result = calculate(operation, a, b, narrow ? 32 : 64);
        set(insn.dst, narrow ? static_cast<std::uint32_t>(result) : result);
    }

    void wide(Insn insn)
    {
        const auto map = std::ranges::find(program_.map_references, at_, &MapReference::insn);
        if (at_ + 1 >= program_.insns.size())
            return fail("half an instruction");
        const auto high = static_cast<std::uint32_t>(program_.insns[at_ + 1].imm);
        if (map != program_.map_references.end())
            set(insn.dst, maps_at + map->map.value * room);
        else
            set(insn.dst, std::uint64_t{high} << 32 | static_cast<std::uint32_t>(insn.imm));
        ++at_;
    }

    void jump(Insn insn)
    {
        const unsigned operation = operation_of(insn);
        if (operation >= BPF_JSLT || operation == BPF_JSGT || operation == BPF_JSGE)
            return fail("an unknown instruction");
        if (operation != BPF_JA) {
            std::uint64_t a = get(insn.dst);
            std::uint64_t b =
                (insn.code & BPF_X) != 0 ? get(insn.src) : static_cast<std::uint64_t>(std::int64_t{insn.imm});
            if (class_of(insn) == BPF_JMP32) {
                a = static_cast<std::uint32_t>(a);
                b = static_cast<std::uint32_t>(b);
            }
            if (!holds(operation, a, b))
                return;
        }
        at_ += static_cast<std::size_t>(distance_of(insn));
    }

    // ---- Helpers -------------------------------------------------------------------------------------------------

    MapId map_argument()
    {
        const std::uint64_t address = get(1);
        if (address < maps_at)
            fail("r1 is not a map");
        return address < maps_at ? MapId{} : MapId((address - maps_at) / room);
    }

    void call(Insn insn)
    {
        const MapId map = map_argument();
        if (!map.valid())
            return;
        const MapSpec &spec = maps_.spec(map);
        std::uint64_t result = 0;
        if (insn.imm == BPF_FUNC_map_lookup_elem) {
            if (const auto key = bytes(get(2), spec.key.size, true); error_.empty())
                if (auto value = maps_.lookup(map, key)) {
                    result = values_at + values_.size() * room;
                    values_.push_back(std::move(value));
                }
        } else if (insn.imm == BPF_FUNC_map_update_elem) {
            const auto key = bytes(get(2), spec.key.size, true);
            const auto value = bytes(get(3), spec.value.size, true);
            if (get(4) != BPF_ANY)
                fail("unknown flags");
            if (error_.empty() && maps_.update(map, key, value) != ir::MapStore::Outcome::done)
                result = UINT64_MAX;
        } else if (insn.imm == BPF_FUNC_redirect_map) {
            result = redirect(map, static_cast<std::uint32_t>(get(2)), get(3));
        } else {
            fail("an unknown helper");
        }
        for (unsigned reg = 1; reg <= 5; ++reg)
            written_[reg] = false;
        set(0, result);
    }

    std::uint64_t redirect(MapId map, std::uint32_t key, std::uint64_t flags)
    {
        if (!maps_.is_filled(map, key))
            return flags & 3;
        outcome_.redirect = ir::RedirectTarget{map, key};
        return XDP_REDIRECT;
    }

    void step(Insn insn)
    {
        if (insn.dst > 10 || (insn.dst == 10 && class_of(insn) != BPF_ST && class_of(insn) != BPF_STX))
            return fail("r10 cannot be written");
        if (insn.code == (BPF_JMP | BPF_EXIT)) {
            get(0);
            done_ = true;
        } else if (insn.code == (BPF_JMP | BPF_CALL)) {
            call(insn);
        } else if (is_jump_class(insn)) {
            jump(insn);
        } else if (is_wide(insn)) {
            wide(insn);
        } else if (class_of(insn) == BPF_LDX) {
            load(insn);
        } else if (class_of(insn) == BPF_ST || class_of(insn) == BPF_STX) {
            store(insn);
        } else if (class_of(insn) == BPF_ALU || class_of(insn) == BPF_ALU64) {
            arithmetic(insn);
        } else {
            fail("an unknown instruction");
        }
    }

    const ProgramImage &program_;
    ir::MapStore &maps_;
    std::span<std::byte> packet_;
    ir::Context context_;
    std::array<std::uint64_t, 11> registers_{};
    std::bitset<11> written_;
    std::array<std::byte, stack_size> stack_{};
    std::bitset<stack_size> stack_written_;
    std::vector<ir::MapStore::Value> values_; // looked up so far
    std::size_t at_ = 0;
    bool done_ = false;
    Outcome outcome_;
    std::string error_;
};

} // namespace

std::expected<Outcome, std::string> interpret(const ProgramImage &program, ir::MapStore &maps,
                                              std::span<std::byte> packet, ir::Context context)
{
    return Machine(program, maps, packet, context).run();
}

} // namespace xdpf::bpf
