// Runs what libpcap makes of a tcpdump expression (the kernel's Documentation/networking/filter.rst).
#include "compiler/explain/evaluation.hpp"

#include <linux/filter.h>

#include <array>

namespace xdpf::explain {
namespace {

class Machine {
public:
    explicit Machine(std::span<const std::byte> packet) : packet_(packet) {}

    // Nothing where it reads behind the packet's end, divides by zero, or is no program.
    std::optional<std::uint32_t> run(const pcap::Program &program)
    {
        for (std::size_t at = 0; at < program.size(); ++at) {
            const pcap::Instruction &insn = program[at];
            switch (BPF_CLASS(insn.code)) {
            case BPF_LD:
            case BPF_LDX:
                if (!load(insn))
                    return std::nullopt;
                break;
            case BPF_ST: memory_[insn.k % memory_.size()] = a_; break;
            case BPF_STX: memory_[insn.k % memory_.size()] = x_; break;
            case BPF_ALU:
                if (!calculate(BPF_OP(insn.code), BPF_SRC(insn.code) == BPF_X ? x_ : insn.k))
                    return std::nullopt;
                break;
            case BPF_JMP:
                if (BPF_OP(insn.code) == BPF_JA)
                    at += insn.k;
                else
                    at += jumps(BPF_OP(insn.code), BPF_SRC(insn.code) == BPF_X ? x_ : insn.k) ? insn.jt : insn.jf;
                break;
            case BPF_RET: return BPF_RVAL(insn.code) == BPF_A ? a_ : insn.k;
            case BPF_MISC:
                if (BPF_MISCOP(insn.code) == BPF_TAX)
                    x_ = a_;
                else
                    a_ = x_;
                break;
            default: return std::nullopt;
            }
        }
        return std::nullopt;
    }

private:
    bool load(const pcap::Instruction &insn)
    {
        std::uint32_t &to = BPF_CLASS(insn.code) == BPF_LD ? a_ : x_;
        const std::size_t width = BPF_SIZE(insn.code) == BPF_W ? 4 : BPF_SIZE(insn.code) == BPF_H ? 2 : 1;
        switch (BPF_MODE(insn.code)) {
        case BPF_IMM: to = insn.k; return true;
        case BPF_LEN: to = static_cast<std::uint32_t>(packet_.size()); return true;
        case BPF_MEM: to = memory_[insn.k % memory_.size()]; return true;
        case BPF_ABS: return bytes(insn.k, width, to);
        case BPF_IND: return bytes(std::uint64_t(x_) + insn.k, width, to);
        case BPF_MSH: // 4 times the lower half of a byte: the length of an IPv4 header
            if (!bytes(insn.k, 1, to))
                return false;
            to = (to & 0xf) * 4;
            return true;
        default: return false;
        }
    }

    bool bytes(std::uint64_t offset, std::size_t width, std::uint32_t &to) const
    {
        offset = static_cast<std::uint32_t>(offset); // as libpcap adds: in 32 bits
        if (offset > packet_.size() || width > packet_.size() - offset)
            return false;
        std::uint32_t number = 0;
        for (const std::byte byte : packet_.subspan(offset, width))
            number = number << 8 | std::to_integer<std::uint32_t>(byte);
        to = number;
        return true;
    }

    bool calculate(unsigned op, std::uint32_t b)
    {
        switch (op) {
        case BPF_ADD: a_ += b; return true;
        case BPF_SUB: a_ -= b; return true;
        case BPF_MUL: a_ *= b; return true;
        case BPF_DIV: a_ = b == 0 ? 0 : a_ / b; return b != 0;
        case BPF_MOD: a_ = b == 0 ? 0 : a_ % b; return b != 0;
        case BPF_AND: a_ &= b; return true;
        case BPF_OR: a_ |= b; return true;
        case BPF_XOR: a_ ^= b; return true;
        case BPF_LSH: a_ = b < 32 ? a_ << b : 0; return true;
        case BPF_RSH: a_ = b < 32 ? a_ >> b : 0; return true;
        case BPF_NEG: a_ = 0 - a_; return true;
        default: return false;
        }
    }

    [[nodiscard]] bool jumps(unsigned op, std::uint32_t b) const
    {
        switch (op) {
        case BPF_JEQ: return a_ == b;
        case BPF_JGT: return a_ > b;
        case BPF_JGE: return a_ >= b;
        default: return (a_ & b) != 0; // BPF_JSET
        }
    }

    std::span<const std::byte> packet_;
    std::uint32_t a_ = 0;
    std::uint32_t x_ = 0;
    std::array<std::uint32_t, BPF_MEMWORDS> memory_{};
};

} // namespace

bool Evaluation::holds(const sema::Pcap &node, const Context &)
{
    return Machine(packet_).run(node.program).value_or(0) != 0;
}

} // namespace xdpf::explain
