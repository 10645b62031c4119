// The programs that xdpf has at work on this machine, each described by a file under /run/xdpf, so that other
// processes can look at them with the types of their source: the kernel knows only bytes.
//
// Whoever put a program to work writes its file and removes it; what a killed process leaves is removed by the next who
// reads. A file tells of a process (xdpf run) or of a link that is pinned and needs none (xdpf attach).
#pragma once

#include "runtime/attach.hpp"
#include "runtime/load.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xdpf::runtime {

// Where a rule stands.
struct RulePlace {
    std::string file;
    std::uint32_t line = 0; // from 1
    std::string text;       // its first line
};

// What an image does not know of its source.
struct Origin {
    std::string source;                        // the file's absolute path, or "<command line>"
    std::vector<std::vector<RulePlace>> rules; // by program and number - 1, as ProgramImage::rules
};

// An AF_XDP socket, and where it was put: the kernel does not tell what an XSKMAP holds.
struct RegisteredSocket {
    std::uint32_t queue = 0; // of the interface, and the slot in the maps
    int fd = -1;             // in its process
    bool zero_copy = false;
    std::uint32_t frames = 0;      // of its UMEM
    std::uint32_t frame_size = 0;  // bytes
    std::vector<std::string> maps; // XSKMAPs, by name
};

struct Registered {
    int pid = 0;                     // 0: it needs no process, its link is pinned
    std::uint64_t process_start = 0; // field 22 of /proc/PID/stat, so that a later process of that number is another
    std::uint64_t network = 0;       // inode of the network namespace
    std::string interface;
    int interface_index = 0;
    std::chrono::system_clock::time_point started;
    std::string mode;                // native, skb, offload
    std::uint32_t program_id = 0;    // the kernel's
    std::uint32_t link_id = 0;       // the kernel's; 0: through the dispatcher
    std::vector<std::string> pins;   // in bpffs; the link's first
    Image image;                     // its maps, parameters, and of the programs all but instructions and places
    std::vector<std::uint32_t> maps; // the kernel's ids, by MapId; 0: it has none
    std::vector<std::size_t> loaded; // indices into Image::programs; the one at the interface first
    Origin origin;
    std::vector<RegisteredSocket> sockets;

    [[nodiscard]] const std::string &program() const { return image.programs[loaded.front()].name; }
};

// The description of a program that is attached by this process, without sockets and pins.
[[nodiscard]] Registered describe(const Loaded &program, const Interface &interface, const Attachment &attachment,
                                  Origin origin);
[[nodiscard]] Registered describe(const Loaded &program, const Interface &interface, std::string mode,
                                  std::uint32_t link_id, Origin origin);

// A file as long as this lives.
class Registration {
public:
    [[nodiscard]] static Result<Registration> write(Registered entry);
    Registration(Registration &&) noexcept;
    Registration &operator=(Registration &&) noexcept;
    ~Registration();

    [[nodiscard]] const Registered &entry() const { return entry_; }
    // Puts another description in place of the first, at once.
    [[nodiscard]] Result<void> update(Registered entry);
    // Leaves the file: of a pinned link. forget() removes it.
    void keep() { kept_ = true; }

private:
    explicit Registration(Registered entry) : entry_(std::move(entry)) {}
    void remove();

    Registered entry_;
    bool kept_ = false;
};

// Removes a file that was kept.
[[nodiscard]] Result<void> forget(const Registered &entry);

// Removes the pins of a program that is no longer attached; of the link's own only one that nothing depends on any
// more. False: it stays, since this mount namespace has another bpffs, or none.
[[nodiscard]] bool remove_pins(const Registered &entry);

// The one of the kernel's program of that id, by whomever; nothing is removed.
[[nodiscard]] std::optional<Registered> registered_program(std::uint32_t program_id);

struct Registry {
    std::vector<Registered> programs; // in order of interface and start, of all network namespaces
    std::vector<std::string> removed; // what was left behind and is gone now, or cannot be removed; in a sentence each
    std::vector<Error> unreadable;    // files that say nothing to this xdpf
};

enum class Leftovers : std::uint8_t { keep, remove };

// Everything at work. `remove` takes away the files of killed processes, and the pins and files of links that are no
// longer attached; who asks for it says so (Registry::removed). Without the right to read them, an error.
[[nodiscard]] Result<Registry> registered(Leftovers leftovers);

// Whether its file is still there: it is told of, and was not replaced.
[[nodiscard]] bool is_at_work(const Registered &entry);

// Inode of the calling thread's network namespace.
[[nodiscard]] std::uint64_t current_network();

// Which of the programs is meant; what is empty does not matter.
struct RegisteredFilter {
    std::string interface;
    std::string program; // its name, or the source's file name without folder and ending
};

// The only one of the calling thread's network namespace that fits; the errors name those that there are. Removes
// nothing.
[[nodiscard]] Result<Registered> registered_on(const RegisteredFilter &filter);

// As text and back; `file` is what errors call it.
[[nodiscard]] std::string to_json(const Registered &entry);
[[nodiscard]] Result<Registered> read_registered(std::string_view json, const std::string &file);

} // namespace xdpf::runtime
