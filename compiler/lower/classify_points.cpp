// Rules that each compare the same fields with one number: a hash table (classify/points.hpp), looked into without a
// helper of the kernel's.
#include "compiler/classify/points.hpp"
#include "compiler/lower/run_writer.hpp"

#include <bit>

namespace xdpf::lowering {

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
    const auto size = classify::bucket_size(shape.words);
    const auto buckets = stored(std::move(table->bytes));
    const auto code = start_decision();
    make_key();
    ir::ValueId joined;
    for (std::uint32_t w = 0; w < words_.size(); ++w) {
        const auto part = w == 0 ? words_[w] : e_.binary(ir::Op::mul, words_[w], e_.constant(classify::word_factor(w)));
        joined = joined.valid() ? e_.binary(ir::Op::bit_xor, joined, part) : part;
    }
    const auto first = e_.binary(ir::Op::mul, joined, e_.constant(table->seed));
    const auto second = e_.binary(ir::Op::mul, first, e_.constant(golden));
    for (const auto hash : {first, second}) {
        const auto number = e_.binary(ir::Op::shr, hash, 64 - table->bits, (std::uint64_t{1} << table->bits) - 1);
        const auto offset = e_.binary(ir::Op::shl, number, static_cast<std::uint64_t>(std::countr_zero(size)));
        e_.start(ask_bucket(inside(buckets, offset)));
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
