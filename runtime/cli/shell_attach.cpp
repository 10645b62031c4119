#include "runtime/cli/shell_attach.hpp"

#include "runtime/cli/origin.hpp"
#include "runtime/cli/run_summary.hpp"
#include "runtime/cli/shell_colour.hpp"
#include "runtime/run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <utility>

namespace xdpf::cli {
namespace {

using runtime::Error;
using runtime::Fd;
using runtime::Origin;
using runtime::Record;
using runtime::Result;
using runtime::RuleCount;
using runtime::RulePlace;
using runtime::RunCallbacks;
using runtime::SessionOptions;
using runtime::Summary;
using runtime::system_error;
using Parameters = std::map<std::string, std::string>;

constexpr std::size_t most_records = 1000; // that are kept

// What was said before of a parameter that is no longer declared is not about this program.
Parameters declared(const Parameters &all, const Image &image)
{
    Parameters out;
    for (const auto &[name, value] : all)
        if (std::ranges::find(image.parameters, name, &Parameter::name) != image.parameters.end())
            out.emplace(name, value);
    return out;
}

// Signals are for the thread that reads lines.
class NoSignals {
public:
    NoSignals()
    {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before_);
    }
    NoSignals(const NoSignals &) = delete;
    NoSignals &operator=(const NoSignals &) = delete;
    ~NoSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

private:
    sigset_t before_{};
};

} // namespace

// Counters make a program longer: where it is too long with them, it goes without.
ShellWork::Prepared ShellWork::prepare(const Session &session)
{
    auto compilation = session.compiled({.rule_counters = true, .verdict_counters = true});
    std::string warning;
    if (!compilation.ok()) {
        compilation = session.compiled({.rule_counters = true});
        warning = "verdicts are not counted: with that the program would be too large";
    }
    if (!compilation.ok()) {
        compilation = session.compiled({});
        warning = "neither rules nor verdicts are counted: with that the program would be too large";
    }
    Labels labels = labels_of(session, compilation);
    return {std::move(compilation), std::move(labels), std::move(warning)};
}

ShellWork::Labels ShellWork::labels_of(const Session &session, const Compilation &compilation)
{
    Labels labels;
    const auto &programs = compilation.image().programs;
    for (std::size_t program = 0; program < programs.size(); ++program)
        for (std::size_t rule = 0; rule < programs[program].rules.size(); ++rule) {
            const Span span = programs[program].rules[rule];
            Label label{.rule = session.entered(span), .text = "no rule matches"};
            if (label.rule)
                label.text = fmt::format("line {}: {}", label.rule->line, label.rule->text);
            else if (span.file != FileId(0)) {
                const RulePlace place = place_of(compilation.sources(), span);
                label.text = fmt::format("{}:{}: {}", place.file, place.line, place.text);
            }
            if (label.rule && label.rule->source != "<shell>")
                label.text = fmt::format("{}:{}: {}", label.rule->source, label.rule->line, label.rule->text);
            label.text = plain_text(std::move(label.text));
            labels.emplace(std::pair(program, rule), std::move(label));
        }
    return labels;
}

SessionOptions ShellWork::settings(const Prepared &prepared, const WorkOptions &options)
{
    SessionOptions out;
    out.interface = options.interface;
    out.program = options.program;
    out.mode = options.mode;
    out.parameters = declared(options.parameters, prepared.compilation.image());
    out.late_sockets = true;
    out.publish = Origin{"<shell>", {}};
    for (std::size_t program = 0; program < prepared.compilation.image().programs.size(); ++program) {
        const ProgramImage &image = prepared.compilation.image().programs[program];
        auto &rules = out.publish->rules.emplace_back();
        for (std::size_t rule = 0; image.rule_counters.valid() && rule < image.rules.size(); ++rule) {
            const Label &label = prepared.labels.at({program, rule});
            const auto place = place_of(prepared.compilation.sources(), image.rules[rule]);
            rules.push_back(label.rule ? RulePlace{label.rule->source, label.rule->line, label.rule->text} : place);
        }
    }
    return out;
}

SessionOptions ShellWork::settings(const Prepared &prepared) const
{
    WorkOptions options = options_;
    options.interface = interface();
    return settings(prepared, options);
}

Result<std::unique_ptr<ShellWork>> ShellWork::start(const Session &session, WorkOptions options)
{
    Prepared prepared = prepare(session);
    Result<runtime::Session> opened = runtime::Session::open(prepared.compilation.image(), settings(prepared, options));
    if (!opened)
        return std::unexpected(placed(std::move(opened.error()), prepared.compilation.sources()));
    std::unique_ptr<ShellWork> work(new ShellWork(std::move(*opened)));
    work->news_fd_ = Fd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!work->news_fd_)
        return std::unexpected(system_error("cannot start", "eventfd", errno));
    work->interface_ = options.interface;
    work->options_ = std::move(options);
    work->adopt(std::move(prepared));
    work->go_on();
    return work;
}

