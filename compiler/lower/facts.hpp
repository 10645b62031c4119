// What can be known about a packet: finitely many yes-or-no facts, those that the rules of one program need.
#pragma once

#include "compiler/sema/typed.hpp"

#include <map>
#include <tuple>
#include <vector>

namespace xdpf::lowering {

using FactId = Id<struct FactTag>;

struct Fact {
    enum class Kind : std::uint8_t {
        present,    // header (link number `number` of its kind) is there
        reached_by, // header was reached by way `number`
        way_open,   // way `number` to header can still succeed; only its falsehood is ever known
        chain_end,  // the chain behind header ended well
        link_count, // exactly `number` links stand behind header
        link_is,    // link `number` behind header is `other`
    };
    Kind kind = Kind::present;
    sema::HeaderId header;
    unsigned number = 0;
    sema::HeaderId other;
    auto operator<=>(const Fact &) const = default;
};

// A set of facts; small and dense.
class FactSet {
public:
    void insert(FactId id)
    {
        if (words_.size() <= id.value / 64)
            words_.resize(id.value / 64 + 1);
        words_[id.value / 64] |= std::uint64_t(1) << id.value % 64;
    }
    [[nodiscard]] bool contains(FactId id) const
    {
        return id.value / 64 < words_.size() && (words_[id.value / 64] >> id.value % 64 & 1) != 0;
    }
    void insert(const FactSet &other)
    {
        if (words_.size() < other.words_.size())
            words_.resize(other.words_.size());
        for (std::size_t i = 0; i < other.words_.size(); ++i)
            words_[i] |= other.words_[i];
    }

private:
    std::vector<std::uint64_t> words_;
};

// What something needs to be known before it can be done.
struct Asked {
    std::vector<FactId> asks;  // and without any of which it is not done
    std::vector<FactId> looks; // whichever way they are
    std::vector<sema::ExprId>
        eithers; // unions' fields that it reads: not done where a packet has none of one's alternatives
};

// The facts of one program. Asking for one brings along those that finding it out takes.
class Facts {
public:
    explicit Facts(const sema::Unit &unit) : unit_(unit) {}

    FactId intern(const Fact &fact);
    FactId present(sema::HeaderRef ref) { return intern({Fact::Kind::present, ref.header, ref.index}); }
    FactId reached_by(sema::HeaderId header, std::size_t way)
    {
        return intern({Fact::Kind::reached_by, header, static_cast<unsigned>(way)});
    }
    FactId way_open(sema::HeaderId header, std::size_t way)
    {
        return intern({Fact::Kind::way_open, header, static_cast<unsigned>(way)});
    }
    FactId chain_end(sema::HeaderId base) { return intern({Fact::Kind::chain_end, base}); }

    [[nodiscard]] const Fact &operator[](FactId id) const { return facts_[id]; }
    [[nodiscard]] std::size_t size() const { return facts_.size(); }
    [[nodiscard]] FactId find(const Fact &fact) const;

    // Whether a header is an item of a list, and the header that the list is part of.
    [[nodiscard]] bool is_item(sema::HeaderId id) const
    {
        const auto &ways = unit_.headers[id].ways;
        return !ways.empty() && ways[0].through_list;
    }
    [[nodiscard]] sema::HeaderId container_of(sema::HeaderId item) const
    {
        return unit_.headers[unit_.headers[item].ways[0].parent].list->container;
    }

    // What an expression, a test or a step needs to be known.
    void asked_by(sema::ExprId id, Asked &out);
    void asked_by(const std::vector<sema::ExprId> &ids, Asked &out);
    void asked_by(const sema::Pred &pred, Asked &out);
    void asked_by(const sema::Step &step, Asked &out);
    void asked_by_rewrite(const sema::Step &step, Asked &out); // rewrite.cpp

private:
    const sema::Unit &unit_;
    IdVector<FactId, Fact> facts_;
    std::map<Fact, FactId> index_;
};

} // namespace xdpf::lowering
