#include "grammar/dump.hpp"

#include "grammar/dump_parts.hpp"

namespace xdpf {
namespace {

class Writer : public LineWriter {
public:
    using LineWriter::LineWriter;
    using LineWriter::operator();

    std::string run()
    {
        for (const auto &decl : file_.decls)
            std::visit(*this, decl.node);
        return std::move(out_);
    }

    void operator()(const ast::Import &node) { line("import {}", quote(node.path)); }
    void operator()(const ast::Const &node) { line("const {} = {}", node.name.text, text(node.value)); }
    void operator()(const ast::Param &node)
    {
        line("param {} : {} = {}{}", node.name.text, text(node.type), text(node.value),
             node.bounds ? fmt::format(" in {}", text(*node.bounds)) : "");
    }
    void operator()(const ast::Def &node)
    {
        std::string head = node.name.text;
        for (const auto &parameter : node.parameters)
            head += fmt::format("{}{}", &parameter == node.parameters.data() ? "(" : ", ", parameter.text);
        head += node.parameters.empty() ? "" : ")";
        if (const auto *value = std::get_if<ast::ExprId>(&node.body)) {
            line("def {} = {}", head, text(*value));
            return;
        }
        line("def {}", head);
        indented([&] { action(std::get<ast::ActionId>(node.body)); });
    }
    void operator()(const ast::Header &node)
    {
        line("header {}", node.name.text);
        indented([&] {
            clause("on", node.on);
            if (node.list)
                line("in {} at most {}", node.list->container.text, text(node.list->at_most));
            clause("end when", node.end_when);
            clause("pad when", node.pad_when);
            if (node.then)
                line("then {}", node.then->text);
            clause("where", node.where);
            clause("size", node.size);
            clause("payload when", node.payload_when);
            for (const auto &inner : node.inner)
                line("inner {}{}", inner.header.text, labelled(" when ", inner.when));
            fields(node.fields);
        });
    }
    void operator()(const ast::Union &node)
    {
        line("union {}", node.name.text);
        indented([&] {
            for (const auto &member : node.members)
                line("{} : {}", member.name.text, text(member.fields));
        });
    }
    void operator()(const ast::Map &node)
    {
        std::vector<std::string> types;
        for (const auto &type : node.types)
            types.push_back(text(type));
        const auto all = fmt::format("{}", fmt::join(types, node.arrow ? " -> " : ", "));
        line("map {} : {}{}{}", node.name.text, node.kind.text, types.empty() ? "" : fmt::format("<{}>", all),
             bracketed(node.entries));
        indented([&] {
            attributes(node.attributes);
            clause("contents", node.contents);
            if (node.from)
                line("from {}", quote(node.from->value));
        });
    }
    void operator()(const ast::Program &node)
    {
        line("program {}{}", node.name.text, node.place ? fmt::format(" on {}", node.place->text) : "");
        indented([&] {
            attributes(node.attributes);
            inside(node.rules);
        });
    }
    void operator()(ast::RuleId id)
    {
        const auto &rule = file_.rules[id];
        if (rule.from)
            return line("match from {}", quote(rule.from->value));
        if (rule.predicate)
            line("match {}", text(*rule.predicate));
        else
            line("default");
        indented([&] { std::visit([this](const auto &body) { inside(body); }, rule.body); });
    }
    void operator()(const ast::Test &node)
    {
        line("test {}{}", quote(node.name), node.program ? fmt::format(" for {}", node.program->text) : "");
        indented([&] {
            for (const auto &statement : node.statements)
                std::visit(*this, statement);
        });
    }
    void operator()(const ast::PacketStatement &node) { line("packet {}", text_of(node)); }
    void operator()(const ast::WithStatement &node) { line("with {} = {}", node.name.text, text(node.value)); }
    void operator()(const ast::ExpectStatement &node)
    {
        std::visit([this](const auto &what) { expect(what); }, node.what);
    }

private:
    void inside(ast::ActionId id) { action(id); }
    void inside(const std::vector<ast::RuleId> &rules)
    {
        for (const auto id : rules)
            (*this)(id);
    }
    void expect(ast::ActionId id)
    {
        line("expect");
        indented([&] { action(id); });
    }
    void expect(ast::ExprId id) { line("expect {}", text(id)); }
    void expect(const ast::PacketStatement &packet) { line("expect packet {}", text_of(packet)); }
    void expect(const ast::ExpectRule &rule) { line("expect rule {}", text(rule.number)); }

    [[nodiscard]] std::string text_of(const ast::PacketStatement &node) const
    {
        return (node.hex    ? fmt::format("hex {}", quote(*node.hex))
                : node.pcap ? fmt::format("pcap {}", quote(*node.pcap))
                            : layers(node.layers)) +
               labelled(" times ", node.times);
    }
    [[nodiscard]] std::string labelled(std::string_view label, const std::optional<ast::ExprId> &expr) const
    {
        return expr ? fmt::format("{}{}", label, text(*expr)) : "";
    }
    void clause(std::string_view name, const std::optional<ast::ExprId> &value)
    {
        if (value)
            line("{} {}", name, text(*value));
    }
    void attributes(const std::vector<ast::Attribute> &all)
    {
        for (const auto &one : all)
            line("attribute {}{}", one.name.text, labelled(" = ", one.value));
    }
    void fields(const std::vector<ast::Field> &all)
    {
        for (const auto &field : all) {
            if (field.end_of && field.at_most)
                line("field {} : end of {} at most {}", field.name.text, field.end_of->text, text(*field.at_most));
            else
                line("field {} : {}{}{}{}", field.name.text, field.type ? text(*field.type) : "",
                     labelled(" at ", field.at), labelled(" when ", field.when), labelled(" = ", field.default_value));
            indented([&] { fields(field.parts); });
        }
    }
};

} // namespace

std::string dump(const ast::File &file) { return Writer(file).run(); }

std::string dump(const ast::File &file, ast::ExprId expr)
{
    std::string out;
    ExprWriter(file, out)(expr);
    return out;
}

} // namespace xdpf
