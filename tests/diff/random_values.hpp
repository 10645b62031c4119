// Fields, constants and sets for random programs.
#pragma once

#include "tests/diff/packets.hpp"

#include <cstdint>
#include <span>
#include <string>

namespace xdpf::diff {

enum class Type : std::uint8_t { number, mac, ipv4, ipv6 };

struct FieldName {
    const char *name;
    Type type;
    unsigned bits;
};

[[nodiscard]] std::span<const FieldName> all_fields();
// Fields that several tests of a program ask for make programs in which knowledge matters.
[[nodiscard]] std::span<const FieldName> frequent_fields();
// Behind tunnels, in lists, with a computed place, in the same bytes: one of these groups a program, with a file to
// import.
struct FieldGroup {
    const char *import; // may be empty
    std::span<const FieldName> fields;
    std::span<const char *const> presences;
    const char *decap;                          // may be empty
    std::span<const FieldName> neighbours = {}; // that share their bytes: asked for and set again and again
};
[[nodiscard]] std::span<const FieldGroup> field_groups();
[[nodiscard]] std::span<const char *const> bit_fields();
[[nodiscard]] std::span<const char *const> chain_tests();
[[nodiscard]] std::span<const char *const> presences();
[[nodiscard]] std::span<const char *const> pcap_texts();

// A set, range or single value of a type; with those that the packets of the tests have.
class Values {
public:
    explicit Values(Random &random) : random_(random) {}

    std::string one(Type type, unsigned bits);
    std::string element(Type type, unsigned bits);
    std::string set(Type type, unsigned bits);
    std::uint64_t number(unsigned bits);

private:
    std::string mac();
    std::uint64_t ipv4_number();
    std::string ipv4();
    std::string ipv6();

    Random &random_;
};

} // namespace xdpf::diff
