// The words that a completion has to choose from, by sort; private to the queries.
#pragma once

#include "compiler/query_names.hpp"

#include <initializer_list>
#include <string_view>
#include <vector>

namespace xdpf::query {

class Offer {
public:
    // Only what begins with `typed` is offered.
    Offer(const Names &names, std::string_view typed) : names_(names), typed_(typed) {}

    void add(std::string_view word, Role role, std::string_view detail = {});
    void sort(Sort sort, Role role); // all words of the table that are of this sort
    void keywords(std::initializer_list<std::string_view> all);
    using MapTest = bool (*)(MapKind);
    void maps(MapTest test);
    void programs();
    void headers();
    void unions();
    void definitions(bool actions); // of steps, or of everything else
    void constants();               // parameters, too
    // With `parts_by_name` the parts of fields, too, as a layer names them.
    void fields(const sema::Header &header, bool parts_by_name);
    void members_of(const Meaning &meaning); // what may stand behind its dot
    void types(bool in_map);                 // of what a map holds, or of fields
    void actions();
    void verdicts();
    void declarations();
    void operators(); // behind a complete operand

    // Each once, sorted.
    [[nodiscard]] std::vector<Candidate> take();

protected:
    const Names &names_;

private:
    static std::string head(const ast::Def &def);

    std::string_view typed_;
    std::vector<Candidate> out_;
};

} // namespace xdpf::query
