// Writes the IR of one program; private to compiler/lower.
//
//   emitter.cpp  the walk over (node, knowledge), blocks and edges
//   decode.cpp   headers: guards, conditions, sizes          chain.cpp, chain_loops.cpp  chains of links
//   values.cpp   fields and arithmetic                       tests.cpp  comparisons and sets
//   actions.cpp  verdicts, keys of maps                       steps.cpp  what rules do besides
//   classify.cpp runs of many rules
#pragma once

#include "compiler/base/diagnostic.hpp"
#include "compiler/classify/intervals.hpp"
#include "compiler/classify/points.hpp"
#include "compiler/classify/tables.hpp"
#include "compiler/lower/decision.hpp"
#include "compiler/lower/knowledge.hpp"
#include "compiler/lower/lower.hpp"

#include <map>
#include <set>
#include <span>
#include <unordered_map>

namespace xdpf::lowering {

// What fields and chains mean while an expression is evaluated.
struct Env {
    const Knowledge *known = nullptr;
    sema::HeaderId self; // a header that is being decoded lies here
    Place self_start;
    sema::HeaderId chain; // a chain that is being walked has this selector
    ir::ValueId selector;
};

// Two 64-bit halves of an IPv6 address; of everything else only `low` is there.
struct Wide {
    ir::ValueId high;
    ir::ValueId low;
};

// Where bytes are stored: a slot of the stack, or what a pointer into a map's value or a record points to.
struct Sink {
    Sink(ir::SlotId s) : slot(s) {}
    explicit Sink(ir::ValueId p) : pointer(p) {}
    ir::SlotId slot;
    ir::ValueId pointer;
};

// The value of an expression on its way to a key, a value or a record.
struct Operand {
    ir::ValueId number = {};
    bool big_endian = false; // the number is an address
    std::string bytes = {};
    Place place = {};
    bool mapped = false; // an IPv4 address, wanted as an IPv6 one
};

// A load that covers a field: `width` bytes from byte `offset` of the header, then `shift` bits to the right.
struct Window {
    std::uint32_t offset;
    std::uint8_t width;
    std::uint32_t shift;
};
using classify::golden;

// The largest number of so many bits.
[[nodiscard]] constexpr std::uint64_t most_of(std::uint32_t bits)
{
    return bits >= 64 ? UINT64_MAX : (std::uint64_t(1) << bits) - 1;
}

// Within the first `limit` bytes; nothing where no load of 1, 2, 4 or 8 bytes there covers the bits.
[[nodiscard]] std::optional<Window> window_of(std::uint32_t bit_offset, std::uint32_t bits, std::uint32_t limit);

[[nodiscard]] bool disjoint(const std::vector<sema::Interval> &a, const std::vector<sema::Interval> &b);

class Emitter;

// The tables of a program's runs of rules, and the caches in front of them; classify_map.cpp.
class ProgramTables {
public:
    struct Contents {
        classify::Tree tree;
        classify::RuleSet set;
        std::vector<std::uint32_t> codes; // by action
        std::vector<std::byte> bytes;     // something else in place of the tree
    };
    // The number by which code finds the tree.
    std::uint32_t add(Emitter &e, Contents contents);
    // Likewise; of tables that are alike there is one.
    std::uint32_t add(Emitter &e, std::vector<std::byte> bytes);
    MapId cache_for(Emitter &e, std::size_t words);
    void finish(ir::Program &program, std::vector<MapSpec> &maps, std::uint32_t bytes);
    [[nodiscard]] std::size_t size() const { return contents_.size(); }

