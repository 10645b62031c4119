// A registered program's maps, opened by this process: entries, counters, parameters, by the types of the source.
#pragma once

#include "runtime/fd.hpp"
#include "runtime/program_maps.hpp"
#include "runtime/registry.hpp"

#include <memory>
#include <vector>

namespace xdpf::runtime {

class Running {
public:
    // Opens its maps by their ids, which wants CAP_SYS_ADMIN. They stay as long as this lives, even if the program
    // goes.
    [[nodiscard]] static Result<Running> open(Registered entry);

    [[nodiscard]] const Registered &entry() const { return opened_->entry; }
    // Borrows; good as long as this lives, wherever it is moved to.
    [[nodiscard]] ProgramMaps maps() const;
    [[nodiscard]] int map_fd(MapId map) const { return opened_->maps[map.value].get(); } // -1: there is none

private:
    struct Opened {
        Registered entry;
        std::vector<Fd> maps; // by MapId
    };
    Running() = default;

    std::unique_ptr<Opened> opened_;
};

} // namespace xdpf::runtime
