#include "compiler/format.hpp"

#include "grammar/format.hpp"
#include "grammar/parse.hpp"

#include <utility>

namespace xdpf {

std::size_t most_source_bytes() { return max_source_bytes; }

Formatting format_source(std::string_view text, std::string name)
{
    Formatting out;
    const auto id = out.sources.add(std::move(name), std::string(text));
    if (auto formatted = format_file(out.sources, id, out.diagnostics))
        out.text = *std::move(formatted);
    return out;
}

} // namespace xdpf
