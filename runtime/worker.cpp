#include "runtime/worker.hpp"

#include <sched.h>

namespace xdpf::runtime {

Worker::Worker() : thread_(&Worker::work, this)
{
    cpu_ = call([] {
        const auto cpu = static_cast<unsigned>(sched_getcpu());
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(cpu, &only);
        (void)sched_setaffinity(0, sizeof only, &only);
        return cpu;
    });
}

Worker::~Worker()
{
    {
        const std::lock_guard lock(mutex_);
        end_ = true;
    }
    changed_.notify_all();
    thread_.join();
}

void Worker::submit(std::function<void()> job)
{
    std::unique_lock lock(mutex_);
    job_ = std::move(job);
    changed_.notify_all();
    changed_.wait(lock, [this] { return !job_; });
}

void Worker::work()
{
    std::unique_lock lock(mutex_);
    while (true) {
        changed_.wait(lock, [this] { return end_ || job_; });
        if (end_)
            return;
        job_();
        job_ = nullptr;
        changed_.notify_all();
    }
}

} // namespace xdpf::runtime
