#include "compiler/ir/epochs.hpp"
#include "compiler/ir/traits.hpp"
#include "compiler/ir/verify_sweep.hpp"

namespace xdpf::ir {
namespace {

class Lifetimes : Sweep {
public:
    using Sweep::Sweep;

    void run()
    {
        const auto reachable = reachable_blocks(program_);
        Epochs epochs(program_.blocks.size());
        IdVector<ValueId, std::uint32_t> made;
        made.resize(program_.values.size(), 0);
        const auto check_use = [&](ValueId value) {
            if (points_to_packet(value) && made[value] != epochs.now())
                fail("value {} was made before the packet's ends were moved", value.value);
        };
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            if (!reachable.contains(BlockId(i)))
                continue;
            epochs.enter(BlockId(i));
            for (const ValueId param : program_.blocks[BlockId(i)].params)
                made[param] = epochs.now();
            in_block(
                BlockId(i),
                [&](const Inst &inst) {
                    for_each_use(inst, check_use);
                    if (moves_packet(inst.op))
                        epochs.change();
                    if (inst.result.valid())
                        made[inst.result] = epochs.now();
                },
                [&](const Terminator &end) {
                    for_each_use(end, check_use);
                    epochs.leave(end);
                });
        }
    }

private:
    bool points_to_packet(ValueId value) const
    {
        return kind(value) == ValueKind::packet || kind(value) == ValueKind::packet_end ||
               kind(value) == ValueKind::meta;
    }
};

} // namespace

void check_lifetimes(Inquiry &inquiry) { Lifetimes(inquiry).run(); }

} // namespace xdpf::ir
