// The packets that tests build: a stack of headers, each with its fields from the test, from the headers behind it, or
// from the defaults that its declaration gives; lengths and checksums are computed from the whole. Private to this
// folder.
#pragma once

#include "compiler/sema/analyzer.hpp"

#include <map>
#include <span>

namespace xdpf::sema {

inline constexpr std::size_t longest_packet = 65535;

struct LayerState {
    HeaderId header; // none: payload
    std::size_t start = 0;
    std::size_t size = 0;
    std::vector<bool> set; // by field: given by the test or by the header behind
    const ast::Layer *ast = nullptr;
    unsigned space = 0;                               // how many tunnels it lies in
    bool item = false;                                // of the list of the last header in front that is none
    std::size_t least = 0;                            // bytes that the test's fields say it has
    std::map<std::size_t, std::size_t> floating = {}; // by field: the bytes where one with a computed place begins
};

class PacketBuilder {
public:
    PacketBuilder(Analyzer &analyzer, const Scope &scope, Analyzer::Holes *holes)
        : a_(analyzer), scope_(scope), holes_(holes)
    {
    }

    std::optional<std::vector<std::byte>> build(const ast::PacketStatement &statement);

private:
    // Headers and the payload, one behind the other: packet_layers.cpp.
    bool place(const ast::Layer &ast);
    bool place_payload(const ast::Layer &ast);
    bool connect(LayerState &layer);
    bool never_behind(const LayerState &layer, const std::string &front);
    void close();
    void steps(ExprId id, std::size_t &base, std::size_t &step) const;
    bool set_argument(LayerState &layer, const ast::Argument &argument);
    bool place_floating(LayerState &layer, const ast::Layer &ast);
    void grow(LayerState &layer);
    std::optional<std::uint64_t> evaluate(const LayerState &layer, ExprId id);
    bool misused(const ast::Layer &ast, const std::string &why);
    bool is_item(HeaderId id) const;
    const ListOf &list_of(HeaderId item) const;
    bool is_root(HeaderId tunnel, HeaderId header) const;
    bool stands_behind(HeaderId front, HeaderId header) const;
    std::optional<std::size_t> part_named(HeaderId header, const std::string &name) const;

    // Their fields: packet_fields.cpp.
    bool store(LayerState &layer, std::size_t index, ExprId value, Span span);
    void put(LayerState &layer, std::size_t index, u128 value);
    static std::size_t bit_of(const LayerState &layer, const Field &field, std::size_t index);
    bool select(std::size_t index);
    bool select_item(LayerState &layer);
    std::optional<std::pair<std::size_t, u128>> choice(PredId id) const;
    bool fill_defaults(std::size_t index, bool checksums);
    bool part_is_set(const LayerState &layer, std::size_t field) const;
    std::optional<std::uint64_t> computed_value(std::size_t index, ast::ExprId id, const Scope &scope);
    std::uint64_t checksum_of(std::size_t index, const ast::Call &call, const Scope &scope);
    std::span<const std::byte> field_of(std::size_t index, const ast::Member &member, const Scope &scope);

    const Header &header_of(const LayerState &layer) const { return a_.unit_.headers[layer.header]; }
    // The last layer in front of `index` that is no item of a list.
    std::size_t in_front_of(std::size_t index) const;
    // Bytes that follow the layer.
    std::uint64_t behind(std::size_t index) const { return bytes_.size() - layers_[index].start - layers_[index].size; }

    Analyzer &a_;
    const Scope &scope_;
    Analyzer::Holes *holes_;
    std::vector<LayerState> layers_;
    std::vector<std::byte> bytes_;
};

} // namespace xdpf::sema
