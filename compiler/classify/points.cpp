#include "compiler/classify/points.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <map>
#include <utility>

namespace xdpf::classify {
namespace {

constexpr std::uint32_t nobody = UINT32_MAX;
constexpr std::size_t most_moves = 500; // of points that make room for another
constexpr unsigned tries = 8;           // with other seeds, before the table grows
constexpr unsigned most_growth = 4;     // to sixteen times of what should do

using Bucket = std::array<std::uint32_t, bucket_places>; // points

class Buckets {
public:
    Buckets(std::span<const Point> points, std::uint64_t seed, unsigned bits)
        : points_(points), seed_(seed), bits_(bits), buckets_(std::size_t{1} << bits)
    {
        for (Bucket &bucket : buckets_)
            bucket.fill(nobody);
    }

    bool put_all()
    {
        for (std::uint32_t i = 0; i < points_.size(); ++i)
            if (!put(i))
                return false;
        return true;
    }

    std::vector<std::byte> bytes(std::uint32_t words) const
    {
        std::vector<std::byte> out(buckets_.size() * bucket_size(words));
        for (std::size_t b = 0; b < buckets_.size(); ++b) {
            const std::uint32_t stranger = elsewhere(b);
            for (std::uint32_t place = 0; place < bucket_places; ++place) {
                const auto here = buckets_[b][place];
                const Point &point = points_[here != nobody ? here : stranger];
                const std::size_t at = b * bucket_size(words);
                for (std::uint32_t w = 0; w < words; ++w)
                    store(out, at + 8 * (place * words + w), point.key[w], 8);
                store(out, at + code_at(words, place), point.code, 4);
            }
        }
        return out;
    }

private:
    std::array<std::size_t, 2> buckets_of(std::uint32_t point) const
    {
        std::uint64_t joined = 0;
        for (std::uint32_t w = 0; w < points_[point].key.size(); ++w)
            joined ^= points_[point].key[w] * word_factor(w);
        const auto first = joined * seed_;
        return {first >> (64 - bits_), first * golden >> (64 - bits_)};
    }

    bool put(std::uint32_t point)
    {
        for (std::size_t move = 0; move < most_moves; ++move) {
            const auto where = buckets_of(point);
            for (const auto b : where)
                if (const auto free = std::ranges::find(buckets_[b], nobody); free != buckets_[b].end()) {
                    *free = point;
                    return true;
                }
            // Whoever has been there is put elsewhere.
            std::swap(point, buckets_[where[move % 2]][move / 2 % bucket_places]);
        }
        return false;
    }

    // A point that is looked for in other buckets; or one that is in this, which is found in its own place first.
    std::uint32_t elsewhere(std::size_t bucket) const
    {
        if (buckets_[bucket][0] != nobody)
            return buckets_[bucket][0];
        for (std::uint32_t point = 0;; ++point)
            if (const auto where = buckets_of(point); where[0] != bucket && where[1] != bucket)
                return point;
            else if (point + 1 == points_.size())
                return point; // it has its place in the other of its buckets, and says the same here
    }

    static void store(std::vector<std::byte> &out, std::size_t at, std::uint64_t number, std::size_t size)
    {
        for (std::size_t i = 0; i < size; ++i)
            out[at + i] = static_cast<std::byte>(number >> (8 * i));
    }

    std::span<const Point> points_;
    std::uint64_t seed_;
    unsigned bits_;
    std::vector<Bucket> buckets_;
};

std::vector<Point> distinct(std::span<const Point> points)
{
    std::map<std::vector<std::uint64_t>, bool> seen;
    std::vector<Point> out;
    for (const Point &point : points)
        if (seen.emplace(point.key, true).second)
            out.push_back(point);
    return out;
}

} // namespace

std::uint32_t bucket_size(std::uint32_t words) { return std::bit_ceil(code_at(words, bucket_places)); }

std::optional<PointTable> build_points(std::span<const Point> points)
{
    const auto all = distinct(points);
    const auto words = static_cast<std::uint32_t>(all.front().key.size());
    constexpr double fullest = 0.85;
    const auto least = static_cast<std::size_t>(static_cast<double>(all.size()) / bucket_places / fullest) + 1;
    const auto fewest = std::max(1U, static_cast<unsigned>(std::bit_width(least)));
    for (auto bits = fewest; bits < fewest + most_growth; ++bits)
        for (std::uint64_t attempt = 0; attempt < tries; ++attempt) {
            const auto seed = golden + 2 * attempt * 0x632be59bd9b4e019;
            if (Buckets buckets(all, seed, bits); buckets.put_all())
                return PointTable{seed, bits, buckets.bytes(words)};
        }
    return std::nullopt;
}

} // namespace xdpf::classify
