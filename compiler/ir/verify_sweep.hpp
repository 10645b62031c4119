// The parts of verify(), each trusting what the ones before it have shown. For its own files only.
#pragma once

#include "compiler/ir/ir.hpp"
#include "compiler/ir/text.hpp"
#include "compiler/ir/verify.hpp"

#include <fmt/format.h>

#include <span>
#include <string>
#include <vector>

namespace xdpf::ir {

// What verify() was asked about, and what it has found so far.
struct Inquiry {
    const Program &program;
    std::span<const MapSpec> maps;
    Stage stage;
    std::vector<std::string> findings;
};

// Blocks, edges, operands: that they are there. Nothing else can be asked of a graph with wild edges.
void check_shape(Inquiry &inquiry);
// One definition before every use, and operands, slots and maps of the right kind.
void check_definitions(Inquiry &inquiry);
// Guards, null checks, bounds, and slots written before they are read.
void check_knowledge(Inquiry &inquiry);
// Pointers to the packet that outlive a move of its ends.
void check_lifetimes(Inquiry &inquiry);
// Records of ring buffers, from reserve to submit.
void check_records(Inquiry &inquiry);

// What rx_meta writes into.
constexpr std::uint32_t rx_meta_size = 8;

// A sweep over the program that knows where it is when it finds something.
class Sweep {
public:
    explicit Sweep(Inquiry &inquiry)
        : program_(inquiry.program), maps_(inquiry.maps), stage_(inquiry.stage), findings_(inquiry.findings)
    {
    }

protected:
    template <class... Args> void fail(fmt::format_string<Args...> format, Args &&...args)
    {
        std::string where;
        if (block_.valid())
            where = fmt::format("b{}: ", block_.value);
        if (inst_ != nullptr)
            where += fmt::format("'{}': ", to_text(*inst_, maps_));
        else if (end_ != nullptr)
            where += fmt::format("'{}': ", to_text(*end_));
        findings_.push_back(where + fmt::format(format, std::forward<Args>(args)...));
    }

    // Calls on_inst and on_end with the place set for messages.
    template <class OnInst, class OnEnd> void in_block(BlockId id, OnInst on_inst, OnEnd on_end)
    {
        block_ = id;
        for (const Inst &inst : program_.blocks[id].insts) {
            inst_ = &inst;
            on_inst(inst);
        }
        inst_ = nullptr;
        end_ = &program_.blocks[id].end;
        on_end(*end_);
        end_ = nullptr;
        block_ = {};
    }

    ValueKind kind(ValueId value) const { return program_.values[value].kind; }

    const MapSpec &spec(const Inst &inst) const { return maps_[inst.map.value]; }

    const Program &program_;
    std::span<const MapSpec> maps_;
    Stage stage_;
    BlockId block_; // the place

private:
    std::vector<std::string> &findings_;
    const Inst *inst_ = nullptr;
    const Terminator *end_ = nullptr;
};

} // namespace xdpf::ir
