// One packet's evaluation and its rooms; private to compiler/explain. evaluator.hpp is the public face.
//
//   dissect.cpp     headers, chains and lists in the packet's bytes    values.cpp   expressions
//   predicates.cpp  conditions                                         rules.cpp    rules, decisions
//   state.cpp       what lies in maps, and the steps that change it    rewrite.cpp  steps that change the packet
//   pcap.cpp        tcpdump's expressions                              questions.cpp   what no rule asks
//   reshape.cpp     steps that put headers on and take them off
//   reasons.cpp     why something is not there, why a condition does not hold
#pragma once

#include "compiler/explain/evaluator.hpp"

#include <deque>
#include <map>
#include <string_view>

namespace xdpf::explain {

using sema::ExprId;
using sema::HeaderId;
using sema::HeaderRef;
using sema::PredId;
using sema::u128;

// Bytes [begin, end) of the packet.
struct Extent {
    std::size_t begin = 0;
    std::size_t end = 0;
};

// Of the expression's type: a number or an address, or bytes.
struct Value {
    u128 number = 0;
    std::string_view bytes;
};

// What a condition about a header sees while that header is being looked for.
struct Context {
    HeaderId self; // its fields stand at `at`, whether or not it turns out to be there
    std::size_t at = 0;
    HeaderId chain; // what the link in front names, of the chain behind this header
    std::uint64_t selector = 0;
};

// Why a header that was named is not there.
struct Fault {
    enum class Kind : std::uint8_t { cut_short, where, too_small, too_large } kind = Kind::cut_short;
    std::uint64_t needed = 0; // bytes
};

struct Link {
    HeaderId header;
    Extent extent;
};

// The links behind a header.
struct Chain {
    enum class End : std::uint8_t { well, no_payload, too_many, broken } end = End::broken;
    std::vector<Link> links;
    std::uint64_t selector = 0; // what the last link names
    std::size_t behind = 0;     // where that begins
    HeaderId culprit;           // the link that is broken or holds nothing
    Fault fault;
};

class Evaluation {
public:
    Evaluation(const sema::Unit &unit, const Sources &sources, std::size_t program);

    [[nodiscard]] const std::vector<RuleInfo> &rules() const { return rules_; }
    [[nodiscard]] std::span<const std::byte> packet() const { return packet_; }
    [[nodiscard]] Outcome run(const Arrival &arrival, Maps &maps, Detail detail);
    // questions.cpp
    [[nodiscard]] Answer ask(PredId id, const Arrival &arrival, Maps &maps);
    [[nodiscard]] std::string field_at(std::span<const std::byte> packet, std::size_t byte, std::byte bits, Maps &maps);

private:
    // A rule with the rules that stand in it.
    struct Node {
        const sema::Rule *rule = nullptr;
        std::size_t first = 0; // of the leaves under it, indices into rules_
        std::size_t last = 0;  // behind the last
        std::vector<Node> inner;
    };
    struct Found {
        std::uint64_t run = 0; // the packet that this was found out for
        bool present = false;
        Extent extent;
        std::size_t way = 0;
    };
    struct Walked {
        std::uint64_t run = 0;
        Chain chain;
    };

    std::vector<Node> nodes(const std::vector<sema::Rule> &rules);
    void begin(const Arrival &arrival, Maps &maps, Detail detail);
    [[nodiscard]] std::optional<std::size_t> field_with(HeaderId id, std::size_t bit) const;

    // ---- dissect.cpp
    [[nodiscard]] const Found &find(HeaderId header);
    [[nodiscard]] bool find_by(HeaderId header, std::size_t way, Found &found);
    [[nodiscard]] std::optional<Extent> extent_of(HeaderRef ref);
    [[nodiscard]] const Chain &chain_of(HeaderId base);
    void walk(HeaderId base, Chain &chain);
    [[nodiscard]] std::optional<Extent> find_in_list(HeaderId header, const sema::Way &way);
    // The extent of a header that begins at `at`.
    [[nodiscard]] std::optional<Extent> check(HeaderId header, std::size_t at, Fault &fault);
    [[nodiscard]] bool has_payload(HeaderId header, std::size_t at);

    // ---- values.cpp; nothing: absent
    [[nodiscard]] std::optional<Value> value(ExprId id, const Context &context = {});
    [[nodiscard]] std::optional<std::uint64_t> number(ExprId id, const Context &context = {});
    // Of a header that begins at `header`, whether or not it turns out to be there. Absent: behind the packet's end.
    [[nodiscard]] std::optional<Value> field_at(HeaderId id, std::size_t field, std::size_t header);
    [[nodiscard]] std::optional<Extent> place_of(const sema::Field &field, HeaderId id, std::size_t header);
    std::optional<Value> value_of(const sema::Constant &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::BytesConstant &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::FieldValue &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::ChainEnd &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::Metadata &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::Slice &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::Binary &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::Unary &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::ParamValue &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::MapValue &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::LetValue &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::Either &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::Hash &node, const sema::Expr &expr, const Context &context);
    std::optional<Value> value_of(const sema::Weighted &node, const sema::Expr &expr, const Context &context);

