// What the commands about maps have in common: finding the map, types as text. Private to them.
#pragma once

#include "runtime/cli/as_json.hpp"
#include "runtime/cli/map_command.hpp"
#include "runtime/running.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace xdpf::cli {

// The program that is meant, with its maps opened.
[[nodiscard]] runtime::Result<runtime::Running> open_program(const MapOptions &options);

[[nodiscard]] bool is_parameter(const runtime::Running &program, const std::string &name);
// A map that the source knows; the error names those that there are, with the parameters.
[[nodiscard]] runtime::Result<runtime::Map> find_map(const runtime::Running &program, const std::string &name);
// Those whose entries can be read one after the other. Others are an error that says why not.
[[nodiscard]] runtime::Result<runtime::Map> find_readable_map(const runtime::Running &program, const std::string &name);

// Devmaps and cpumaps: their values are an interface or a size, and a program that only loading puts there.
[[nodiscard]] bool has_targets(const MapSpec &spec);
// As Map::value(); of devmaps an interface's name or index.
[[nodiscard]] runtime::Result<runtime::Bytes> read_map_value(const runtime::Map &map, const std::string &text);
// So that reading gives this value.
[[nodiscard]] runtime::Result<void> put_entry(const runtime::Map &map, const runtime::Entry &entry);

// An order for containers by key.
struct ByBytes {
    bool operator()(const runtime::Bytes &a, const runtime::Bytes &b) const
    {
        return std::ranges::lexicographical_compare(a, b);
    }
};

// "ipv4", "u16", "ip", "bytes[4]".
[[nodiscard]] std::string type_text(const LayoutField &field);
// "ipv4 prefix", "{src: ipv4, dport: u16}"; "-" where there are no keys.
[[nodiscard]] std::string key_type_text(const MapSpec &spec);
// As those; "-" of sets, "socket" of XSKMAPs.
[[nodiscard]] std::string value_type_text(const MapSpec &spec);

// What an XSKMAP holds is known from the registry only.
[[nodiscard]] std::vector<runtime::RegisteredSocket> sockets_in(const runtime::Registered &entry,
                                                                const std::string &map);
// "0 -> socket of queue 0 (descriptor 9 of process 12, copy)"
[[nodiscard]] std::string socket_text(const runtime::Registered &entry, const runtime::RegisteredSocket &socket);
[[nodiscard]] Json socket_json(const runtime::Registered &entry, const runtime::RegisteredSocket &socket);

// A mistake of the command line, once the map is known: says it on standard error. Exit status 2.
int wrong_usage(const std::string &sentence, bool json);

} // namespace xdpf::cli
