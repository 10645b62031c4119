// match from "acl.csv": the first line names the columns, each line behind it is a rule. A column is a field of a
// header, a member of the union `access_list` of the standard library, the protocol or the verdict. An empty cell, `*`
// and `any` match everything; a cell of several values has | between them, a range is 1024-65535.
#include "compiler/sema/analyzer.hpp"
#include "compiler/sema/table_file.hpp"

#include <linux/bpf.h>

#include <algorithm>
#include <array>
#include <set>

namespace xdpf::sema {
namespace {

constexpr std::size_t most_mistakes_shown = 20;
constexpr std::string_view columns_union = "access_list";

enum class Role : std::uint8_t { field, member, protocol, verdict, ignored };

constexpr std::array<std::pair<std::string_view, Role>, 12> roles{{{"proto", Role::protocol},
                                                                   {"protocol", Role::protocol},
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
bool is_address(ValueType type) { return type == ValueType::ipv4 || type == ValueType::ipv6; }

struct Cell {
    std::string_view text;
    Span span;
};

ValueType address_type(const Cell &cell)
{
    return cell.text.find(':') != std::string_view::npos ? ValueType::ipv6 : ValueType::ipv4;
}

struct Column {
    Role role = Role::ignored;
    std::vector<FieldValue> fields = {}; // of a member: those that it can be, in order
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
        find_addresses(std::span(lines).subspan(1));
        Rule out{.body = std::vector<Rule>{}, .head = ast_.head};
        if (!rows(std::span(lines).subspan(1), std::get<std::vector<Rule>>(out.body)))
            return std::nullopt;
        describe();
        out.table = std::move(table_);
        return out;
    }

private:
    Diagnostic &bad(Span span, const std::string &why)
    {
        return a_.diagnostics_.report(Kind::bad_rules_file, span, std::filesystem::path(name_).filename().string(),
                                      why);
    }

    [[nodiscard]] Span span_of(const Line &line) const
    {
        return {file_, line.at, line.at + static_cast<std::uint32_t>(line.text.size())};
    }

    [[nodiscard]] std::vector<Cell> cells(const Line &line) const
    {
        std::vector<Cell> out;
        for (const std::string_view word : words_of(line.text)) {
            const auto text = unquoted(word);
            const auto at = line.at + static_cast<std::uint32_t>(text.data() - line.text.data());
            out.push_back({text, {file_, at, at + static_cast<std::uint32_t>(text.size())}});
        }
        return out;
    }

    // ---- Columns -------------------------------------------------------------------------------------------------

    bool columns(const Line &line)
    {
        bool good = true;
        for (const Cell &cell : cells(line)) {
            Column column;
            const auto found = std::ranges::find(roles, cell.text, &std::pair<std::string_view, Role>::first);
            if (found != roles.end())
                column.role = found->second;
            else if (cell.text.find('.') != std::string_view::npos)
                good = field_column(cell, column) && good;
            else
                good = member_column(cell, column) && good;
            columns_.push_back(std::move(column));
        }
        if (!good || std::ranges::find(columns_, Role::verdict, &Column::role) != columns_.end())
            return good;
        bad(span_of(line), "no column is called 'verdict'").suggest("src,dst,proto,sport,dport,verdict");
        return false;
    }

    bool field_column(const Cell &cell, Column &column)
    {
        const auto dot = cell.text.find('.');
        const auto header = a_.header_named({std::string(cell.text.substr(0, dot)), cell.span});
        if (!header)
            return false;
        const auto value = a_.field_value({*header}, std::string(cell.text.substr(dot + 1)), cell.span, cell.span);
        if (!value)
            return false;
        const auto *of = std::get_if<FieldValue>(&a_.unit_.exprs[*value].node);
        if (of == nullptr) {
            bad(cell.span, fmt::format("'{}' is no field of a header", cell.text));
            return false;
        }
        column = {Role::field, {*of}};
        return true;
    }

    [[nodiscard]] std::vector<std::string> members() const
    {
        std::vector<std::string> names;
        if (const UnionSymbol *found = a_.find_union(columns_union))
            for (const auto &member : found->decl->members)
                names.push_back(member.name.text);
        return names;
    }

    bool member_column(const Cell &cell, Column &column)
    {
        auto names = members();
        if (std::ranges::find(names, cell.text) != names.end()) {
            column = {Role::member, fields_of(std::string(cell.text), cell.span)};
            return true;
        }
        for (const auto &[name, role] : roles)
            names.emplace_back(name);
        bad(cell.span, fmt::format("there is no column '{}'", cell.text)).suggest_near(std::string(cell.text), names);
        return false;
    }

    std::vector<FieldValue> fields_of(const std::string &member, Span span)
    {
        std::vector<FieldValue> out;
        const auto value = a_.union_value({.header = {}, .either = a_.find_union(columns_union)}, member, span, span);
        if (!value)
            return out;
        std::vector<ExprId> all{*value};
        if (const auto *either = std::get_if<Either>(&a_.unit_.exprs[*value].node))
            all = either->alternatives;
        for (const ExprId one : all)
            if (const auto *field = std::get_if<FieldValue>(&a_.unit_.exprs[one].node))
                out.push_back(*field);
        return out;
    }

    [[nodiscard]] const Field &field_of(const FieldValue &value) const
    {
        return a_.unit_.headers[value.header.header].fields[value.field];
    }

    [[nodiscard]] bool is_of_addresses(const Column &column) const
    {
        return column.role == Role::member && !column.fields.empty() &&
               is_address(field_of(column.fields.front()).type);
    }

    // Which sorts of addresses the list has.
    void find_addresses(std::span<const Line> lines)
    {
        for (const Line &line : lines) {
            const auto row = cells(line);
            for (std::size_t i = 0; i < row.size() && i < columns_.size(); ++i)
                if (is_of_addresses(columns_[i]) && !is_any(row[i].text))
                    addresses_.insert(address_type(row[i]));
        }
    }

    // Where the list's addresses are all of one sort: the header that they belong to.
    [[nodiscard]] std::optional<HeaderRef> header_of_all() const
    {
        for (const Column &column : columns_)
            if (is_of_addresses(column) && addresses_.size() <= 1)
                for (const FieldValue &field : column.fields)
                    if (addresses_.empty() || addresses_.contains(field_of(field).type))
                        return field.header;
        return std::nullopt;
    }

    // ---- Lines ---------------------------------------------------------------------------------------------------

    bool rows(std::span<const Line> lines, std::vector<Rule> &out)
    {
        std::size_t mistakes = 0;
        for (std::size_t i = 0; i < lines.size(); ++i) {
            if (row(lines[i], out))
                continue;
            if (++mistakes < most_mistakes_shown || i + 1 == lines.size())
                continue;
            bad(ast_.from_span,
                fmt::format("so many lines are wrong that the last {} were not read", lines.size() - i - 1));
            break;
        }
        return mistakes == 0;
    }

    bool row(const Line &line, std::vector<Rule> &out)
    {
        const auto row = cells(line);
        const Span whole = span_of(line);
        if (row.size() != columns_.size()) {
            bad(whole,
                fmt::format("this line has {}, the first one has {}", counted(row.size(), "cell"), columns_.size()));
            return false;
        }
        tests_.clear();
        protocol_.reset();
        addressed_ = false;
        Rule rule{.body = Action{}, .head = whole};
        bool good = true;
        for (std::size_t i = 0; i < row.size(); ++i) // other cells depend on it
            if (columns_[i].role == Role::protocol && !is_any(row[i].text))
                good = protocol(row[i]) && good;
        for (std::size_t i = 0; i < row.size() && good; ++i)
            good = cell(columns_[i], row[i], std::get<Action>(rule.body));
        if (!good)
            return false;
        if (protocol_)
            tests_.push_back(a_.add(Pred{Present{{*protocol_}}, whole}));
        if (const auto header = addressed_ ? std::nullopt : header_of_all())
            tests_.push_back(a_.add(Pred{Present{*header}, whole}));
        for (const PredId test : tests_)
            rule.predicate = rule.predicate ? a_.add(Pred{And{*rule.predicate, test}, whole}) : test;
        out.push_back(std::move(rule));
        return true;
    }

    bool protocol(const Cell &cell)
    {
        protocol_ = a_.header_named({std::string(cell.text), cell.span});
        return protocol_.has_value();
    }

    bool cell(const Column &column, const Cell &cell, Action &action)
    {
        if (column.role == Role::verdict)
            return verdict(cell, action);
        if (column.fields.empty() || is_any(cell.text))
            return true;
        if (column.role == Role::field)
            return test(column.fields.front(), cell);
        if (is_of_addresses(column)) {
            addressed_ = true;
            for (const FieldValue &field : column.fields)
                if (field_of(field).type == address_type(cell))
                    return test(field, cell);
            return false;
        }
        for (const FieldValue &field : column.fields)
            if (protocol_ ? field.header.header == *protocol_ : column.fields.size() == 1)
                return test(field, cell);
        std::vector<std::string_view> of;
        for (const FieldValue &field : column.fields)
            of.emplace_back(a_.unit_.headers[field.header.header].name);
        bad(cell.span, fmt::format("this is a field of {}, and the line names {}", fmt::join(of, " and "),
                                   protocol_ ? std::string_view(a_.unit_.headers[*protocol_].name) : "no protocol"))
            .suggest(fmt::format("{} in the column 'proto'", fmt::join(of, " or ")));
        return false;
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
            bad(cell.span, fmt::format("'{}' is no verdict", cell.text))
                .suggest_near(std::string(cell.text), {"pass", "drop", "abort", "tx", "xsk"});
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

    // ---- Cells ---------------------------------------------------------------------------------------------------

    bool test(const FieldValue &of, const Cell &cell)
    {
        const Field &field = field_of(of);
        std::vector<Interval> intervals;
        for (std::size_t begin = 0; begin <= cell.text.size();) {
            const auto end = std::min(cell.text.find('|', begin), cell.text.size());
            const auto one = interval(field, trimmed(cell.text.substr(begin, end - begin)), cell.span);
            if (!one)
                return false;
            intervals.push_back(*one);
            begin = end + 1;
        }
        const auto value = a_.add(Expr{field.type, field.bits, of, cell.span});
        tests_.push_back(a_.add(Pred{InSet{value, normalised(std::move(intervals))}, cell.span}));
        met_.emplace_back(of.header, of.field);
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
        if (read->type == field.type && (field.bits >= 128 || read->last >> field.bits == 0))
            return Interval{read->first, read->last};
        bad(span, read->type != field.type ? fmt::format("'{}' is no value of '{}'", text, field.name)
                                           : fmt::format("{} does not fit into {} bits", text, field.bits));
        return std::nullopt;
    }

    // ---- The table -----------------------------------------------------------------------------------------------

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
        bool protocols = false;
        for (const Column &column : columns_) {
            protocols = protocols || column.role == Role::protocol;
            for (const FieldValue &field : column.fields)
                if (!is_of_addresses(column) || addresses_.contains(field_of(field).type) ||
                    (addresses_.empty() && &field == &column.fields.front()))
                    note(field.header, field.field);
        }
        // Then what the lines name besides, in an order that does not depend on theirs.
        std::ranges::sort(met_);
        for (const auto &[header, number] : met_)
            note(header, number);
        for (const auto &[header, number] : table_.fields)
            note(header);
        if (protocols)
            for (const std::string &member : members())
                for (const FieldValue &field : fields_of(member, ast_.head))
                    if (!is_address(field_of(field).type))
                        note(field.header);
        table_.file = name_;
        (void)xskmap(ast_.head);
    }

    Analyzer &a_;
    const ast::Rule &ast_;
    std::string name_;
    FileId file_;
    std::vector<Column> columns_;
    std::set<ValueType> addresses_;                      // sorts of them that the list has
    std::vector<std::pair<HeaderRef, std::size_t>> met_; // fields that lines test
    RuleTable table_;
    // Of the line at hand.
    std::vector<PredId> tests_;
    std::optional<HeaderId> protocol_;
    bool addressed_ = false;
};

std::optional<Rule> Analyzer::rules_from(const ast::Rule &ast, const ast::File &file)
{
    const auto beside = std::filesystem::path(sources_.name(file.file)).parent_path() / ast.from->value;
    return RulesFile(*this, ast, beside.string()).read();
}

} // namespace xdpf::sema
