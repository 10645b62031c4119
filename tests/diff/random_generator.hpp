// What random_program() is made of; private to random_*.cpp.
#pragma once

#include "tests/diff/random_source.hpp"
#include "tests/diff/random_values.hpp"

#include <string>
#include <utility>
#include <vector>

namespace xdpf::diff {

// A type as it is declared, with what its values are.
struct Typed {
    std::string name; // of a field of a map's value, a let, a parameter; may be empty
    Type type = Type::number;
    unsigned bits = 64;
};

constexpr unsigned smallest_map = 8; // entries

struct RandomMap {
    std::string name;
    std::vector<Typed> key;
    std::vector<Typed> value;
    bool array = false;
    bool prefix = false;
    bool counts = false; // `count` may be said of it
};

class Generator {
public:
    explicit Generator(std::uint64_t seed) : random_(seed), values_(random_) {}

    Subject program();

private:
    // random_declarations.cpp
    void declarations();
    void group();
    void parameters();
    void definitions();
    void plain_sets();
    void state_map();
    void other_maps();
    std::string contents(const RandomMap &map);
    std::string type_text(const Typed &type);
    std::string type_list(const std::vector<Typed> &parts, bool named);
    Typed some_type(std::string name);

    // random_numbers.cpp: expressions
    FieldName field();
    FieldName field_of(Type type);
    std::string number(unsigned depth);
    std::string number_leaf(unsigned depth);
    std::string number_of_bits(unsigned bits, unsigned depth); // for storing
    std::string divisor();
    std::string value_of(const Typed &type, unsigned depth); // for storing
    std::string address(Type type, unsigned depth);
    std::string key_of(const RandomMap &map, unsigned depth, bool tuple = false);
    std::string read_map(Type type, unsigned depth); // empty: there is none

    // random_conditions.cpp
    std::string condition(unsigned size);
    std::string grouped(unsigned size) { return "(" + condition(size) + ")"; }
    std::string test();
    std::string rare_test();
    std::string field_test();
    std::string map_test();
    std::string chance_test();
    std::string two_fields();
    std::string arithmetic_test();
    std::string comparison();

    // random_actions.cpp
    std::string verdict();
    std::string plain_verdict();
    std::string redirect();
    std::string action(unsigned depth);
    std::string block(unsigned depth, bool decides);
    std::string step(unsigned depth);
    std::string count_step();
    std::string assign_step();
    std::string let_step();
    std::string rewrite_step();
    std::string tunnel_step();
    std::string record_step();
    std::string if_step(unsigned depth);

    // random_source.cpp
    std::string rules(std::uint64_t count, unsigned size);
    std::string rule(unsigned size, unsigned depth);
    static std::string indent(unsigned depth) { return std::string(depth * 4, ' '); }

    Random random_;
    Values values_;
    std::string head_; // declarations
    bool chance_ = false;
    bool has_xsks_ = false;
    bool chain_tested_ = false;
    unsigned big_steps_ = 0; // that make everything known about the packet unknown
    const FieldGroup *group_ = nullptr;
    std::vector<std::pair<std::string, std::string>> sets_; // map and key
    std::vector<RandomMap> maps_;
    std::vector<std::pair<std::string, Typed>> pushed_; // bloom filters, queues and stacks
    std::vector<std::string> blooms_;
    std::vector<std::string> rings_;
    std::vector<std::string> redirects_; // without `else`
    std::vector<std::string> programs_;
    std::vector<Typed> names_; // parameters, lets in scope, parameters of a definition
    std::vector<std::string> predicates_, numbers_, actions_, constant_sets_; // definitions: how they are used
};

} // namespace xdpf::diff
