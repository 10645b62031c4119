// match from "acl.csv": the first line names the columns, each line behind it is a rule. A column is a field
// (tcp.dport), or one of an access list: src, dst, proto, sport, dport, verdict. An empty cell, `*` and `any` match
// everything; a cell of several values has | between them, a range is 1024-65535.
#include "compiler/sema/analyzer.hpp"
#include "compiler/sema/table_file.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <charconv>

namespace xdpf::sema {
namespace {

constexpr std::size_t most_mistakes_shown = 20;

enum class Role : std::uint8_t {
    field,
    source,
    destination,
    protocol,
    source_port,
    destination_port,
    verdict,
    ignored
};

constexpr std::array<std::pair<std::string_view, Role>, 18> roles{{{"src", Role::source},
                                                                   {"source", Role::source},
                                                                   {"dst", Role::destination},
                                                                   {"destination", Role::destination},
                                                                   {"proto", Role::protocol},
                                                                   {"protocol", Role::protocol},
                                                                   {"sport", Role::source_port},
                                                                   {"dport", Role::destination_port},
                                                                   {"verdict", Role::verdict},
                                                                   {"action", Role::verdict},
                                                                   {"rule", Role::ignored},
                                                                   {"id", Role::ignored},
                                                                   {"number", Role::ignored},
                                                                   {"name", Role::ignored},
                                                                   {"comment", Role::ignored},
                                                                   {"remark", Role::ignored},
                                                                   {"description", Role::ignored},
                                                                   {"note", Role::ignored}}};

constexpr std::array<std::pair<std::string_view, std::uint32_t>, 4> verdicts{
    {{"pass", XDP_PASS}, {"drop", XDP_DROP}, {"abort", XDP_ABORTED}, {"tx", XDP_TX}}};

bool is_any(std::string_view cell) { return cell.empty() || cell == "*" || cell == "any"; }

struct Cell {
    std::string_view text;
    Span span;
};

struct Column {
    Role role = Role::ignored;
    HeaderRef header;      // of a field
    std::size_t field = 0; // of a field
    std::string name;
};

} // namespace

class RulesFile {
public:
    RulesFile(Analyzer &analyzer, const ast::Rule &ast, std::string name)
        : a_(analyzer), ast_(ast), name_(std::move(name))
    {
    }

    std::optional<Rule> read()
    {
        auto text = text_of(name_);
        if (!text) {
            a_.diagnostics_.report(Kind::cannot_read, ast_.from_span, name_, text.error());
            return std::nullopt;
        }
        file_ = a_.sources_.add(name_, std::move(*text));
        const auto lines = lines_of(a_.sources_.text(file_));
        if (lines.empty()) {
            bad(ast_.from_span, "the file is empty")
                .suggest("its first line names the columns: src,dst,proto,sport,dport,verdict");
            return std::nullopt;
        }
        if (!columns(lines.front()))
            return std::nullopt;
        table_.file = name_;
        mixed_ = std::ranges::any_of(lines, [&](const Line &line) { return has_ipv6(line); });
        std::vector<Rule> rules;
        std::size_t mistakes = 0;
        for (std::size_t i = 1; i < lines.size(); ++i) {
            if (row(lines[i], rules))
                continue;
            if (++mistakes == most_mistakes_shown && i + 1 < lines.size()) {
                bad(ast_.from_span,
                    fmt::format("so many lines are wrong that the last {} were not read", lines.size() - i - 1));
                break;
            }
        }
        Rule out{.body = std::move(rules), .head = ast_.head};
        describe();
        out.table = std::move(table_);
        return mistakes == 0 ? std::optional(std::move(out)) : std::nullopt;
    }

private:
    Diagnostic &bad(Span span, const std::string &why)
    {
        return a_.diagnostics_.report(Kind::bad_rules_file, span, std::filesystem::path(name_).filename().string(),
                                      why);
    }

