// The shell's program at work on an interface: its sockets are received from while the shell waits for a line.
#pragma once

#include "compiler/session.hpp"
#include "runtime/session.hpp"

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace xdpf::cli {

struct WorkOptions {
    std::string interface;
    std::string program; // empty: the first
    runtime::Mode mode = runtime::Mode::automatic;
    std::map<std::string, std::string> parameters{}; // of the source's; others are left out
};

// What a rule has met since the program, or an older one that had this rule, was attached.
struct RuleHits {
    std::optional<EnteredRule> rule; // none: it was not entered in the shell
    std::string text;                // "line 3: match udp -> drop"
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;
};

// Destroying it detaches.
class ShellWork {
public:
    [[nodiscard]] static runtime::Result<std::unique_ptr<ShellWork>> start(const Session &session, WorkOptions options);
    ShellWork(const ShellWork &) = delete;
    ShellWork &operator=(const ShellWork &) = delete;
    ~ShellWork();

    // The session as it is now in place of what is at work, from one packet to the next; the maps that were kept. After
    // an error the old program goes on.
    [[nodiscard]] runtime::Result<std::vector<std::string>> replace(const Session &session,
                                                                    std::map<std::string, std::string> parameters);
    // Why the last replace() failed, as long as it has no successor.
    [[nodiscard]] bool is_older() const { return older_; }
    [[nodiscard]] runtime::Result<void> stop(); // detaches; then what still lies in the sockets is counted

    [[nodiscard]] std::string interface() const;
    // For what threads may do beside one that waits: reading the program and its maps, the queues' statistics.
    [[nodiscard]] const runtime::Session &session() const { return session_; }
    [[nodiscard]] const std::vector<std::string> &warnings() const { return warnings_; }
    [[nodiscard]] runtime::Result<std::vector<RuleHits>> hits() const;
    [[nodiscard]] std::uint64_t packets() const { return packets_; } // from the sockets
    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }
    [[nodiscard]] std::uint64_t records() const { return records_; }
    // Those since the last call, and how many more there were than are kept.
    struct Records {
        std::deque<std::string> texts;
        std::uint64_t gone = 0;
    };
    [[nodiscard]] Records take_records();

    // An eventfd, readable when there is news.
    [[nodiscard]] int news_fd() const { return news_fd_.get(); }
    [[nodiscard]] std::vector<std::string> take_news(); // of the interface: sentences
    // Why nothing is received any more: the interface is gone, somebody else detached the program.
    [[nodiscard]] std::optional<runtime::Error> take_end();

private:
    struct Label {
        std::optional<EnteredRule> rule;
        std::string text;
    };
    using Labels = std::map<std::pair<std::size_t, std::size_t>, Label>; // by program and rule
    struct Prepared {
        Compilation compilation;
        Labels labels;
        std::string warning;
    };

    explicit ShellWork(runtime::Session session) : session_(std::move(session)) {}
    [[nodiscard]] static Prepared prepare(const Session &session);
    [[nodiscard]] static Labels labels_of(const Session &session, const Compilation &compilation);
    [[nodiscard]] runtime::SessionOptions settings(const Prepared &prepared) const;
    [[nodiscard]] static runtime::SessionOptions settings(const Prepared &prepared, const WorkOptions &options);
    void adopt(Prepared prepared);
    void receive(); // on the thread
    void go_on();
    void halt();
    void tell();

    runtime::Session session_;
    WorkOptions options_;
    Labels labels_;
    std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> earlier_; // packets and bytes, by EnteredRule::id
    std::vector<std::string> warnings_;
    bool older_ = false;
    std::atomic<std::uint64_t> packets_ = 0;
    std::atomic<std::uint64_t> bytes_ = 0;
    std::atomic<std::uint64_t> records_ = 0;
    runtime::Fd news_fd_;
    mutable std::mutex mutex_; // of what follows
    std::string interface_;
    std::deque<std::string> news_;
    Records new_records_;
    std::optional<runtime::Error> end_;
    bool ended_ = false;
    std::thread thread_;
};

} // namespace xdpf::cli
