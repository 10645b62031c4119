#include "tests/diff/tcpdump.hpp"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <span>

namespace xdpf::diff {
namespace {

constexpr int longest_packet = 262144;

using Pcap = std::unique_ptr<pcap_t, decltype([](pcap_t *p) { pcap_close(p); })>;

// A number in a packet, and which bits of it are looked at.
struct Spot {
    std::size_t offset = 0;
    std::size_t width = 0;
    std::uint32_t mask = UINT32_MAX;
};

std::uint32_t number_at(const Bytes &packet, Spot spot)
{
    std::uint32_t number = 0;
    for (std::size_t i = 0; i < spot.width; ++i)
        number = number << 8 | std::to_integer<std::uint32_t>(packet[spot.offset + i]);
    return number & spot.mask;
}

void put_number(Bytes &packet, Spot spot, std::uint32_t number)
{
    for (std::size_t i = 0; i < spot.width; ++i) {
        const auto shift = 8 * (spot.width - 1 - i);
        const auto mask = static_cast<std::byte>(spot.mask >> shift);
        std::byte &byte = packet[spot.offset + i];
        byte = (byte & ~mask) | (static_cast<std::byte>(number >> shift) & mask);
    }
}

// Runs a classic program over a packet, and turns the packet's bytes so that comparisons with constants have varied
// outcomes.
class Steering {
public:
    // `strict`: to nothing but equality, which gets further into long conjunctions.
    Steering(std::span<const bpf_insn> code, Bytes &packet, Random &random, bool strict)
        : code_(code), packet_(packet), random_(random), strict_(strict)
    {
    }

    // Once: a change can lead the packet elsewhere at an earlier comparison.
    void run()
    {
        for (std::size_t i = 0; i < code_.size();) {
            const bpf_insn &insn = code_[i++];
            if (BPF_CLASS(insn.code) == BPF_RET || !step(insn))
                return;
            if (BPF_CLASS(insn.code) == BPF_JMP)
                i += BPF_OP(insn.code) == BPF_JA ? insn.k : jump(insn);
        }
        return;
    }

private:
    // False where the packet has no such bytes.
    bool step(const bpf_insn &insn)
    {
        switch (BPF_CLASS(insn.code)) {
        case BPF_LD: from_.reset(); return load(insn, a_);
        case BPF_LDX: return load(insn, x_);
        case BPF_ST: memory_[insn.k] = a_; return true;
        case BPF_STX: memory_[insn.k] = x_; return true;
        case BPF_ALU: compute(insn); return true;
        case BPF_MISC:
            if (BPF_MISCOP(insn.code) == BPF_TAX)
                x_ = a_;
            else
                a_ = x_;
            return true;
        default: return true;
        }
    }

    bool load(const bpf_insn &insn, std::uint32_t &into)
    {
        const std::size_t width = BPF_SIZE(insn.code) == BPF_W ? 4 : BPF_SIZE(insn.code) == BPF_H ? 2 : 1;
        const Spot spot{std::size_t{insn.k} + (BPF_MODE(insn.code) == BPF_IND ? x_ : 0), width};
        switch (BPF_MODE(insn.code)) {
        case BPF_IMM: into = insn.k; return true;
        case BPF_LEN: into = static_cast<std::uint32_t>(packet_.size()); return true;
        case BPF_MEM: into = memory_[insn.k]; return true;
        default: break;
        }
        if (spot.offset + width > packet_.size())
            return false;
        into = number_at(packet_, spot);
        if (BPF_MODE(insn.code) == BPF_MSH)
            into = (into & 0xf) * 4;
        else
            from_ = spot;
        return true;
    }

    void compute(const bpf_insn &insn)
    {
        const std::uint32_t b = BPF_SRC(insn.code) == BPF_X ? x_ : insn.k;
        if (insn.code == (BPF_ALU | BPF_AND | BPF_K) && from_)
            from_->mask &= insn.k;
        else
            from_.reset();
        switch (BPF_OP(insn.code)) {
        case BPF_ADD: a_ += b; break;
        case BPF_SUB: a_ -= b; break;
        case BPF_AND: a_ &= b; break;
        case BPF_LSH: a_ <<= b & 31; break;
        case BPF_RSH: a_ >>= b & 31; break;
        default: break; // of no use for steering
        }
    }

