#include "compiler/pcap/compile.hpp"

#include <pcap/pcap.h>

#include <array>
#include <memory>
#include <span>
#include <string_view>

namespace xdpf::pcap {
namespace {

constexpr int snap_length = 262144; // tcpdump's; what a program returns for a match
// libpcap's time grows with the square of the text, its optimiser's with the cube of the program: each limit keeps a
// text that is all alternatives at a few seconds.
constexpr std::size_t most_text = 16384;
constexpr std::uint32_t most_to_optimise = 8000;     // instructions, before
constexpr std::uint32_t no_packet_byte = 0x80000000; // from here on the kernel takes an offset for a negative number

using Handle = std::unique_ptr<pcap_t, decltype([](pcap_t *handle) { pcap_close(handle); })>;

// What pcap_compile() made, or why it did not.
class Code {
public:
    Code(pcap_t *handle, const std::string &text, bool optimise)
        : good_(pcap_compile(handle, &program_, text.c_str(), optimise ? 1 : 0, PCAP_NETMASK_UNKNOWN) == 0)
    {
        if (!good_)
            message_ = pcap_geterr(handle);
    }
    Code(const Code &) = delete;
    Code &operator=(const Code &) = delete;
    ~Code()
    {
        if (good_)
            pcap_freecode(&program_);
    }
    [[nodiscard]] bool good() const { return good_; }
    [[nodiscard]] const std::string &message() const { return message_; }
    [[nodiscard]] std::span<const bpf_insn> instructions() const { return {program_.bf_insns, program_.bf_len}; }

private:
    bpf_program program_{};
    bool good_;
    std::string message_;
};

bool part_of_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
           c == '.' || c == ':';
}

std::optional<Refusal::Place> find_word(std::string_view text, std::string_view word)
{
    for (auto at = word.empty() ? std::string_view::npos : text.find(word); at != std::string_view::npos;
         at = text.find(word, at + 1)) {
        const auto end = at + word.size();
        if ((at == 0 || !part_of_word(text[at - 1])) && (end == text.size() || !part_of_word(text[end])))
            return Refusal::Place{at, word.size()};
    }
    return std::nullopt;
}

// libpcap quotes the word that it stumbles over, or gives the number that is too large.
std::optional<Refusal::Place> place_of(std::string_view text, std::string_view message)
{
    if (const auto first = message.find_first_of("'\""); first != std::string_view::npos) {
        const auto last = message.find(message[first], first + 1);
        if (last != std::string_view::npos)
            if (const auto found = find_word(text, message.substr(first + 1, last - first - 1)))
                return found;
    }
    for (const std::string_view limit : {" greater than", " >"}) {
        const auto end = message.find(limit);
        if (end == std::string_view::npos)
            continue;
        const auto space = message.rfind(' ', end - 1);
        return find_word(text, message.substr(space == std::string_view::npos ? 0 : space + 1, end - space - 1));
    }
    return std::nullopt;
}

bool known_source(const bpf_insn &insn)
{
    switch (BPF_OP(insn.code)) {
    case BPF_ADD:
    case BPF_SUB:
    case BPF_MUL:
    case BPF_AND:
    case BPF_OR:
    case BPF_XOR:
    case BPF_NEG: return true;
    case BPF_DIV:
    case BPF_MOD: return BPF_SRC(insn.code) == BPF_X || insn.k != 0;
    case BPF_LSH:
    case BPF_RSH: return BPF_SRC(insn.code) == BPF_X || insn.k < 32;
    default: return false;
    }
}

bool known_load(const bpf_insn &insn)
{
    const bool sized = BPF_SIZE(insn.code) == BPF_B || BPF_SIZE(insn.code) == BPF_H || BPF_SIZE(insn.code) == BPF_W;
    switch (BPF_MODE(insn.code)) {
    case BPF_ABS:
    case BPF_IND: return BPF_CLASS(insn.code) == BPF_LD && sized && insn.k < no_packet_byte;
    case BPF_MSH: return BPF_CLASS(insn.code) == BPF_LDX && BPF_SIZE(insn.code) == BPF_B && insn.k < no_packet_byte;
    case BPF_MEM: return insn.k < BPF_MEMWORDS;
    case BPF_IMM:
    case BPF_LEN: return true;
    default: return false;
    }
}

// Why an instruction cannot be taken; empty where it can. `left`: how many stand behind it.
std::string_view unfit(const bpf_insn &insn, std::size_t left)
{
    constexpr std::string_view unknown = "the expression looks at something beside the packet's bytes and its length";
    constexpr std::string_view loop = "the expression needs a loop through the packet's headers ('protochain')";
    switch (BPF_CLASS(insn.code)) {
    case BPF_LD:
    case BPF_LDX: return known_load(insn) ? "" : unknown;
    case BPF_ST:
    case BPF_STX: return insn.k < BPF_MEMWORDS ? "" : unknown;
    case BPF_ALU: return known_source(insn) ? "" : unknown;
    case BPF_JMP:
        if (BPF_OP(insn.code) == BPF_JA)
            return insn.k < left ? "" : loop;
        return insn.jt < left && insn.jf < left && BPF_OP(insn.code) <= BPF_JSET ? "" : unknown;
    case BPF_RET:
    case BPF_MISC: return "";
    default: return unknown;
    }
}

std::expected<Program, Refusal> checked(std::span<const bpf_insn> code)
{
    Program out;
    for (std::size_t i = 0; i < code.size(); ++i) {
        const bpf_insn &insn = code[i];
        if (const auto reason = unfit(insn, code.size() - i - 1); !reason.empty())
            return std::unexpected(Refusal{std::string(reason), {}});
        out.push_back({insn.code, insn.jt, insn.jf, insn.k});
    }
    if (out.empty() || BPF_CLASS(out.back().code) != BPF_RET)
        return std::unexpected(Refusal{"the expression has no end", {}});
    return out;
}

} // namespace

std::expected<Program, Refusal> compile(const std::string &text)
{
    if (const auto nul = text.find('\0'); nul != std::string::npos)
        return std::unexpected(Refusal{"a zero byte cannot be in an expression", Refusal::Place{nul, 1}});
    if (text.size() > most_text)
        return std::unexpected(
            Refusal{"an expression of more than 16 KiB is too long: a set or a map holds many values", {}});
    const Handle ethernet(pcap_open_dead(DLT_EN10MB, snap_length));
    if (!ethernet)
        return std::unexpected(Refusal{"libpcap has no memory", {}});
    const Code plain(ethernet.get(), text, false);
    if (plain.good() && plain.instructions().size() > most_to_optimise)
        return checked(plain.instructions());
    const Code optimised(ethernet.get(), text, true);
    if (!optimised.good())
        return std::unexpected(Refusal{optimised.message(), place_of(text, optimised.message())});
    return checked(optimised.instructions());
}

} // namespace xdpf::pcap
