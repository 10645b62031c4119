// Notices that the files of a compilation were saved.
#pragma once

#include "compiler/base/source.hpp"
#include "runtime/error.hpp"
#include "runtime/fd.hpp"

#include <map>
#include <set>
#include <string>

namespace xdpf::cli {

// Watches the folders, since editors put a new file in place of the old one.
class SourceWatch {
public:
    [[nodiscard]] static runtime::Result<SourceWatch> open();

    // The files that are looked after from here on: those of the sources that are files.
    [[nodiscard]] runtime::Result<void> set(const Sources &sources);
    // Whether one was written or replaced since the last call. Does not wait.
    [[nodiscard]] bool changed();

private:
    runtime::Fd fd_;                             // inotify(7)
    std::map<int, std::set<std::string>> names_; // by watch: of files in that folder
};

} // namespace xdpf::cli
