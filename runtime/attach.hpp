// Attaches a loaded program to an interface.
#pragma once

#include "runtime/error.hpp"
#include "runtime/fd.hpp"
#include "runtime/interface.hpp"
#include "runtime/load.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct xdp_program;

namespace xdpf::runtime {

// Where in the receive path the program runs: in the driver, behind it on socket buffers, on the card.
enum class Mode : std::uint8_t { automatic, native, skb, offload };
[[nodiscard]] std::string_view name_of(Mode mode); // "auto", "native", "skb", "offload"

// An attached program. Destroying it detaches. Attached through a bpf_link (the usual case), the kernel detaches, too,
// when the process dies. Through the dispatcher, a killed process leaves the program behind.
class Attachment {
public:
    Attachment(Attachment &&) noexcept;
    Attachment &operator=(Attachment &&) noexcept;
    ~Attachment();

    [[nodiscard]] Mode mode() const { return mode_; } // native, skb or offload: what it came to
    // Why `auto` did not come to native; empty otherwise.
    [[nodiscard]] const std::string &fallback() const { return fallback_; }
    [[nodiscard]] bool by_dispatcher() const { return dispatched_ != nullptr; }
    [[nodiscard]] std::uint32_t program_id() const { return program_id_; } // the kernel's
    [[nodiscard]] std::uint32_t link_id() const;                           // the kernel's; 0 through the dispatcher

    // What others may have done to its link meanwhile. (Through the dispatcher nobody can tell.)
    enum class Hold : std::uint8_t { attached, detached, replaced };
    [[nodiscard]] Hold hold() const;

    // Pins the link as a file of bpffs and lets it go: it stays attached when this and the process end. Not through the
    // dispatcher.
    [[nodiscard]] Result<void> pin(const std::string &path);

    // Puts another loaded program into the link, which its packets meet from here on.
    [[nodiscard]] Result<void> update(const Loaded &program);

    // Detaches in the mode it was attached in, and asks the kernel whether the program is gone.
    [[nodiscard]] Result<void> detach();

private:
    friend Result<Attachment> attach(Loaded &program, const Interface &interface, Mode mode);
    friend Result<Attachment> attach_by_dispatcher(Loaded &program, const Interface &interface, Mode mode);
    Attachment() = default;
    [[nodiscard]] Result<void> undispatch();

    Fd link_;
    xdp_program *dispatched_ = nullptr;
    Interface interface_;
    std::uint32_t program_id_ = 0;
    Mode mode_ = Mode::automatic;
    std::string fallback_;
};

// Of a program on devmap or cpumap, which cannot be attached to an interface.
[[nodiscard]] Error no_interface_program(const ProgramImage &program);

// Through a bpf_link (kernel 5.9). `automatic` tries native, then skb. Errors name a program that is there already, its
// mode and how to remove it, and the driver's own reason where it gives one.
[[nodiscard]] Result<Attachment> attach(Loaded &program, const Interface &interface, Mode mode);

// Through libxdp's dispatcher, so that several programs share the interface. The program must be loaded with
// LoadOptions::for_dispatcher. Kernels that refuse extension programs give an error; there is no quiet fallback.
[[nodiscard]] Result<Attachment> attach_by_dispatcher(Loaded &program, const Interface &interface, Mode mode);

// Whether this kernel takes programs that extend others, which the dispatcher is made of; else why not.
[[nodiscard]] Result<void> dispatcher_possible();

} // namespace xdpf::runtime
