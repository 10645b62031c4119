#include "compiler/passes/pipeline.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"
#include "compiler/passes/passes.hpp"

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstdlib>

namespace xdpf::passes {
namespace {

constexpr std::array passes{
    Pass{"fold", fold},
    Pass{"simplify_cfg", simplify_cfg},
    Pass{"share_values", share_values},
    Pass{"remove_dead_code", remove_dead_code}, // so that a test's value has no uses but the real ones
    Pass{"merge_tests", merge_tests},
    Pass{"split_distances", split_distances},
    Pass{"remove_dead_code", remove_dead_code},
    Pass{"simplify_cfg", simplify_cfg}, // blocks whose test went
    Pass{"drop_rebases", drop_rebases},
    Pass{"anticipate_guards", anticipate_guards},
    Pass{"merge_guards", merge_guards},               // needs one value for one pointer, and straight chains of blocks
    Pass{"simplify_cfg", simplify_cfg},               // blocks whose guard went
    Pass{"share_values_nearby", share_values_nearby}, // blocks that became one, too
    Pass{"use_ranges", use_ranges},
    Pass{"fold", fold}, // the last one: from here on nothing becomes constant
    Pass{"simplify_cfg", simplify_cfg},
    Pass{"remove_dead_code", remove_dead_code}, // so that a load has no uses but the real ones
    Pass{"choose_byte_order", choose_byte_order},
    Pass{"remove_dead_code", remove_dead_code}, // constants that were swapped
    Pass{"simplify_cfg", simplify_cfg},
    Pass{"order_tests", order_tests},
    Pass{"simplify_cfg", simplify_cfg}, // tests that went
    Pass{"share_tails", share_tails},
    Pass{"simplify_cfg", simplify_cfg}, // what was there twice
    Pass{"decisive_first", decisive_first},
};

// So many blocks, of which each tests something, are far beyond what the kernel takes, and generating code for them
// says so: more passes would only make one wait for that.
constexpr std::size_t hopeless = 75'000;
constexpr std::size_t first_passes = 4; // those that take what is written several times away

void check(const ir::Program &program, const ir::Module &module, std::string_view after,
           ir::Stage stage = ir::Stage::on_the_way)
{
    const auto findings = ir::verify(program, module, stage);
    if (findings.empty())
        return;
    fmt::print(stderr, "The IR of '{}' is broken after {}: {}\n{}", program.name, after, fmt::join(findings, "\n"),
               ir::to_text(program, module.maps));
    std::abort();
}

} // namespace

std::span<const Pass> pipeline() { return passes; }

void optimize(ir::Module &module, Checks checks)
{
    for (ir::Program &program : module.programs) {
        if (checks == Checks::on)
            check(program, module, "lowering");
        for (std::size_t i = 0; i < passes.size(); ++i) {
            if (i >= first_passes && program.blocks.size() > hopeless)
                break;
            passes[i].run(program);
            if (checks == Checks::on)
                check(program, module, passes[i].name);
        }
        if (checks == Checks::on && program.blocks.size() <= hopeless)
            check(program, module, "all passes", ir::Stage::for_the_kernel);
    }
}

} // namespace xdpf::passes
