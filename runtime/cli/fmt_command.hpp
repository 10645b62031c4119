// `xdpf fmt`: sources in their one layout.
#pragma once

#include <string>
#include <vector>

namespace xdpf::cli {

struct FmtOptions {
    std::vector<std::string> files; // "-" is standard input, formatted to standard output
    bool check = false;             // name the files that are not in the layout, and fail; write nothing
    bool diff = false;              // show what would change; write nothing
};

// Rewrites the files in place, each at once or not at all, and only those that change. A file that does not parse is
// reported and left alone, and the others are still formatted; status 1 then, and for what --check finds.
[[nodiscard]] int format_files(const FmtOptions &options);

} // namespace xdpf::cli