    MapId map;
    std::uint64_t steps = 0;  // that the kernel's verifier takes through all of them
    std::size_t overflow = 0; // bytes of tables for which there is no room
    bool replaceable = false; // some of them: there is room for another set
    bool anywhere = false;    // somewhere an offset in the map comes out of the map

private:
    std::vector<Contents> contents_;
    std::map<std::size_t, MapId> caches_; // by words of the key
};

class Emitter {
public:
    // Maps that the program needs besides the unit's are added to `maps`.
    Emitter(const sema::Unit &unit, const sema::Program &source, Diagnostics &diagnostics, std::vector<MapSpec> &maps,
            const LowerOptions &options)
        : unit_(unit), source_(source), diagnostics_(diagnostics), maps_(maps), options_(options), facts_(unit),
          graph_(build_decisions(unit, source, facts_, options.classify))
    {
    }
    // Nothing where the program becomes too large; that has been reported.
    std::optional<ir::Program> run();

private:
    // emitter.cpp
    void emit(NodeId id, Knowledge known);
    [[nodiscard]] bool can_wait(FactId fact, const Node &node) const;
    void emit_test(NodeId id, Knowledge &known);
    bool learn(FactId fact, NodeId node, Knowledge &known);
    bool learn_present(FactId fact, NodeId node, Knowledge &known);
    ir::Edge go(NodeId node, const Knowledge &known);
    void conclude(Knowledge &known) const;
    [[nodiscard]] bool asks_itself(NodeId node, FactId fact) const;
    void restrict_to(NodeId node, Knowledge &known) const;
    void keep(FactId fact, const Knowledge &known, FactSet &kept) const;
    [[nodiscard]] FactSet wanted_by(NodeId node, const Knowledge &known) const;
    [[nodiscard]] std::string key_of(NodeId node, const Knowledge &known) const;
    void bind_params(Knowledge &known, ir::Block &block, ir::Edge *edge);
    void bind_ends(Knowledge &known, ir::Block &block);
    void ask_ends_anew(Knowledge &known);

    // Building blocks.
    ir::BlockId new_block() { return program_.blocks.add({}); }
    void start(ir::BlockId block) { block_ = block; }
    ir::Inst &inst(ir::Op op);
    ir::ValueId number(ir::Inst &inst, std::uint64_t max = UINT64_MAX);
    ir::ValueId constant(std::uint64_t value);
    ir::ValueId binary(ir::Op op, ir::ValueId a, ir::ValueId b, std::uint64_t max = UINT64_MAX);
    ir::ValueId binary(ir::Op op, ir::ValueId a, std::uint64_t b, std::uint64_t max = UINT64_MAX)
    {
        return binary(op, a, constant(b), max);
    }
    ir::ValueId offset(Place place, ir::ValueId distance, std::uint64_t max);
    // The place as a pointer of which the kernel's verifier knows only that it lies within `reach` bytes, so that it
    // walks what follows once and not once for each way there.
    Place rebased(Place place, std::uint64_t reach);
    // What a rebase to a reach keeps; nothing where it would keep too much.
    [[nodiscard]] static std::optional<std::uint64_t> mask_of(std::uint64_t reach);
    Place materialised(Place place);
    void jump(ir::Edge to);
    void branch(ir::Cond cond, ir::ValueId a, std::uint64_t imm, const ir::Edge &yes, const ir::Edge &no);
    void branch(ir::Cond cond, ir::ValueId a, ir::ValueId b, const ir::Edge &yes, const ir::Edge &no);
    void guard(Place place, std::uint32_t bytes, const ir::Edge &yes, const ir::Edge &no);
    [[nodiscard]] ir::Edge to(ir::BlockId block) const { return {block, {}}; }
    void give(std::uint32_t verdict);

    // decode.cpp
    void decode_site(sema::HeaderId wanted, std::size_t way, NodeId node, const Knowledge &known);
    std::vector<std::pair<sema::HeaderId, std::size_t>> siblings(sema::HeaderId wanted, std::size_t way, NodeId node,
                                                                 const Knowledge &known) const;
    std::vector<std::pair<sema::HeaderId, std::size_t>> first_behind(sema::HeaderId base, NodeId node,
                                                                     const Knowledge &known) const;
    // Of a way whose condition is that a number lies in intervals.
    const std::vector<sema::Interval> &intervals_of(sema::HeaderId header, std::size_t way) const;
    void decode_header(sema::HeaderId id, std::size_t way, Place place, NodeId node, const Knowledge &known);
    Place within(Place place, std::uint32_t most, const ir::Edge &farther);
    Place check_header(sema::HeaderId id, Place place, const Knowledge &known, const ir::Edge &absent);
    void close_ways(const sema::Way &from, Knowledge &known) const;
    [[nodiscard]] bool tell_apart(sema::HeaderId one, sema::HeaderId other) const;
    void affirm_header(sema::HeaderId id, std::size_t way, Place start, Place end, Knowledge &known) const;