    std::vector<Cell> cells(const Line &line) const
    {
        std::vector<Cell> out;
        for (std::size_t begin = 0; begin <= line.text.size();) {
            const auto end = std::min(line.text.find(',', begin), line.text.size());
            const auto word = trimmed(line.text.substr(begin, end - begin));
            const auto offset = word.empty() ? begin : static_cast<std::size_t>(word.data() - line.text.data());
            const auto at = line.at + static_cast<std::uint32_t>(offset);
            out.push_back({word, {file_, at, at + static_cast<std::uint32_t>(word.size())}});
            begin = end + 1;
        }
        return out;
    }

    bool columns(const Line &line)
    {
        bool good = true;
        for (const Cell &cell : cells(line)) {
            Column column{.name = std::string(cell.text)};
            const auto found = std::ranges::find(roles, cell.text, &std::pair<std::string_view, Role>::first);
            if (found != roles.end())
                column.role = found->second;
            else
                good = field_column(cell, column) && good;
            columns_.push_back(std::move(column));
        }
        const auto has = [&](Role role) { return std::ranges::find(columns_, role, &Column::role) != columns_.end(); };
        if (good && !has(Role::verdict)) {
            const auto first = cells(line).front().span;
            bad({file_, first.begin, first.begin + static_cast<std::uint32_t>(line.text.size())},
                "no column is called 'verdict'")
                .suggest("src,dst,proto,sport,dport,verdict");
            return false;
        }
        return good;
    }

    bool field_column(const Cell &cell, Column &column)
    {
        const auto dot = cell.text.find('.');
        if (dot == std::string_view::npos) {
            std::vector<std::string> names;
            for (const auto &[name, role] : roles)
                names.emplace_back(name);
            bad(cell.span, fmt::format("there is no column '{}'", cell.text))
                .suggest(did_you_mean(std::string(cell.text), names));
            return false;
        }
        const auto header = a_.header_named({std::string(cell.text.substr(0, dot)), cell.span});
        if (!header)
            return false;
        const auto value = a_.field_value({*header}, std::string(cell.text.substr(dot + 1)), cell.span, cell.span);
        const auto *of = value ? std::get_if<FieldValue>(&a_.unit_.exprs[*value].node) : nullptr;
        if (of == nullptr) {
            if (value)
                bad(cell.span, fmt::format("'{}' is no field of a header", cell.text));
            return false;
        }
        column.role = Role::field;
        column.header = of->header;
        column.field = of->field;
        return true;
    }

    bool has_ipv6(const Line &line) const
    {
        const auto row = cells(line);
        for (std::size_t i = 0; i < row.size() && i < columns_.size(); ++i)
            if ((columns_[i].role == Role::source || columns_[i].role == Role::destination) &&
                row[i].text.find(':') != std::string_view::npos)
                return true;
        return false;
    }

    // One line: a rule, or, where only a part of it depends on the header, one for each header.
    bool row(const Line &line, std::vector<Rule> &out)
    {
        const auto row = cells(line);
        if (row.size() != columns_.size()) {
            bad({file_, line.at, line.at + static_cast<std::uint32_t>(line.text.size())},
                fmt::format("this line has {}, the first one has {}", counted(row.size(), "cell"), columns_.size()));
            return false;
        }
        Rule rule{.body = Action{}, .head = {file_, line.at, line.at + static_cast<std::uint32_t>(line.text.size())}};
        tests_.clear();
        std::optional<HeaderId> protocol;
        bool good = true;
        bool addressed = false;
        for (std::size_t i = 0; i < row.size(); ++i) // the ports' header is the row's protocol
            if (columns_[i].role == Role::protocol && !is_any(row[i].text))
                good = protocol_of(row[i], protocol) && good;
        if (!good)
            return false;
        for (std::size_t i = 0; i < row.size(); ++i)
            good = cell(columns_[i], row[i], protocol, addressed, std::get<Action>(rule.body)) && good;
        if (!good)
            return false;
        if (protocol)
            tests_.push_back(a_.add(Pred{Present{{*protocol}}, rule.head}));
        if (!addressed && !mixed_ && is_access_list())
            if (const auto ipv4 = header_called("ipv4"))
                tests_.push_back(a_.add(Pred{Present{{*ipv4}}, rule.head}));
        for (const PredId test : tests_)
            rule.predicate = rule.predicate ? a_.add(Pred{And{*rule.predicate, test}, rule.head}) : test;
        out.push_back(std::move(rule));
        return true;
    }