    // ---- state.cpp
    [[nodiscard]] std::optional<Bytes> key(MapId map, std::span<const ExprId> parts, const Context &context = {});
    [[nodiscard]] std::optional<std::vector<Value>> values(std::span<const ExprId> ids, const Context &context = {});
    [[nodiscard]] Value stored(const LayoutField &field, std::span<const std::byte> value);
    static void store(const LayoutField &field, const Value &value, Bytes &out);
    [[nodiscard]] Value kept(Value value);
    // Steps; whether they decided.
    bool perform(const sema::Count &step);
    bool perform(const sema::Assign &step);
    bool perform(const sema::Delete &step);
    bool perform(const sema::AddTo &step);
    bool perform(const sema::Let &step);
    bool perform(const sema::Emit &step);
    bool perform(const sema::Sample &step);
    bool perform(const sema::MetadataArea &step);

    // ---- rewrite.cpp
    bool perform(const sema::SetField &step);
    bool perform(const sema::Swap &step);
    void own_bytes();
    void write(const sema::SetField &step, const Value &value);
    void write(const sema::Field &field, const Extent &place, const Value &value);

    // ---- reshape.cpp
    bool perform(const sema::Push &step);
    bool perform(const sema::Pop &step);
    bool perform(const sema::Encap &step);
    bool perform(const sema::Decap &step);
    [[nodiscard]] bool insert(std::size_t at, std::size_t size);
    void remove(std::size_t begin, std::size_t end);
    void reshaped();
    void write_at(HeaderId id, std::size_t field, std::size_t header, const Value &value);
    [[nodiscard]] std::optional<std::vector<Value>> kept_values(std::span<const ExprId> ids);
    [[nodiscard]] std::optional<std::size_t> links_behind(HeaderId base);
    [[nodiscard]] HeaderId link_of(HeaderId base) const;
    [[nodiscard]] std::size_t link_layer_size(HeaderId base, std::size_t links) const;
    void name_network_layer(HeaderId base, std::size_t links, std::uint64_t selector);
    [[nodiscard]] const sema::Carried *carried_by(const std::vector<sema::Carried> &all);
    void write_headers(const sema::Encap &step, std::size_t first, const std::vector<Value> &given, std::size_t payload,
                       std::uint64_t inner);

    // ---- predicates.cpp
    [[nodiscard]] bool holds(PredId id, const Context &context = {});
    bool holds(const sema::Truth &node, const Context &context);
    bool holds(const sema::Not &node, const Context &context);
    bool holds(const sema::And &node, const Context &context);
    bool holds(const sema::Or &node, const Context &context);
    bool holds(const sema::Present &node, const Context &context);
    bool holds(const sema::ReachedBy &node, const Context &context);
    bool holds(const sema::LinkCount &node, const Context &context);
    bool holds(const sema::LinkIs &node, const Context &context);
    bool holds(const sema::Compare &node, const Context &context);
    bool holds(const sema::InSet &node, const Context &context);
    bool holds(const sema::InMap &node, const Context &context);
    bool holds(const sema::Exceeds &node, const Context &context);
    bool exceeds(const sema::Exceeds &node, const Context &context);
    bool holds(const sema::Pcap &node, const Context &context);

    // ---- rules.cpp
    [[nodiscard]] bool run(const std::vector<Node> &nodes); // whether one of them decided
    void not_matched(const Node &node);
    [[nodiscard]] bool act(const sema::Action &action);
    void decide(const sema::Decision &decision);
    bool perform(const sema::If &step);
    void doubt();

    // ---- reasons.cpp
    // Why a condition came out as it did: false, or (under `not`) true.
    [[nodiscard]] std::string reason(PredId id, bool outcome, const Context &context = {});
    class Reasons;

    const sema::Unit &unit_;
    const Sources &sources_;
    const sema::Program &program_;
    std::vector<RuleInfo> rules_;
    std::vector<Node> nodes_;
    IdVector<HeaderId, std::vector<HeaderId>> links_; // by base

    // Of the packet at hand.
    std::uint64_t run_ = 0; // counts packets, and what they look like after each rewriting
    Arrival arrival_;
    std::span<const std::byte> packet_;
    Bytes rewritten_;          // what packet_ shows from the first rewriting on
    bool has_changed_ = false; // the packet's bytes; checksums are not followed
    std::size_t grown_ = 0;    // bytes that were put in front
    bool goes_on_ = false;     // a step said `continue`
    std::vector<std::optional<Value>> lets_;
    std::map<const sema::Exceeds *, bool> asked_; // buckets, which take from it: asked once, told often
    std::deque<Bytes> kept_;                      // bytes that values show and that the packet does not hold
    Maps *maps_ = nullptr;
    Detail detail_ = Detail::outcome;
    IdVector<HeaderId, Found> found_;
    IdVector<HeaderId, Walked> walked_;
    Outcome outcome_;
};

} // namespace xdpf::explain
