#include "compiler/ir/graph.hpp"
#include "compiler/ir/verify_sweep.hpp"

#include <algorithm>
#include <optional>

namespace xdpf::ir {
namespace {

class Records : Sweep {
public:
    using Sweep::Sweep;

    void run()
    {
        IdVector<BlockId, std::optional<OpenRecords>> incoming;
        incoming.resize(program_.blocks.size());
        incoming[BlockId(0)].emplace();
        for (std::size_t i = 0; i < program_.blocks.size(); ++i) {
            if (!incoming[BlockId(i)])
                continue;
            OpenRecords open = std::move(*incoming[BlockId(i)]);
            for (const ValueId param : program_.blocks[BlockId(i)].params)
                if (kind(param) == ValueKind::record)
                    fail("b{}: a record is a parameter", i);
            in_block(
                BlockId(i), [&](const Inst &inst) { follow_records(inst, open); },
                [&](const Terminator &end) {
                    if (end.kind == Terminator::Kind::return_ || end.kind == Terminator::Kind::asm_)
                        want_no_records(open);
                    std::size_t which = 0;
                    for_each_edge(end, [&](const Edge &edge) {
                        OpenRecords there = records_along(end, which++, open);
                        std::optional<OpenRecords> &present = incoming[edge.target];
                        if (present && *present != there)
                            fail("a record is submitted on one way to b{} and not on another", edge.target.value);
                        present = std::move(there);
                    });
                });
        }
    }

private:
    // A record that is not submitted so far.
    struct OpenRecord {
        ValueId value;
        bool tested = false; // and it is there
        bool operator==(const OpenRecord &) const = default;
    };
    using OpenRecords = std::vector<OpenRecord>;

    void want_no_records(const OpenRecords &open)
    {
        for (const OpenRecord &record : open)
            fail("record {} is not submitted", record.value.value);
    }

    void follow_records(const Inst &inst, OpenRecords &open)
    {
        if (inst.op == Op::reserve)
            open.push_back({inst.result});
        if (inst.op == Op::tail_call)
            want_no_records(open);
        if (!inst.a.valid() || kind(inst.a) != ValueKind::record)
            return;
        const auto at = std::ranges::find(open, inst.a, &OpenRecord::value);
        if (at == open.end())
            return fail("the record is submitted already, or not there");
        if (!at->tested)
            return fail("the record may be null");
        if (inst.op == Op::submit)
            open.erase(at);
    }

    OpenRecords records_along(const Terminator &end, std::size_t which, const OpenRecords &open)
    {
        OpenRecords there = open;
        if (end.kind != Terminator::Kind::branch || kind(end.a) != ValueKind::record)
            return there;
        const auto at = std::ranges::find(there, end.a, &OpenRecord::value);
        if (at == there.end())
            return there;
        if (which == (end.cond == Cond::eq ? 0U : 1U))
            there.erase(at);
        else
            at->tested = true;
        return there;
    }
};

} // namespace

void check_records(Inquiry &inquiry) { Records(inquiry).run(); }

} // namespace xdpf::ir
