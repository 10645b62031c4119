#include "compiler/classify/intervals.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>
#include <utility>

namespace xdpf::classify {
namespace {

constexpr std::size_t largest_table = std::size_t{1} << 26;
constexpr unsigned most_direct_bits = 16; // of a number whose values have an entry each
constexpr std::size_t cache_line = 64;

// How the bits of a number are divided.
struct Layout {
    unsigned first;      // bits of the first level
    unsigned next;       // of each other
    std::uint32_t words; // of a leaf
};

// What is asked of a table is half of the time any number, and half of the time one in any of the intervals.
class Traffic {
public:
    Traffic(std::span<const Interval> flat, unsigned bits)
        : flat_(flat), each_number_(0.5 / static_cast<double>(std::uint64_t{1} << bits)),
          each_interval_(0.5 / static_cast<double>(flat.size()))
    {
    }

    double share(std::uint64_t first, std::uint64_t last, std::size_t from, std::size_t to) const
    {
        double out = each_number_ * static_cast<double>(last - first + 1);
        for (std::size_t i = from; i < to; ++i) {
            const auto begin = std::max<std::uint64_t>(first, flat_[i].first);
            const auto end = std::min<std::uint64_t>(last, flat_[i].last);
            const auto size = std::uint64_t{flat_[i].last} - flat_[i].first + 1;
            out += each_interval_ * static_cast<double>(end - begin + 1) / static_cast<double>(size);
        }
        return out;
    }

private:
    std::span<const Interval> flat_;
    double each_number_;
    double each_interval_;
};

class TableBuilder {
public:
    TableBuilder(std::span<const Interval> flat, unsigned bits, const Layout &layout) : flat_(flat)
    {
        table_.leaf_words = layout.words;
        const auto code = std::ranges::max(flat, {}, &Interval::code).code;
        table_.code_bytes = code <= UINT8_MAX ? 1 : code <= UINT16_MAX ? 2 : 4;
        const auto used = table_.codes_at() + table_.code_bytes * (table_.most_ends() + 1);
        leaf_size_ = used > cache_line / 2 && used <= cache_line ? cache_line : (used + 7) / 8 * 8;
        const unsigned below = bits - layout.first;
        below_ = (std::uint64_t{1} << below) - 1;
        table_.levels.push_back({below, layout.first});
        for (unsigned left = below; left > 0; left = table_.levels.back().shift)
            table_.levels.push_back({left - std::min(left, layout.next), std::min(left, layout.next)});
        weights_.resize(table_.levels.size());
    }

    // Nanoseconds of a lookup, about.
    double plan(const Traffic &traffic)
    {
        plan_level(traffic, 0, 0, 0, flat_.size());
        while (weights_.back().asked == 0) {
            weights_.pop_back();
            table_.levels.pop_back();
        }
        double out = 0;
        double leaf = 0;
        for (std::size_t i = 0; i < table_.levels.size(); ++i) {
            const auto &level = table_.levels[i];
            const Weight &weight = weights_[i];
            const std::size_t bytes = (weight.nodes * table_.entry_bytes(level)) << level.bits;
            size_ += std::max<std::size_t>(bytes, 8 * weight.nodes);
            out += weight.asked * (1 + load_time(bytes));
            if (level.has_levels) // which way it is, the processor guesses
                out += 12 * std::min(weight.deeper, weight.asked - weight.deeper);
            if (level.has_leaves)
                leaf += weight.asked - weight.deeper;
        }
        size_ += leaves_ * leaf_size_;
        return out + leaf * (1.5 + 0.6 * table_.leaf_words + load_time(leaves_ * leaf_size_));
    }

    IntervalTable build()
    {
        table_.bytes.reserve(size_);
        put_level(0, 0, 0, flat_.size());
        return std::move(table_);
    }

    std::size_t size() const { return size_; }

private:
    struct Weight { // of a level
        double asked = 0;
        double deeper = 0; // of those
        std::size_t nodes = 0;
    };

    // As measured where the loads of several packets overlap: caches of 32 KiB and 1 MiB.
    static double load_time(std::size_t bytes)
    {
        constexpr double near = 16 * 1024;
        constexpr double far = 512 * 1024;
        const auto size = std::max(near, static_cast<double>(bytes));
        return 0.5 + 0.5 * std::log2(std::min(size, far) / near) + (size > far ? 5 * std::log2(size / far) : 0);
    }

    // Calls use(entry, its first number, its intervals' bounds) for each entry of the level that begins with a number.
    template <class F> void for_each_entry(const IntervalTable::Level &level, std::uint64_t begin, std::size_t from,
                                           std::size_t to, F use) const
    {
        for (std::size_t i = 0; i < std::size_t{1} << level.bits; ++i) {
            const std::uint64_t first = begin + (i << level.shift);
            while (flat_[from].last < first)
                ++from;
            auto end = from + 1;
            while (end < to && flat_[end].first <= last_of(level, first))
                ++end;
            use(i, first, from, end);
        }
    }
    static std::uint64_t last_of(const IntervalTable::Level &level, std::uint64_t first)
    {
        return first + (std::uint64_t{1} << level.shift) - 1;
    }

    void plan_level(const Traffic &traffic, std::size_t number, std::uint64_t begin, std::size_t from, std::size_t to)
    {
        IntervalTable::Level &level = table_.levels[number];
        ++weights_[number].nodes;
        for_each_entry(level, begin, from, to, [&](std::size_t, std::uint64_t first, std::size_t one, std::size_t end) {
            const double share = traffic.share(first, last_of(level, first), one, end);
            weights_[number].asked += share;
            if (end - one - 1 > table_.most_ends()) {
                weights_[number].deeper += share;
                level.has_levels = true;
                plan_level(traffic, number + 1, first, one, end);
            } else if (end - one > 1) {
                ++leaves_;
                level.has_leaves = true;
            }
        });
    }