    bool is_access_list() const
    {
        return std::ranges::any_of(columns_, [](const Column &column) {
            return column.role == Role::source || column.role == Role::destination;
        });
    }

    std::optional<HeaderId> header_called(std::string_view name) const
    {
        for (std::size_t i = 0; i < a_.unit_.headers.size(); ++i)
            if (a_.unit_.headers[HeaderId(i)].name == name)
                return HeaderId(i);
        return std::nullopt;
    }

    bool protocol_of(const Cell &cell, std::optional<HeaderId> &out)
    {
        out = a_.header_named({std::string(cell.text), cell.span});
        return out.has_value();
    }

    bool cell(const Column &column, const Cell &cell, std::optional<HeaderId> protocol, bool &addressed, Action &action)
    {
        if (column.role == Role::ignored || column.role == Role::protocol)
            return true;
        if (column.role == Role::verdict)
            return verdict(cell, action);
        if (is_any(cell.text))
            return true;
        switch (column.role) {
        case Role::source:
        case Role::destination: {
            addressed = true;
            const bool ipv6 = cell.text.find(':') != std::string_view::npos;
            const auto header = header_called(ipv6 ? "ipv6" : "ipv4");
            return header && test({*header}, column.role == Role::source ? "src" : "dst", cell);
        }
        case Role::source_port:
        case Role::destination_port:
            if (!protocol) {
                bad(cell.span, "a port, and no protocol that it is of").suggest("tcp or udp in the column 'proto'");
                return false;
            }
            return test({*protocol}, column.role == Role::source_port ? "sport" : "dport", cell);
        default: return test(column.header, column.field, cell);
        }
    }

    bool verdict(const Cell &cell, Action &action)
    {
        action.decision = Decision{.span = cell.span};
        if (cell.text == "xsk") {
            action.decision->redirect = xskmap(cell.span);
            return true;
        }
        const auto found = std::ranges::find(verdicts, cell.text, &std::pair<std::string_view, std::uint32_t>::first);
        if (found == verdicts.end()) {
            bad(cell.span, fmt::format("'{}' is no verdict: pass, drop, abort, tx, xsk", cell.text))
                .suggest(did_you_mean(std::string(cell.text), {"pass", "drop", "abort", "tx", "xsk"}));
            return false;
        }
        action.decision->verdict = found->second;
        return true;
    }

    MapId xskmap(Span span)
    {
        if (!table_.xskmap.valid())
            table_.xskmap = a_.default_xskmap(span);
        return table_.xskmap;
    }

    bool test(HeaderRef header, std::string_view field, const Cell &cell)
    {
        const auto found = a_.find_field(header.header, field);
        if (!found) {
            bad(cell.span, fmt::format("'{}' has no field '{}'", a_.unit_.headers[header.header].name, field));
            return false;
        }
        return test(header, *found, cell);
    }

    bool test(HeaderRef header, std::size_t number, const Cell &cell)
    {
        const Field &field = a_.unit_.headers[header.header].fields[number];
        std::vector<Interval> intervals;
        for (std::size_t begin = 0; begin <= cell.text.size();) {
            const auto end = std::min(cell.text.find('|', begin), cell.text.size());
            const auto part = trimmed(cell.text.substr(begin, end - begin));
            begin = end + 1;
            const auto one = interval(field, part, cell.span);
            if (!one)
                return false;
            intervals.push_back(*one);
        }
        const auto value = a_.add(Expr{field.type, field.bits, FieldValue{header, number}, cell.span});
        tests_.push_back(a_.add(Pred{InSet{value, normalised(std::move(intervals))}, cell.span}));
        met_.emplace_back(header, number);
        return true;
    }

