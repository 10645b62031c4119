// The rules of a program that stand in a map and can be replaced while it runs: those of `match from "FILE"`.
#pragma once

#include "compiler/image.hpp"
#include "runtime/error.hpp"
#include "runtime/fd.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace xdpf::runtime {

class RuleTables {
public:
    // Of the first program on an interface, in the calling thread's network namespace, and of those that it goes on
    // with (`goto`, parts of one that was split); its owner may be another process. Needs CAP_SYS_ADMIN, to open
    // programs and maps by their number.
    [[nodiscard]] static Result<RuleTables> of_interface(const std::string &interface);

    // The program on the interface.
    [[nodiscard]] const std::string &program() const { return program_; }
    // Of the first map.
    [[nodiscard]] std::uint32_t map_id() const { return tables_.front().id; }
    // Bytes of the maps' values: CompileOptions::table_bytes for the rules that are to take the place of these.
    [[nodiscard]] TableBytes sizes() const;

    // Whether the programs that run read rules as those of `image` are read.
    [[nodiscard]] Result<bool> match(const Image &image) const;
    // Puts the rules of `image` into force: in each program all at once, so that it decides by the old ones or by the
    // new ones, and in one program after the other. The image must come of the same source with other files of rules.
    // Returns the new generation, counted from 1.
    Result<std::uint32_t> replace(const Image &image);

private:
    struct Table {
        std::string program;
        Fd map;
        std::uint32_t id;
        std::uint32_t size;
    };
    class Mapped;

    RuleTables(std::string program, std::vector<Table> tables)
        : program_(std::move(program)), tables_(std::move(tables))
    {
    }
    static Result<std::vector<Table>> tables_behind(std::uint32_t program);
    [[nodiscard]] static bool reads_alike(const Mapped &value, const Table &table, const MapSpec *spec);

    std::string program_;
    std::vector<Table> tables_; // at least one
};

} // namespace xdpf::runtime
