// Options that several commands have, and forms of options.
#pragma once

#include "runtime/attach.hpp"
#include "runtime/capture_writer.hpp"
#include "runtime/cli/arguments.hpp"
#include "runtime/cli/source.hpp"

#include <CLI/CLI.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace xdpf::cli {

template <class T> using Choices = std::vector<std::pair<std::string, T>>;

// An option that takes one of several words. `value` and `choices` must outlive the parsing.
template <class T> void add_choice(CLI::App &command, const std::string &name, T &value, const Choices<T> &choices,
                                   const std::string &help)
{
    std::vector<std::string> names;
    for (const auto &[text, meaning] : choices)
        names.push_back(text);
    const auto choose = [&value, &choices, name, names](const std::string &given) {
        for (const auto &[text, meaning] : choices)
            if (text == given) {
                value = meaning;
                return;
            }
        throw CLI::ValidationError(name, fmt::format("'{}' is none of {}", given, fmt::join(names, ", ")));
    };
    command.add_option_function<std::string>(name, choose, help)->option_text(fmt::format("{}", fmt::join(names, "|")));
}

// An option of the form NAME=VALUE, as often as one likes.
void add_assignments(CLI::App &command, const std::string &name, std::map<std::string, std::string> &into,
                     const std::string &form, const std::string &help);

// 10s, 500ms, 2m.
void add_duration(CLI::App &command, const std::string &name, std::optional<std::chrono::milliseconds> &into,
                  const std::string &help);

// The rules: a file, standard input, or -e; with --format and --backend. Its callback requires one of them.
void add_source(CLI::App &command, SourceOptions &options);
void add_backend(CLI::App &command, SourceOptions &options);
void need_backend(Backend backend);
void add_unoptimized(CLI::App &command, SourceOptions &options);
void add_rule_counters(CLI::App &command, SourceOptions &options);

// -w and what goes with it: -C, -G, -W, -U. check_files() refuses what does not go together.
void add_files(CLI::App &command, runtime::CaptureOptions &file, const std::string &help);
void check_files(const runtime::CaptureOptions &file);
[[nodiscard]] std::string at_least_one(const std::string &text); // what is wrong with it as a number

// -i, --mode.
void add_interface(CLI::App &command, std::string &interface, const std::string &help = "the interface");
void add_mode(CLI::App &command, runtime::Mode &mode);

} // namespace xdpf::cli