    // chain.cpp
    friend class ChainWalk;
    // list.cpp
    friend class ListWalk;
    bool learn_item(FactId fact, NodeId node, Knowledge &known);
    void walk_chain(sema::HeaderId base, NodeId node, const Knowledge &known);

    // values.cpp
    ir::ValueId load(Place place, std::uint32_t offset, std::uint8_t width, ir::Order order,
                     std::uint64_t max = UINT64_MAX);
    ir::ValueId field(const sema::Header &header, const sema::Field &field, Place start);
    ir::ValueId bits_of(const sema::Field &field, Place first, std::uint32_t limit);
    Place field_place(const sema::FieldValue &of, const Env &env, const ir::Edge &absent);
    [[nodiscard]] Place start_of(sema::HeaderRef ref, const Env &env) const;
    ir::ValueId value(sema::ExprId id, const Env &env, const ir::Edge &absent);
    Wide wide_value(sema::ExprId id, const Env &env, const ir::Edge &absent);
    ir::ValueId slice(const sema::Slice &slice, const Env &env, const ir::Edge &absent);
    Place slice_place(const sema::Slice &slice, const Env &env, const ir::Edge &absent);
    Place bytes_place(sema::ExprId id, const Env &env, const ir::Edge &absent);
    ir::ValueId address(Place place, std::uint32_t bytes);
    ir::ValueId layout_value(Place place, const LayoutField &field);
    ir::ValueId packet_length() { return number(inst(length_op()), source_.frags ? UINT32_MAX : UINT16_MAX); }
    [[nodiscard]] ir::Op length_op() const { return source_.frags ? ir::Op::whole_length : ir::Op::packet_length; }
    ir::ValueId metadata(sema::Metadata what, std::uint64_t most, const ir::Edge &absent);
    ir::ValueId received(ir::RxMeta what, const ir::Edge &absent);
    Place map_value_place(const sema::MapValue &value, const Env &env, const ir::Edge &absent);
    Place param_place(const sema::ParamValue &value);
    ir::ValueId let_value(const sema::LetValue &value, const ir::Edge &absent);
    ir::ValueId hash(const sema::Hash &hash, const Env &env, const ir::Edge &absent);
    ir::ValueId weighted(const sema::Weighted &weighted, const Env &env, const ir::Edge &absent);
    // Of a union's fields the one that this packet has; all that is asked about them is known.
    [[nodiscard]] sema::ExprId chosen_of(const sema::Either &either, const Env &env) const;
    [[nodiscard]] bool denied(sema::ExprId id, const Knowledge &known) const;

    // tests.cpp
    void test(sema::PredId id, const Env &env, const ir::Edge &yes, const ir::Edge &no);
    void test_set(const sema::InSet &set, const Env &env, const ir::Edge &yes, const ir::Edge &no);
    bool test_field_in_place(const sema::InSet &set, const Env &env, const ir::Edge &yes, const ir::Edge &no);
    void test_intervals(ir::ValueId value, std::span<const sema::Interval> intervals, std::uint64_t most,
                        const ir::Edge &yes, const ir::Edge &no);
    void test_interval(ir::ValueId value, sema::Interval interval, std::uint64_t most, const ir::Edge &yes,
                       const ir::Edge &no);
    void test_wide(Wide value, std::span<const sema::Interval> intervals, const ir::Edge &yes, const ir::Edge &no);
    void test_wide_interval(Wide value, sema::Interval interval, const ir::Edge &yes, const ir::Edge &no);
    void compare(const sema::Compare &compare, const Env &env, const ir::Edge &yes, const ir::Edge &no);
    void compare_wide(sema::Comparison op, Wide left, Wide right, const ir::Edge &yes, const ir::Edge &no);
    void compare_bytes(const sema::Compare &compare, const Env &env, const ir::Edge &yes, const ir::Edge &no);
    void test_map(const sema::InMap &test, const Env &env, const ir::Edge &yes, const ir::Edge &no);
    void test_rate(const sema::Exceeds &test, const Env &env, const ir::Edge &yes, const ir::Edge &no);

