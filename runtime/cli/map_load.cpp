// `xdpf map load`: entries from a file, in the form that files of a source's maps have.
#include "compiler/base/table_file.hpp"
#include "runtime/cli/as_json.hpp"
#include "runtime/cli/map_access.hpp"
#include "runtime/cli/source.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <set>

namespace xdpf::cli {
namespace {

using namespace xdpf::runtime;

constexpr std::size_t most_mistakes = 20; // that are told

struct NumberedLine {
    std::size_t number = 0; // from 1, in the file
    std::string_view text;
};

std::vector<NumberedLine> numbered_lines(std::string_view text)
{
    std::vector<NumberedLine> out;
    std::size_t number = 1;
    std::size_t counted = 0; // bytes
    for (const Line &line : lines_of(text)) {
        number += static_cast<std::size_t>(std::ranges::count(text.substr(counted, line.at - counted), '\n'));
        counted = line.at;
        out.push_back({number, line.text});
    }
    return out;
}

std::string joined(std::span<const std::string_view> words) { return fmt::format("{}", fmt::join(words, ", ")); }

// A line's values of the key, then of the value. Of arrays the index may be left out: it is the line's place then.
TextResult<Entry> read_line(const MapSpec &spec, std::string_view line, std::size_t place)
{
    std::vector<std::string_view> words = words_of(line);
    for (std::string_view &word : words)
        word = unquoted(word);
    const bool keyless = has(spec.kind, map_trait::keyless);
    const std::size_t keys = keyless ? 0 : spec.key.fields.size() - (has(spec.kind, map_trait::prefix) ? 1 : 0);
    const std::size_t values = has(spec.kind, map_trait::redirect) ? 1 : spec.value.fields.size();
    const bool by_place = has(spec.kind, map_trait::array) && words.size() == values;
    const std::size_t in_key = by_place ? 0 : keys;
    const bool only_key = spec.is_set && words.size() == keys;
    if (words.size() != in_key + values && !only_key)
        return std::unexpected(spec.is_set ? fmt::format("a line has a key of {}", keys)
                                           : fmt::format("a line has a key of {} and a value of {}", in_key, values));
    Entry entry{Bytes(), Bytes(spec.value.size)};
    const std::span all(words);
    if (!keyless) {
        auto key = read_key(spec, by_place ? std::to_string(place) : joined(all.first(in_key)));
        if (!key)
            return std::unexpected(std::move(key.error()));
        entry.key = std::move(*key);
    }
    if (only_key)
        return entry;
    if (has_targets(spec)) {
        auto value = read_map_value(Map(spec, -1), std::string(words[in_key]));
        if (!value)
            return std::unexpected(std::move(value.error().message));
        entry.value = std::move(*value);
        return entry;
    }
    for (std::size_t i = 0; i < values; ++i)
        if (auto read = read_field(spec.value.fields[i], words[in_key + i], entry.value); !read)
            return std::unexpected(std::move(read.error()));
    return entry;
}

// What is wrong with a file, each "FILE:LINE: why".
using Mistakes = std::vector<std::string>;

int report_mistakes(const MapSpec &spec, const Mistakes &mistakes, bool json)
{
    for (const std::string &mistake : mistakes)
        fmt::print(stderr, "{}\n", printable(mistake));
    Error error;
    error.stage = fmt::format("cannot load '{}'", spec.name);
    error.message = "nothing was changed";
    error.cause = mistakes.front();
    return report_failure(error, json);
}

std::expected<std::vector<Entry>, Mistakes> read_file(const MapSpec &spec, const std::string &file)
{
    const auto text = text_of(file);
    if (!text)
        return std::unexpected(Mistakes{fmt::format("{}: {}", file, text.error())});
    std::vector<Entry> out;
    Mistakes mistakes;
    std::map<Bytes, std::size_t, ByBytes> seen; // key, line
    const auto wrong = [&](std::size_t line, const std::string &why) {
        mistakes.push_back(fmt::format("{}:{}: {}", file, line, why));
    };
    for (const NumberedLine &line : numbered_lines(*text)) {
        auto entry = read_line(spec, line.text, out.size());
        if (!entry)
            wrong(line.number, entry.error());
        else if (const auto [first, fresh] = seen.emplace(entry->key, line.number); !fresh && !entry->key.empty())
            wrong(line.number, fmt::format("line {} has this key already", first->second));
        if (mistakes.size() == most_mistakes)
            break;
        out.push_back(entry ? std::move(*entry) : Entry());
    }
    if (mistakes.empty() && !has(spec.kind, map_trait::keyless) && out.size() > spec.max_entries)
        mistakes.push_back(fmt::format("{}: {} entries, and room for {}", file, out.size(), spec.max_entries));
    if (!mistakes.empty())
        return std::unexpected(std::move(mistakes));
    return out;
}

// The keys that are there and not in the file.
Result<std::vector<Bytes>> keys_to_delete(const Map &map, const std::vector<Entry> &wanted)
{
    const Result<std::vector<Entry>> there = map.entries();
    if (!there)
        return std::unexpected(there.error());
    std::set<Bytes, ByBytes> keep;
    for (const Entry &entry : wanted)
        keep.insert(entry.key);
    std::vector<Bytes> out;
    for (const Entry &entry : *there)
        if (says_something(map.spec(), entry.value) && !keep.contains(entry.key))
            out.push_back(entry.key);
    return out;
}

Result<void> put_all(const Map &map, const std::vector<Entry> &entries)
{
    for (std::size_t i = 0; i < entries.size(); ++i)
        if (Result<void> put = put_entry(map, entries[i]); !put) {
            put.error().message += fmt::format(", after {} of {} entries were put in", i, entries.size());
            return put;
        }
    return {};
}

Result<void> delete_all(const Map &map, const std::vector<Bytes> &keys)
{
    for (const Bytes &key : keys)
        if (Result<bool> deleted = map.erase(key); !deleted)
            return std::unexpected(std::move(deleted.error()));
    return {};
}

// New entries come first, so that none is missing meanwhile, unless there is no room for both.
Result<void> change(const Map &map, const std::vector<Entry> &wanted, const std::vector<Bytes> &unwanted)
{
    const bool room = unwanted.size() + wanted.size() <= map.spec().max_entries;
    if (!room)
        if (Result<void> deleted = delete_all(map, unwanted); !deleted)
            return deleted;
    if (Result<void> put = put_all(map, wanted); !put || !room)
        return put;
    return delete_all(map, unwanted);
}

} // namespace

int load_map(const MapLoadOptions &options)
{
    const bool json = options.map.json;
    const Result<Running> program = open_program(options.map);
    if (!program)
        return report_failure(program.error(), json);
    const Result<Map> map = find_map(*program, options.map.name);
    if (!map)
        return report_failure(map.error(), json);
    const MapSpec &spec = map->spec();
    if (spec.kind == MapKind::xskmap || has(spec.kind, map_trait::ring))
        return wrong_usage(
            fmt::format("'{}' is a {}, which cannot be loaded from a file", spec.name, name_of(spec.kind)), json);
    if (options.replace && has(spec.kind, map_trait::keyless))
        return wrong_usage(fmt::format("'{}' is a {}, whose entries cannot be replaced", spec.name, name_of(spec.kind)),
                           json);
    const auto wanted = read_file(spec, options.file);
    if (!wanted)
        return report_mistakes(spec, wanted.error(), json);
    const Result<std::vector<Bytes>> unwanted =
        options.replace ? keys_to_delete(*map, *wanted) : Result<std::vector<Bytes>>();
    if (!unwanted)
        return report_failure(unwanted.error(), json);
    if (Result<void> changed = change(*map, *wanted, *unwanted); !changed)
        return report_failure(changed.error(), json);
    if (json)
        fmt::print("{}", on_one_line({{"map", spec.name}, {"loaded", wanted->size()}, {"deleted", unwanted->size()}}));
    else
        fmt::print("{}: {} entries loaded{}\n", spec.name, wanted->size(),
                   options.replace ? fmt::format(", {} deleted", unwanted->size()) : "");
    return exit_ok;
}

} // namespace xdpf::cli
