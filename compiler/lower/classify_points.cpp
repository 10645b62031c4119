// Rules that each compare the same fields with one number: a hash table (classify/points.hpp), looked into without a
// helper of the kernel's.
#include "compiler/classify/points.hpp"
#include "compiler/lower/run_writer.hpp"

#include <algorithm>
#include <bit>

namespace xdpf::lowering {
namespace {

constexpr std::size_t fewest_points = 24; // fewer are no faster than as a tree
constexpr std::size_t most_tables = 4;    // of one run: each costs what a lookup takes

// The fields that a rule compares with one number each; nothing where it does something else.
std::optional<std::vector<std::pair<sema::HeaderRef, std::size_t>>> shape_of(const RunRule &rule)
{
    std::vector<std::pair<sema::HeaderRef, std::size_t>> fields;
    for (const RunTest &test : rule.tests) {
        if (test.intervals.size() != 1 || test.intervals[0].first != test.intervals[0].last)
            return std::nullopt;
        fields.emplace_back(test.field.header, test.field.field);
    }
    std::ranges::sort(fields);
    const bool twice = std::ranges::adjacent_find(fields) != fields.end();
    return fields.empty() || twice ? std::nullopt : std::optional(std::move(fields));
}

} // namespace

std::vector<RunPart> split_points(const std::vector<const RunRule *> &rules)
{
    std::vector<RunPart> parts;
    std::optional<std::vector<std::pair<sema::HeaderRef, std::size_t>>> shape;
    for (const RunRule *rule : rules) {
        auto own = shape_of(*rule);
        if (parts.empty() || own != shape)
            parts.push_back({{}, own.has_value()});
        parts.back().rules.push_back(rule);
        shape = std::move(own);
    }
    std::vector<std::size_t> sizes;
    for (const RunPart &part : parts)
        sizes.push_back(part.points ? part.rules.size() : 0);
    std::ranges::sort(sizes, std::greater());
    const auto least = std::max(fewest_points, sizes.size() > most_tables ? sizes[most_tables] + 1 : 0);
    std::vector<RunPart> out;
    for (RunPart &part : parts) {
        part.points = part.points && part.rules.size() >= least;
        if (out.empty() || part.points || out.back().points)
            out.push_back(std::move(part));
        else
            std::ranges::move(part.rules, std::back_inserter(out.back().rules));
    }
    if (out.empty())
        out.emplace_back();
    return out;
}

// False where it cannot be; then nothing has been written.
bool RunWriter::write_points()
{
    if (!find_boxes())
        return false;
    const auto codes = codes_of_actions();
    if (!codes)
        return false;
    const auto shape = classify::shape_of(set_.largest);
    std::vector<classify::Point> points;
    for (const classify::Rule &rule : set_.rules) {
        classify::Point &point = points.emplace_back();
        point.key.resize(shape.words);
        for (std::size_t d = 0; d < rule.ranges.size(); ++d)
            point.key[shape.lanes[d].word] |= std::uint64_t{rule.ranges[d].first} << shape.lanes[d].shift;
        point.code = (*codes)[rule.action];
    }
    auto table = classify::build_points(points);
    if (!table)
        return false;
    note({.kind = RunForm::Kind::points,
          .rules = written_rules(),
          .fields = dimensions_.size(),
          .why = "they differ in nothing but numbers"});
    load_fields();
    class_ = e_.tables_.add(e_, {{}, {}, {}, std::move(table->bytes)});
    const auto code = start_decision();
    make_key();
    ir::ValueId joined;
    for (std::uint32_t w = 0; w < words_.size(); ++w) {
        const auto part = w == 0 ? words_[w] : e_.binary(ir::Op::mul, words_[w], e_.constant(classify::word_factor(w)));
        joined = joined.valid() ? e_.binary(ir::Op::bit_xor, joined, part) : part;
    }
    const auto first = e_.binary(ir::Op::mul, joined, e_.constant(table->seed));
    const auto second = e_.binary(ir::Op::mul, first, e_.constant(golden));
    const auto set = load_map(this->table({}), 0, 4);
    const auto begin = e_.binary(ir::Op::add, set, load_map(this->table(set), 4 * class_, 4));
    const auto size = classify::bucket_size(shape.words);
    for (const auto hash : {first, second}) {
        const auto number = e_.binary(ir::Op::shr, hash, 64 - table->bits, (std::uint64_t{1} << table->bits) - 1);
        const auto offset = e_.binary(ir::Op::shl, number, static_cast<std::uint64_t>(std::countr_zero(size)));
        e_.start(ask_bucket(this->table(e_.binary(ir::Op::add, begin, offset))));
    }
    e_.jump(edge_to(otherwise_));
    e_.start(decide_);
    dispatch(code);
    return true;
}

// Goes to the decision where the key is in the bucket; otherwise to the block that is returned.
ir::BlockId RunWriter::ask_bucket(ir::ValueId bucket)
{
    const auto words = static_cast<std::uint32_t>(words_.size());
    for (std::uint32_t place = 0; place < classify::bucket_places; ++place) {
        ir::ValueId differs;
        for (std::uint32_t w = 0; w < words; ++w) {
            const auto one = e_.binary(ir::Op::bit_xor, load_map(bucket, 8 * (place * words + w), 8), words_[w]);
            differs = differs.valid() ? e_.binary(ir::Op::bit_or, differs, one) : one;
        }
        const auto here = e_.new_block();
        const auto next = e_.new_block();
        e_.branch(ir::Cond::eq, differs, 0, e_.to(here), e_.to(next));
        e_.start(here);
        e_.jump({decide_, {load_map(bucket, classify::code_at(words, place), 4)}});
        e_.start(next);
    }
    return e_.block_;
}

} // namespace xdpf::lowering