    // actions.cpp
    void zero_padding(const Sink &to, const Layout &layout);
    void emit_decision(NodeId id, Knowledge &known);
    [[nodiscard]] bool any_denied(const Asked &asked, const Knowledge &known) const;
    void emit_redirect(const sema::Decision &decision, const Knowledge &known);
    void emit_assembly(const sema::Assembly &assembly);
    enum class SlotUse : std::uint8_t { key, value, let, let_is_there, metadata };
    ir::SlotId slot_of(SlotUse use, std::uint32_t size);
    ir::SlotId key_slot(MapId map, const std::vector<sema::ExprId> &key, const Env &env, const ir::Edge &absent);
    Operand operand(sema::ExprId id, const LayoutField &field, const Env &env, const ir::Edge &absent);
    std::vector<Operand> operands(std::span<const sema::ExprId> ids, std::span<const LayoutField> fields,
                                  const Env &env, const ir::Edge &absent);
    void store_operand(const Sink &to, const LayoutField &field, const Operand &from);
    void store_address(const Sink &to, const LayoutField &field, ir::ValueId number);
    void store(const Sink &to, std::uint32_t offset, std::uint8_t width, ir::Order order, ir::ValueId value);
    void store_number(const Sink &to, const LayoutField &field, ir::ValueId number);
    void store_bytes(const Sink &to, std::uint32_t offset, const std::string &bytes);
    void copy_bytes(const Sink &to, std::uint32_t offset, Place from, std::uint32_t size);

    // rewrite.cpp: whether the step changes the packet; then its node is done.
    bool emit_rewrite(const sema::Step &step, NodeId node, Knowledge &known);
    // What a field is to become: a number in `wide`, or bytes, constant or of the packet.
    struct NewField {
        Wide wide = {};
        std::string bytes = {};
        Place place = {};
    };
    void store_packet(Place place, std::uint32_t offset, std::uint8_t width, ir::Order order, ir::ValueId value);
    NewField new_field(const sema::SetField &set, const Env &env, const ir::Edge &absent);
    void write_field(const sema::Header &header, const sema::Field &field, Place start, const NewField &to);
    void write_bytes(Place place, std::uint32_t bytes, ir::ValueId number);
    void write_bits(const sema::Header &header, const sema::Field &field, Place start, ir::ValueId number);
    ir::ValueId sum_of_words(const sema::Field &field, Place start, std::uint32_t size, bool complement);
    ir::ValueId folded(ir::ValueId sum);
    Place written_place(const sema::SetField &set, const Env &env, const ir::Edge &absent);
    void change_field(const sema::SetField &set, Place first, const NewField &to, const Knowledge &known);
    ir::ValueId change_words(const sema::Header &header, const sema::Field &field, Place first, const NewField &to);
    ir::ValueId change_byte(const sema::Header &header, const sema::Field &field, Place first, ir::ValueId to);
    ir::ValueId update_checksum(sema::HeaderRef header, ir::ValueId change, const Env &env);
    void set_field(const sema::SetField &set, NodeId node, Knowledge &known);
    [[nodiscard]] bool is_plain(const sema::SetField &set) const;
    void swap_bytes_of(const sema::Swap &swap, const Env &env);
    void swap_fields(const sema::Swap &swap, NodeId node, Knowledge &known);
    ir::ValueId shifted(ir::ValueId change, Place here, sema::HeaderRef to, const Env &env);
    void forget(const sema::SetField &set, Knowledge &known) const;
    void affirm_first(sema::HeaderId header, Knowledge &known) const;
    void move_start(ir::ValueId by, std::uint32_t bytes, Knowledge &known);
    void move_forward(std::uint32_t from, std::uint32_t size);
    std::vector<ir::ValueId> taken(Place from, std::uint32_t size);
    void put_back(Place place, std::uint32_t size, const std::vector<ir::ValueId> &pieces);
    void push_link(const sema::Push &push, NodeId node, Knowledge &known);
    void pop_link(const sema::Pop &pop, NodeId node, Knowledge &known);