    std::uint32_t put_level(std::size_t number, std::uint64_t begin, std::size_t from, std::size_t to)
    {
        const IntervalTable::Level &level = table_.levels[number];
        const std::size_t size = table_.entry_bytes(level);
        const auto place = room(std::max<std::size_t>(8, size << level.bits));
        for_each_entry(level, begin, from, to,
                       [&](std::size_t i, std::uint64_t first, std::size_t one, std::size_t end) {
                           std::uint32_t entry = 0;
                           if (end - one - 1 > table_.most_ends())
                               entry = put_level(number + 1, first, one, end) - to_level;
                           else if (level.has_leaves)
                               entry = end - one > 1 ? put_leaf(one, end) : leaf_of(one);
                           else
                               entry = level.has_levels ? flat_[one].code << 1 : flat_[one].code;
                           store(place + size * i, entry, size);
                       });
        return place;
    }

    // Where there is but one answer: the same leaf everywhere, so that the processor need not guess which sort it is.
    std::uint32_t leaf_of(std::size_t interval)
    {
        const auto [at, is_new] = plain_leaves_.try_emplace(flat_[interval].code);
        if (is_new)
            at->second = put_leaf(interval, interval + 1);
        return at->second;
    }

    std::uint32_t put_leaf(std::size_t from, std::size_t to)
    {
        const auto place = room(leaf_size_);
        const std::size_t ends = to - from - 1;
        for (std::size_t w = 0; w < table_.leaf_words; ++w) {
            std::uint64_t word = guard_bits;
            for (std::size_t lane = 0; lane < lanes; ++lane) {
                const std::size_t i = w * lanes + lane;
                const std::uint64_t last = i < ends ? flat_[from + i].last & below_ : below_;
                word |= last << (lane * lane_bits);
            }
            store(place + 8 * w, word, 8);
        }
        for (std::size_t beyond = 0; beyond <= table_.most_ends(); ++beyond) {
            const std::size_t at = table_.codes_at() + table_.code_bytes * (table_.most_ends() - beyond);
            store(place + at, flat_[from + std::min(beyond, ends)].code, table_.code_bytes);
        }
        return place;
    }

    std::uint32_t room(std::size_t size)
    {
        const auto place = table_.bytes.size();
        table_.bytes.resize(place + size);
        return static_cast<std::uint32_t>(place);
    }

    void store(std::size_t at, std::uint64_t number, std::size_t size)
    {
        for (std::size_t i = 0; i < size; ++i)
            table_.bytes[at + i] = static_cast<std::byte>(number >> (8 * i));
    }

    std::span<const Interval> flat_;
    IntervalTable table_;
    std::vector<Weight> weights_; // by level
    std::size_t leaves_ = 0;
    std::size_t size_ = 0;
    std::size_t leaf_size_ = 0;
    std::uint64_t below_ = 0;                             // the bits of a number that the first level leaves
    std::map<std::uint32_t, std::uint32_t> plain_leaves_; // by code
};

} // namespace

std::vector<Interval> flatten(std::span<const Interval> rules, std::uint32_t largest, std::uint32_t otherwise)
{
    std::vector<std::uint32_t> by_first(rules.size());
    std::vector<std::uint64_t> begins{0};
    for (std::uint32_t i = 0; i < rules.size(); ++i) {
        by_first[i] = i;
        begins.push_back(rules[i].first);
        begins.push_back(std::uint64_t{rules[i].last} + 1);
    }
    std::ranges::sort(by_first, {}, [&](std::uint32_t i) { return rules[i].first; });
    std::ranges::sort(begins);
    std::priority_queue<std::uint32_t, std::vector<std::uint32_t>, std::greater<>> open; // the first rule on top
    std::vector<Interval> out;
    auto next = by_first.begin();
    for (const std::uint64_t begin : begins) {
        if (begin > largest)
            break;
        for (; next != by_first.end() && rules[*next].first <= begin; ++next)
            open.push(*next);
        while (!open.empty() && rules[open.top()].last < begin)
            open.pop();
        const std::uint32_t code = open.empty() ? otherwise : rules[open.top()].code;
        if (!out.empty() && out.back().code == code)
            continue;
        const auto first = static_cast<std::uint32_t>(begin);
        if (!out.empty())
            out.back().last = first - 1;
        out.push_back({first, largest, code});
    }
    return out;
}

std::optional<IntervalTable> build_intervals(std::span<const Interval> flat, unsigned bits)
{
    std::vector<Layout> layouts;
    if (bits <= most_direct_bits)
        layouts.push_back({bits, 1, 1});
    else
        for (const unsigned first : {12U, 14U, 16U})
            for (const unsigned next : {4U, 8U})
                for (const std::uint32_t words : {1U, 2U, 3U})
                    layouts.push_back({first, next, words});
    static_assert(32 - 12 < lane_bits);
    const Traffic traffic(flat, bits);
    std::optional<TableBuilder> best;
    double least = 0;
    for (const Layout &layout : layouts) {
        TableBuilder builder(flat, bits, layout);
        const double time = builder.plan(traffic);
        if (builder.size() <= largest_table && (!best || time < least)) {
            best.emplace(std::move(builder));
            least = time;
        }
    }
    return best ? std::optional(best->build()) : std::nullopt;
}

} // namespace xdpf::classify
