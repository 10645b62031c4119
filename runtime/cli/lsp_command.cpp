#include "runtime/cli/lsp_command.hpp"

#include "runtime/cli/lsp_server.hpp"

#include <unistd.h>

namespace xdpf::cli {

int lsp(const std::string &version)
{
    LspStream stream(STDIN_FILENO, STDOUT_FILENO);
    return LspServer(stream, version).run();
}

} // namespace xdpf::cli