    // tunnel.cpp
    [[nodiscard]] std::optional<unsigned> links_behind(sema::HeaderId base, const Knowledge &known) const;
    [[nodiscard]] const sema::Header *link_of(sema::HeaderId base) const;
    void name_network_layer(sema::HeaderId base, unsigned links, Place start, std::uint64_t selector);
    [[nodiscard]] std::uint32_t link_layer_size(sema::HeaderId base, unsigned links) const;
    [[nodiscard]] const sema::Carried *carried_by(const std::vector<sema::Carried> &all, const Knowledge &known) const;
    void encapsulate(const sema::Encap &encap, NodeId node, Knowledge &known);
    void write_headers(const sema::Encap &encap, Place start, const std::vector<NewField> &values, ir::ValueId payload,
                       std::uint64_t inner_selector);
    void decapsulate(const sema::Decap &decap, NodeId node, Knowledge &known);

    // classify.cpp
    friend class RunWriter;
    friend class ProgramTables;
    void emit_run(NodeId id, const Knowledge &known);
    ProgramTables tables_;

    // steps.cpp
    void emit_step(NodeId id, Knowledge &known);
    void warn_absent(const sema::Step &step);
    void emit_count(const sema::Count &count, const Env &env, const ir::Edge &next);
    void count_up(const MapSpec &spec, ir::ValueId pointer);
    void emit_assign(const sema::Assign &assign, const Env &env, const ir::Edge &next);
    void change_value(const sema::Assign &assign, const MapSpec &spec, ir::ValueId pointer,
                      std::span<const Operand> values);
    void emit_delete(const sema::Delete &erased, const Env &env, const ir::Edge &next);
    void emit_add(const sema::AddTo &add, const Env &env, const ir::Edge &next);
    void emit_let(const sema::Let &let, const Env &env, const ir::Edge &next, bool denied);
    void emit_record(const sema::Emit &emit, const Env &env, const ir::Edge &next);
    void emit_sample(const sema::Sample &sample, const ir::Edge &next);
    void record_head(ir::ValueId record, std::uint32_t type);
    void emit_metadata(const sema::MetadataArea &area, NodeId node, Knowledge &known);
    ir::SlotId value_slot(MapId map, const std::vector<sema::ExprId> &value, const Env &env, const ir::Edge &absent);
    ir::ValueId reserve(MapId ring, std::uint32_t size, const ir::Edge &full);
    ir::ValueId negated(ir::ValueId of);
    ir::ValueId lookup(MapId map, ir::SlotId key);
    void update(MapId map, ir::SlotId key, ir::SlotId value);

    struct Pending {
        ir::BlockId block;
        NodeId node;
        Knowledge known;
    };

    const sema::Unit &unit_;
    const sema::Program &source_;
    Diagnostics &diagnostics_;
    std::vector<MapSpec> &maps_;
    const LowerOptions &options_;
    Facts facts_;
    DecisionGraph graph_;
    ir::Program program_;
    ir::BlockId block_;
    ir::ValueId packet_start_; // in force where the emitter is
    ir::ValueId packet_end_;
    Span span_;
    std::unordered_map<std::string, ir::BlockId> blocks_;
    std::vector<Pending> pending_;
    std::set<const sema::Step *> warned_;
    std::map<std::pair<SlotUse, std::uint32_t>, ir::SlotId> slots_; // by use and size in bytes, of lets by number
};

} // namespace xdpf::lowering
