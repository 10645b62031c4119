// How `xdpf run` ends: what it says of each session, and its exit status.
#pragma once

#include "compiler/compile.hpp"
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/run_command.hpp"

#include <vector>

namespace xdpf::cli {

void say_error(const runtime::Error &error, bool verifier_log);

// What a session's end brings: its summary, what its program counted, and whether all went well.
class Reports {
public:
    explicit Reports(const RunOptions &options) : options_(options) {}

    // `compilation` is that of the program at work.
    void add(const runtime::Session &session, const runtime::Summary &summary, const Compilation &compilation);
    void add(const runtime::Result<void> &result);
    // One object: of one interface its own, else all of them in a list.
    [[nodiscard]] int end() const;

private:
    const RunOptions &options_;
    std::vector<Json> objects_;
    int status_ = exit_ok;
};

} // namespace xdpf::cli