    std::optional<Interval> interval(const Field &field, std::string_view text, Span span)
    {
        const auto dash = field.type == ValueType::number ? text.find('-') : std::string_view::npos;
        const auto first = bound(field, text.substr(0, dash), span);
        if (!first || dash == std::string_view::npos)
            return first;
        const auto last = bound(field, text.substr(dash + 1), span);
        if (last && last->last < first->first) {
            bad(span, fmt::format("the range {} is empty", text));
            return std::nullopt;
        }
        return last ? std::optional(Interval{first->first, last->last}) : std::nullopt;
    }

    std::optional<Interval> bound(const Field &field, std::string_view text, Span span)
    {
        const auto literal = literal_of(trimmed(text));
        const bool digits = !literal.text.empty() && literal.text[0] >= '0' && literal.text[0] <= '9';
        if (literal.kind == ast::Literal::Kind::integer && !digits) {
            bad(span, fmt::format("'{}' is no number and no address", text));
            return std::nullopt;
        }
        const auto read = read_literal(literal, span, a_.diagnostics_);
        if (!read)
            return std::nullopt;
        if (read->type != field.type || (field.bits < 128 && read->last >> field.bits != 0)) {
            bad(span, read->type != field.type ? fmt::format("'{}' is no value of '{}'", text, field.name)
                                               : fmt::format("{} does not fit into {} bits", text, field.bits));
            return std::nullopt;
        }
        return Interval{read->first, read->last};
    }

    void note(HeaderRef header, std::size_t field)
    {
        if (std::ranges::find(table_.fields, std::pair(header, field)) == table_.fields.end())
            table_.fields.emplace_back(header, field);
    }

    void note(HeaderRef header)
    {
        if (std::ranges::find(table_.headers, header) == table_.headers.end())
            table_.headers.push_back(header);
    }

    // What the columns can be about, whether or not a line is: a set that replaces this one may have such lines.
    void describe()
    {
        const auto field = [&](std::string_view header, std::string_view name) {
            if (const auto id = header_called(header))
                if (const auto found = a_.find_field(*id, name))
                    note({*id}, *found);
        };
        const bool protocols = std::ranges::find(columns_, Role::protocol, &Column::role) != columns_.end();
        for (const Column &column : columns_) {
            const bool port = column.role == Role::source_port || column.role == Role::destination_port;
            const std::string_view name = column.role == Role::source || column.role == Role::source_port ? "s" : "d";
            if (column.role == Role::field)
                note(column.header, column.field);
            else if (port)
                for (const std::string_view header : {"tcp", "udp"})
                    field(header, fmt::format("{}port", name));
            else if (column.role == Role::source || column.role == Role::destination)
                field("ipv4", name == "s" ? "src" : "dst");
        }
        if (protocols)
            for (const std::string_view header : {"tcp", "udp", "icmp"})
                if (const auto id = header_called(header))
                    note({*id});
        // Then what the lines name besides, in an order that does not depend on theirs.
        std::ranges::sort(met_);
        for (const auto &[header, number] : met_)
            note(header, number);
        for (const auto &[header, number] : table_.fields)
            note(header);
        (void)xskmap(ast_.head);
    }

    Analyzer &a_;
    const ast::Rule &ast_;
    std::string name_;
    FileId file_;
    std::vector<Column> columns_;
    bool mixed_ = false; // addresses of both IP versions
    std::vector<PredId> tests_;
    std::vector<std::pair<HeaderRef, std::size_t>> met_; // fields of all lines
    RuleTable table_;
};

std::optional<Rule> Analyzer::rules_from(const ast::Rule &ast, const ast::File &file)
{
    const auto beside = std::filesystem::path(sources_.name(file.file)).parent_path() / ast.from->value;
    return RulesFile(*this, ast, beside.string()).read();
}

} // namespace xdpf::sema
