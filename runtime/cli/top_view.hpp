// What `xdpf top` shows of two looks at the programs at work.
#pragma once

#include "runtime/cli/as_json.hpp"
#include "runtime/cli/terminal.hpp"
#include "runtime/observer.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

namespace xdpf::cli {

// A program now and at the look before; none: it is new.
class Pace {
public:
    Pace(const runtime::Observed &now, const runtime::Observation &before);

    [[nodiscard]] const runtime::Observed &now() const { return now_; }
    // Of what `count` gives of both; nothing where one of them has none.
    template <class Count> [[nodiscard]] std::optional<double> per_second(Count count) const
    {
        const std::optional<std::uint64_t> here = count(now_);
        const std::optional<std::uint64_t> there = before_ != nullptr ? count(*before_) : std::nullopt;
        if (!here || !there || seconds_ <= 0)
            return std::nullopt;
        return *here < *there ? 0 : static_cast<double>(*here - *there) / seconds_; // somebody set it back
    }
    // Of a socket's or a rule's count.
    template <class Count> [[nodiscard]] std::optional<double> of_socket(std::size_t index, Count count) const
    {
        return per_second([&](const runtime::Observed &look) -> std::optional<std::uint64_t> {
            const auto socket = std::ranges::find(look.sockets, now_.sockets[index].view.queue,
                                                  [](const auto &one) { return one.view.queue; });
            return socket == look.sockets.end() ? std::nullopt : std::optional<std::uint64_t>(count(*socket));
        });
    }
    [[nodiscard]] std::optional<double> of_rule(std::size_t index) const;

private:
    const runtime::Observed &now_;
    const runtime::Observed *before_ = nullptr;
    double seconds_ = 0;
};

// Lines as wide as they are; the head says when and how often.
[[nodiscard]] std::vector<Line> top_lines(const runtime::Observation &now, const runtime::Observation &before,
                                          std::chrono::milliseconds interval);
[[nodiscard]] Json top_json(const runtime::Observation &now, const runtime::Observation &before);

} // namespace xdpf::cli