    // How many instructions it skips.
    std::size_t jump(const bpf_insn &insn)
    {
        const std::uint32_t b = BPF_SRC(insn.code) == BPF_X ? x_ : insn.k;
        if (from_ && random_.one_in(2)) {
            const std::uint32_t before = a_;
            if (BPF_OP(insn.code) == BPF_JSET && (before & b) != 0)
                put_number(packet_, *from_, before & ~b);
            else if (strict_)
                put_number(packet_, *from_, b);
            else
                put_number(packet_, *from_, b + (random_.one_in(4) ? 1 : 0) - (random_.one_in(8) ? 1 : 0));
            a_ = number_at(packet_, *from_);
        }
        switch (BPF_OP(insn.code)) {
        case BPF_JEQ: return a_ == b ? insn.jt : insn.jf;
        case BPF_JGT: return a_ > b ? insn.jt : insn.jf;
        case BPF_JGE: return a_ >= b ? insn.jt : insn.jf;
        default: return (a_ & b) != 0 ? insn.jt : insn.jf;
        }
    }

    std::span<const bpf_insn> code_;
    Bytes &packet_;
    Random &random_;
    bool strict_;
    std::uint32_t a_ = 0;
    std::uint32_t x_ = 0;
    std::array<std::uint32_t, BPF_MEMWORDS> memory_{};
    std::optional<Spot> from_; // where the accumulator comes from
};

} // namespace

struct Expression::Code {
    bpf_program program{};
};

Expression::Expression(const std::string &text)
{
    const Pcap ethernet(pcap_open_dead(DLT_EN10MB, longest_packet));
    auto code = std::make_unique<Code>();
    if (pcap_compile(ethernet.get(), &code->program, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) == 0)
        code_ = std::move(code);
}

Expression::~Expression()
{
    if (code_)
        pcap_freecode(&code_->program);
}

bool Expression::matches(const Bytes &packet) const
{
    pcap_pkthdr header{};
    header.caplen = header.len = static_cast<bpf_u_int32>(packet.size());
    return pcap_offline_filter(&code_->program, &header, reinterpret_cast<const u_char *>(packet.data())) != 0;
}

Bytes Expression::packet_for(Random &random) const
{
    Frame frame(random);
    frame.fill(14 + random.below(120));
    Bytes packet = frame.bytes();
    if (packet.size() > 14 && random.one_in(2))
        packet[14] = std::byte{0x45}; // else few get past an IP header
    if (random.one_in(4))
        for (std::byte &byte : packet)
            byte = random.one_in(4) ? byte : std::byte{0}; // small numbers
    const bool strict = random.one_in(2);
    for (int round = 0; round < 30; ++round)
        Steering({code_->program.bf_insns, code_->program.bf_len}, packet, random, strict).run();
    return packet;
}

std::vector<Packet> packets_in(const std::filesystem::path &file)
{
    char error[PCAP_ERRBUF_SIZE];
    std::vector<Packet> out;
    const Pcap capture(pcap_open_offline(file.c_str(), error));
    if (!capture || pcap_datalink(capture.get()) != DLT_EN10MB)
        return out;
    pcap_pkthdr *header = nullptr;
    const u_char *data = nullptr;
    while (pcap_next_ex(capture.get(), &header, &data) == 1) {
        const auto *bytes = reinterpret_cast<const std::byte *>(data);
        out.push_back(
            {fmt::format("{}, packet {}", file.filename().string(), out.size() + 1), {bytes, bytes + header->caplen}});
    }
    return out;
}

std::vector<Packet> captured_packets()
{
    std::vector<Packet> out;
    const char *folder = std::getenv("XDPF_PCAPS");
    if (folder == nullptr)
        return out;
    for (const auto &entry : std::filesystem::directory_iterator(folder))
        std::ranges::move(packets_in(entry.path()), std::back_inserter(out));
    return out;
}

} // namespace xdpf::diff
