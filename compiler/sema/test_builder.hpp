// One test block on its way to data; private to tests.cpp (packets, surroundings) and expectations.cpp.
#pragma once

#include "compiler/sema/analyzer.hpp"

#include <set>

namespace xdpf::sema {

class TestBuilder {
public:
    TestBuilder(Analyzer &analyzer, const ast::File &file, const ast::Test &test)
        : a_(analyzer), test_(test), scope_{&file}, out_{.name = test.name, .span = test.name_span}
    {
    }
    // Nothing where something was reported.
    std::optional<TestImage> build();

private:
    TestGroup &group() { return out_.groups.back(); }
    [[nodiscard]] bool has_packets() const;
    bool choose_program();
    bool statement(const ast::PacketStatement &statement);
    bool statement(const ast::WithStatement &statement);
    bool statement(const ast::ExpectStatement &statement);
    void next_group();
    [[nodiscard]] bool is_damaged() const;
    bool is_complete();
    bool bad(Span span, const std::string &why, const std::string &help = "");

    // tests.cpp
    std::optional<std::vector<std::vector<std::byte>>> packets(const ast::PacketStatement &statement);
    std::optional<std::uint32_t> times(const ast::PacketStatement &statement);
    std::optional<bool> with_surroundings(const ast::WithStatement &statement); // nothing: it is none of them
    std::optional<std::uint64_t> number(const ast::WithStatement &statement, bool time, std::uint64_t most);
    [[nodiscard]] bool is_duration(ast::ExprId id) const;
    bool with_parameter(const ParamSymbol &symbol, const ast::WithStatement &statement);
    bool with_map(MapId map, const ast::WithStatement &statement);
    bool with_slots(MapId map, const ast::Set &set, TestContents &out);

    // expectations.cpp
    bool expect_action(ast::ActionId id);
    bool expect_xsk(const ast::Redirect &redirect, ExpectedVerdict &out);
    bool expect_slot(std::optional<ast::ExprId> slot, ExpectedVerdict &out);
    bool expect_redirect(const ast::RedirectTo &redirect, ExpectedVerdict &out);
    bool expect_record(const ast::Emit &emit, Span span);
    bool expect_sample(const ast::Sample &sample);
    bool no_record(MapId map, const ast::Set &set, Span span);
    bool expect_rule(const ast::ExpectRule &rule);
    bool expect_packet(const ast::PacketStatement &statement);
    bool expect_expression(ast::ExprId id);
    bool expect_condition(ast::ExprId id);
    // What an expression says of an entry: m[k] == v, k in m.
    struct EntryWritten {
        MapId map;
        std::vector<ast::ExprId> key;
        std::optional<ast::ExprId> value; // none: only whether it is there
        bool present = true;
    };
    std::optional<EntryWritten> entry_written(ast::ExprId id);
    [[nodiscard]] const MapId *map_of(ast::ExprId id);
    [[nodiscard]] bool asks_packet(ast::ExprId id);
    bool expect_entry(const EntryWritten &written, Span span);
    bool entry_value(const EntryWritten &written, ExpectedEntry &out);
    bool entry_fields(MapId map, const ast::Set &set, ExpectedEntry &out);
    void unknown_member(const MapSpec &spec, const ast::Argument &element);
    [[nodiscard]] bool asks_afresh(PredId id) const;
    [[nodiscard]] std::optional<MapId> map_named(const ast::Name &name) { return a_.map_named(name); }
    bool bad_expectation(Span span, const std::string &why, const std::string &help = "");
    bool add(decltype(Expectation::what) what);

    Analyzer &a_;
    const ast::Test &test_;
    const Scope scope_;
    TestImage out_;
    std::uint64_t runs_ = 0;             // packets, each as often as it runs
    std::set<std::string> set_in_group_; // names of `with`
    const ast::ExpectStatement *expecting_ = nullptr;
};

} // namespace xdpf::sema