ShellWork::~ShellWork() { halt(); }

void ShellWork::adopt(Prepared prepared)
{
    warnings_ = session_.warnings();
    if (!prepared.warning.empty())
        warnings_.push_back(prepared.warning);
    labels_ = std::move(prepared.labels);
    older_ = false;
}

Result<std::vector<std::string>> ShellWork::replace(const Session &session, Parameters parameters)
{
    Prepared prepared = prepare(session);
    options_.parameters = std::move(parameters);
    halt();
    Result<std::vector<std::string>> kept = session_.replace(prepared.compilation.image(), settings(prepared));
    if (kept) {
        for (const RuleCount &count : session_.replaced_rule_counts()) {
            const auto label = labels_.find({count.program, count.rule});
            if (label == labels_.end() || !label->second.rule)
                continue;
            auto &[packets, bytes] = earlier_[label->second.rule->id];
            packets += count.packets;
            bytes += count.bytes;
        }
        adopt(std::move(prepared));
    } else {
        older_ = true;
        kept = std::unexpected(placed(std::move(kept.error()), prepared.compilation.sources()));
    }
    go_on();
    return kept;
}

Result<std::vector<RuleHits>> ShellWork::hits() const
{
    const Result<std::vector<RuleCount>> counts = session_.program().rule_counts();
    if (!counts)
        return std::unexpected(counts.error());
    std::vector<RuleHits> out;
    for (const RuleCount &count : *counts) {
        const Label &label = labels_.at({count.program, count.rule});
        RuleHits &one = out.emplace_back(RuleHits{label.rule, label.text, count.packets, count.bytes});
        const auto before = label.rule ? earlier_.find(label.rule->id) : earlier_.end();
        if (before != earlier_.end()) {
            one.packets += before->second.first;
            one.bytes += before->second.second;
        }
    }
    return out;
}

// ---- The thread ----------------------------------------------------------------------------------------------------

void ShellWork::receive()
{
    RunCallbacks callbacks;
    callbacks.packet = [this](std::uint32_t, std::span<std::byte> packet) {
        packets_.fetch_add(1, std::memory_order_relaxed);
        bytes_.fetch_add(packet.size(), std::memory_order_relaxed);
    };
    callbacks.record = [this](const Record &record) {
        records_.fetch_add(1, std::memory_order_relaxed);
        const std::scoped_lock lock(mutex_);
        new_records_.texts.push_back(to_text(record));
        if (new_records_.texts.size() > most_records) {
            new_records_.texts.pop_front();
            ++new_records_.gone;
        }
    };
    callbacks.link = [this](std::size_t, runtime::Session::Wake news) {
        const std::scoped_lock lock(mutex_);
        news_.push_back(link_text(interface_, session_, news));
        interface_ = session_.interface().name;
        tell();
    };
    Summary summary = runtime::run(session_, {}, callbacks);
    const std::scoped_lock lock(mutex_);
    if (summary.ended_by) {
        end_ = std::move(summary.ended_by);
        ended_ = true;
        tell();
    }
}

void ShellWork::go_on()
{
    {
        const std::scoped_lock lock(mutex_);
        if (ended_)
            return;
    }
    const NoSignals none;
    thread_ = std::thread([this] { receive(); });
}

void ShellWork::halt()
{
    if (!thread_.joinable())
        return;
    session_.stop();
    thread_.join();
}

Result<void> ShellWork::stop()
{
    halt();
    Result<void> detached = session_.detach();
    session_.receive([this](std::uint32_t, std::span<std::byte> packet) {
        ++packets_;
        bytes_ += packet.size();
    });
    return detached;
}

void ShellWork::tell()
{
    const std::uint64_t once = 1;
    (void)!write(news_fd_.get(), &once, sizeof once);
}

std::string ShellWork::interface() const
{
    const std::scoped_lock lock(mutex_);
    return interface_;
}

std::vector<std::string> ShellWork::take_news()
{
    std::uint64_t times = 0;
    (void)!read(news_fd_.get(), &times, sizeof times);
    const std::scoped_lock lock(mutex_);
    std::vector<std::string> out(news_.begin(), news_.end());
    news_.clear();
    return out;
}

ShellWork::Records ShellWork::take_records()
{
    const std::scoped_lock lock(mutex_);
    return std::exchange(new_records_, {});
}

std::optional<Error> ShellWork::take_end()
{
    const std::scoped_lock lock(mutex_);
    return std::exchange(end_, std::nullopt);
}

} // namespace xdpf::cli
