// A thread of its own that runs what it is given, one thing after another, always on the same CPU. What a function does
// to its thread (a network namespace) stays there.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

namespace xdpf::runtime {

class Worker {
public:
    Worker();
    Worker(const Worker &) = delete;
    Worker &operator=(const Worker &) = delete;
    ~Worker();

    // Runs `function` on the worker and waits for its result. From one caller at a time.
    template <class Function> std::invoke_result_t<Function> call(Function &&function)
    {
        std::optional<std::invoke_result_t<Function>> result;
        submit([&] { result.emplace(function()); });
        return std::move(*result);
    }
    // The CPU it runs on, as an index into per-CPU values.
    [[nodiscard]] unsigned cpu() const { return cpu_; }

private:
    void submit(std::function<void()> job);
    void work();

    std::mutex mutex_;
    std::condition_variable changed_;
    std::function<void()> job_;
    bool end_ = false;
    unsigned cpu_ = 0;
    std::thread thread_; // last: it uses the rest
};

} // namespace xdpf::runtime
