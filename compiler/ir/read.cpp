#include "compiler/ir/text.hpp"
#include "compiler/ir/traits.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <unordered_map>

namespace xdpf::ir {
namespace {

constexpr std::size_t op_count = 0
#define XDPF_IR_OP(name, text, shape) +1
#include "compiler/ir/ops.def"
#undef XDPF_IR_OP
    ;
constexpr std::size_t map_kind_count = 0
#define XDPF_MAP_KIND(name, bpf_type, traits) +1
#include "compiler/map_kinds.def"
#undef XDPF_MAP_KIND
    ;

bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Words, numbers and punctuation. The first error stays and ends the text, so that every loop over it ends too.
class Lexer {
public:
    explicit Lexer(std::string_view text) : rest_(text) {}

    [[nodiscard]] bool ok() const { return error_.empty(); }
    [[nodiscard]] const std::string &error() const { return error_; }

    void fail(std::string_view what)
    {
        if (ok())
            error_ = fmt::format("line {}: {}", line_, what);
        rest_ = {};
    }

    bool at_end()
    {
        skip();
        return rest_.empty();
    }

    // The next word without taking it; empty before punctuation and at the end.
    std::string_view peek_word()
    {
        skip();
        std::size_t size = 0;
        while (size < rest_.size() && is_word(rest_[size]))
            ++size;
        return rest_.substr(0, size);
    }

    std::string_view word()
    {
        const std::string_view found = peek_word();
        if (found.empty())
            fail("a word is missing");
        rest_.remove_prefix(std::min(found.size(), rest_.size()));
        return found;
    }

    bool accept_word(std::string_view wanted)
    {
        if (peek_word() != wanted)
            return false;
        rest_.remove_prefix(wanted.size());
        return true;
    }

    bool accept(std::string_view mark)
    {
        skip();
        if (!rest_.starts_with(mark))
            return false;
        rest_.remove_prefix(mark.size());
        return true;
    }

    void expect(std::string_view mark)
    {
        if (!accept(mark))
            fail(fmt::format("'{}' is missing", mark));
    }

    void expect_word(std::string_view wanted)
    {
        if (!accept_word(wanted))
            fail(fmt::format("'{}' is missing", wanted));
    }

    bool at_number()
    {
        const std::string_view next = peek_word();
        return !next.empty() && is_digit(next.front());
    }

    std::uint64_t number(std::uint64_t max = UINT64_MAX)
    {
        const std::string_view digits = word();
        std::uint64_t result = 0;
        const bool hex = digits.starts_with("0x");
        const char *const end = digits.data() + digits.size();
        const auto [stop, code] = std::from_chars(digits.data() + (hex ? 2 : 0), end, result, hex ? 16 : 10);
        if (ok() && (code != std::errc{} || stop != end || result > max))
            fail(fmt::format("'{}' is no number up to {}", digits, max));
        return result;
    }

private:
    void skip()
    {
        while (!rest_.empty()) {
            const char c = rest_.front();
            if (c == '#') {
                rest_.remove_prefix(std::min(rest_.find('\n'), rest_.size()));
                continue;
            }
            if (c != ' ' && c != '\t' && c != '\n' && c != '\r')
                return;
            line_ += c == '\n';
            rest_.remove_prefix(1);
        }
    }

    std::string_view rest_;
    std::size_t line_ = 1;
    std::string error_;
};

class Reader {
public:
    explicit Reader(std::string_view text) : lexer_(text) {}

    std::expected<Module, std::string> module()
    {
        while (!lexer_.at_end()) {
            if (lexer_.accept_word("map"))
                map();
            else if (lexer_.accept_word("program"))
                program();
            else
                lexer_.fail("'map' or 'program' is missing");
        }
        if (!lexer_.ok())
            return std::unexpected(lexer_.error());
        return std::move(module_);
    }

private:
    void map()
    {
        MapSpec map;
        map.name = lexer_.word();
        lexer_.expect(":");
        map.kind = map_kind(lexer_.word());
        lexer_.expect_word("key");
        map.key.size = small_number();
        lexer_.expect_word("value");
        map.value.size = small_number();
        lexer_.expect_word("entries");
        map.max_entries = small_number();
        if (lexer_.accept_word("flags"))
            map.flags = small_number();
        module_.maps.push_back(std::move(map));
    }

    MapKind map_kind(std::string_view name)
    {
        for (std::size_t i = 0; i < map_kind_count; ++i)
            if (name_of(static_cast<MapKind>(i)) == name)
                return static_cast<MapKind>(i);
        lexer_.fail(fmt::format("'{}' is no kind of map", name));
        return {};
    }

    void program()
    {
        program_ = Program{};
        values_.clear();
        program_.name = lexer_.word();
        lexer_.expect("{");
        while (lexer_.accept_word("slot")) {
            if (slot().value != program_.slots.size())
                lexer_.fail("slots are declared in order from $0");
            lexer_.expect(":");
            program_.slots.add({small_number()});
        }
        while (lexer_.accept_word("asm"))
            asm_block();
        while (lexer_.ok() && !lexer_.accept("}"))
            block();
        module_.programs.push_back(std::move(program_));
    }

    void asm_block()
    {
        if (lexer_.number() != program_.asms.size())
            lexer_.fail("blocks of instructions are declared in order from 0");
        AsmBlock &block = program_.asms.emplace_back();
        lexer_.expect(":");
        do
            block.insns.push_back(lexer_.number());
        while (lexer_.accept(","));
        while (lexer_.accept("@")) {
            const MapId map = map_name();
            lexer_.expect_word("at");
            block.maps.push_back({small_number(), map});
        }
    }

    void block()
    {
        if (block_id().value != program_.blocks.size())
            lexer_.fail("blocks stand in order from b0");
        block_ = &program_.blocks[program_.blocks.add({})];
        lexer_.expect("(");
        while (lexer_.ok() && !lexer_.accept(")")) {
            if (!block_->params.empty())
                lexer_.expect(",");
            block_->params.push_back(parameter());
        }
        if (lexer_.accept_word("loop"))
            block_->rounds = small_number();
        lexer_.expect(":");
        while (lexer_.ok() && block_->end.kind == Terminator::Kind::none) {
            const std::string_view next = lexer_.peek_word();
            if (next.size() > 1 && next[0] == 'b' && is_digit(next[1]))
                return;
            if (next.empty() && lexer_.accept("}")) {
                lexer_.fail("the last block has no end");
                return;
            }
            statement();
        }
    }

    ValueId parameter()
    {
        const ValueId param = value();
        ValueInfo info;
        if (lexer_.accept(":"))
            for (const auto kind :
                 {ValueKind::packet, ValueKind::packet_end, ValueKind::map_value, ValueKind::meta, ValueKind::record})
                if (lexer_.accept_word(text_of(kind)))
                    info.kind = kind;
        if (lexer_.accept_word("max"))
            info.max = lexer_.number();
        define(param, info);
        return param;
    }

    void statement()
    {
        if (lexer_.accept("%")) {
            const ValueId result = value_number();
            lexer_.expect("=");
            Inst inst = operation();
            if (lexer_.ok() && !has_result(inst.op) && !gives_status(inst.op))
                lexer_.fail(fmt::format("'{}' gives no result", text_of(inst.op)));
            inst.result = result;
            ValueInfo info{result_kind(inst.op), natural_max(program_, inst)};
            if (lexer_.accept_word("within"))
                info.max = lexer_.number();
            define(result, info);
            block_->insts.push_back(inst);
        } else if (!terminator()) {
            const Inst inst = operation();
            if (lexer_.ok() && has_result(inst.op))
                lexer_.fail(fmt::format("'{}' gives a result", text_of(inst.op)));
            block_->insts.push_back(inst);
        }
    }

    Inst operation()
    {
        Inst inst;
        if (lexer_.at_number()) {
            inst.imm = lexer_.number();
            return inst;
        }
        const std::string_view text = lexer_.word();
        const std::size_t dot = text.find('.');
        const std::string_view name = text.substr(0, dot);
        if (dot != std::string_view::npos)
            access(inst, text.substr(dot + 1));
        if (name == "load" && lexer_.accept("$"))
            load_slot(inst);
        else if (name == "load")
            load(inst);
        else if (name == "store" && lexer_.accept("$"))
            store_slot(inst);
        else if (name == "store")
            store(inst, Op::store_map);
        else if (const std::optional<Op> op = find_op(name))
            operands(inst, *op);
        else
            lexer_.fail(fmt::format("'{}' is no operation", name));
        return inst;
    }

    static std::optional<Op> find_op(std::string_view name)
    {
        for (std::size_t i = 0; i < op_count; ++i)
            if (text_of(static_cast<Op>(i)) == name)
                return static_cast<Op>(i);
        return std::nullopt;
    }

    void access(Inst &inst, std::string_view text)
    {
        inst.width = 0;
        if (text == "u8")
            inst.width = 1;
        for (const unsigned width : {2U, 4U, 8U}) {
            if (text == fmt::format("le{}", 8 * width) || text == fmt::format("be{}", 8 * width))
                inst.width = static_cast<std::uint8_t>(width);
        }
        if (inst.width == 0)
            lexer_.fail(fmt::format("'{}' is none of u8, le16, be16, le32, be32, le64, be64", text));
        inst.order = text.starts_with("be") ? Order::big : Order::little;
    }

    void load(Inst &inst)
    {
        inst.a = value();
        const ValueKind kind = kind_of(inst.a);
        inst.op = kind == ValueKind::map_value || kind == ValueKind::record ? Op::load_map : Op::load;
        distance(inst);
    }

    void load_slot(Inst &inst)
    {
        inst.op = Op::load_slot;
        inst.key = SlotId(small_number());
        distance(inst);
    }

    void store_slot(Inst &inst)
    {
        inst.op = Op::store_slot;
        inst.key = SlotId(small_number());
        distance(inst);
        lexer_.expect(",");
        inst.a = value();
    }

    void store(Inst &inst, Op op)
    {
        inst.op = op;
        inst.a = value();
        distance(inst);
        lexer_.expect(",");
        inst.b = value();
    }

    void distance(Inst &inst)
    {
        lexer_.expect("+");
        inst.imm = lexer_.number();
    }

    void operands(Inst &inst, Op op)
    {
        inst.op = op;
        switch (shape_of(op)) {
        case Shape::constant: lexer_.fail("constants are written as numbers"); break;
        case Shape::nullary:
        case Shape::query: break;
        case Shape::context: inst.field = one_of<ContextField>(3); break;
        case Shape::unary:
        case Shape::adjust:
        case Shape::submit: inst.a = value(); break;
        case Shape::binary:
            inst.a = value();
            lexer_.expect(",");
            inst.b = value();
            break;
        case Shape::element:
        case Shape::offset:
            inst.a = value();
            if (op != Op::rebase)
                lexer_.expect("+");
            else
                lexer_.expect_word("from");
            inst.b = value();
            lexer_.expect_word("max");
            inst.imm = lexer_.number();
            break;
        case Shape::rx_meta:
            inst.rx = one_of<RxMeta>(3);
            inst.value = slot();
            break;
        case Shape::store_packet:
        case Shape::store_map: store(inst, op); break;
        case Shape::copy_packet:
            store(inst, op);
            lexer_.expect_word("max");
            inst.max = small_number();
            break;
        case Shape::map_value:
        case Shape::lookup:
        case Shape::update:
        case Shape::erase:
        case Shape::push:
        case Shape::redirect:
        case Shape::tail_call:
        case Shape::reserve:
            lexer_.expect("@");
            inst.map = map_name();
            map_operands(inst);
            break;
        case Shape::load:
        case Shape::load_map:
        case Shape::load_slot:
        case Shape::store_slot: break; // told apart by their operands, see operation()
        }
    }

    // What stands behind the map.
    void map_operands(Inst &inst)
    {
        const Shape shape = shape_of(inst.op);
        if (shape == Shape::map_value)
            return distance(inst);
        if (shape == Shape::reserve) {
            inst.imm = lexer_.number();
            return;
        }
        if (shape == Shape::push) {
            inst.value = slot();
            return;
        }
        lexer_.expect("[");
        if (shape == Shape::redirect)
            inst.a = value();
        else if (shape == Shape::tail_call)
            inst.imm = lexer_.number();
        else
            inst.key = slot();
        lexer_.expect("]");
        if (shape == Shape::update)
            new_value(inst);
        else if (shape == Shape::redirect)
            fallback(inst);
    }

    void new_value(Inst &inst)
    {
        lexer_.expect("=");
        inst.value = slot();
        if (lexer_.accept_word("flags"))
            inst.imm = lexer_.number();
    }

    void fallback(Inst &inst)
    {
        lexer_.expect_word("else");
        inst.imm = lexer_.number();
        if (lexer_.accept_word("broadcast"))
            inst.imm |= redirect_flag::broadcast;
        if (lexer_.accept_word("exclude_ingress"))
            inst.imm |= redirect_flag::exclude_ingress;
    }

    // One of the first `count` names of an enumeration.
    template <class Enum> Enum one_of(unsigned count)
    {
        std::string names;
        for (unsigned i = 0; i < count; ++i) {
            const std::string_view name = text_of(static_cast<Enum>(i));
            if (lexer_.accept_word(name))
                return static_cast<Enum>(i);
            names += fmt::format("{}'{}'", i == 0 ? "" : i + 1 == count ? " or " : ", ", name);
        }
        lexer_.fail(fmt::format("{} is missing", names));
        return {};
    }

    bool terminator()
    {
        Terminator &end = block_->end;
        if (const bool again = lexer_.accept_word("again"); again || lexer_.accept_word("jump")) {
            end.kind = again ? Terminator::Kind::again : Terminator::Kind::jump;
            end.edges[0] = edge();
        } else if (lexer_.accept_word("if")) {
            end.kind = Terminator::Kind::branch;
            end.a = value();
            end.cond = condition();
            if (lexer_.at_number())
                end.imm = lexer_.number();
            else
                end.b = value();
            edges(end);
        } else if (lexer_.accept_word("guard")) {
            end.kind = Terminator::Kind::guard;
            end.a = value();
            lexer_.expect("+");
            end.imm = lexer_.number();
            lexer_.expect("<=");
            end.b = value();
            edges(end);
        } else if (lexer_.accept_word("asm")) {
            end.kind = Terminator::Kind::asm_;
            end.imm = lexer_.number();
        } else if (lexer_.accept_word("return")) {
            end.kind = Terminator::Kind::return_;
            if (lexer_.at_number())
                end.imm = lexer_.number();
            else
                end.a = value();
        } else {
            return false;
        }
        return true;
    }

    Cond condition()
    {
        // The longer ones first: `<` is the beginning of `<=`.
        for (const auto cond : {Cond::eq, Cond::ne, Cond::le, Cond::ge, Cond::clear, Cond::lt, Cond::gt, Cond::set})
            if (lexer_.accept(text_of(cond)))
                return cond;
        lexer_.fail("a condition is missing");
        return {};
    }

    void edges(Terminator &end)
    {
        lexer_.expect("?");
        end.edges[0] = edge();
        lexer_.expect(":");
        end.edges[1] = edge();
    }

    Edge edge()
    {
        Edge edge;
        edge.target = block_id();
        lexer_.expect("(");
        while (lexer_.ok() && !lexer_.accept(")")) {
            if (!edge.args.empty())
                lexer_.expect(",");
            edge.args.push_back(value());
        }
        return edge;
    }

    BlockId block_id()
    {
        const std::string_view name = lexer_.word();
        std::uint32_t number = 0;
        const char *const end = name.data() + name.size();
        if (name.starts_with('b')) {
            const auto [stop, code] = std::from_chars(name.data() + 1, end, number);
            if (code == std::errc{} && stop == end)
                return BlockId(number);
        }
        lexer_.fail(fmt::format("'{}' is no block", name));
        return BlockId(0);
    }

    // Behind the '@'.
    MapId map_name()
    {
        const std::string_view name = lexer_.word();
        for (std::size_t i = 0; i < module_.maps.size(); ++i)
            if (module_.maps[i].name == name)
                return MapId(i);
        lexer_.fail(fmt::format("there is no map '{}'", name));
        return {};
    }

    SlotId slot()
    {
        lexer_.expect("$");
        return SlotId(small_number());
    }

    ValueId value()
    {
        lexer_.expect("%");
        return value_number();
    }

    // The number behind a '%'. What it stands for is made at the first mention.
    ValueId value_number()
    {
        const auto [at, added] = values_.try_emplace(lexer_.number());
        if (added)
            at->second = program_.add_value(ValueKind::number);
        return at->second;
    }

    void define(ValueId value, ValueInfo info) { program_.values[value] = info; }
    ValueKind kind_of(ValueId value) const { return program_.values[value].kind; }
    std::uint32_t small_number() { return static_cast<std::uint32_t>(lexer_.number(UINT32_MAX)); }

    Lexer lexer_;
    Module module_;
    Program program_;
    Block *block_ = nullptr;
    std::unordered_map<std::uint64_t, ValueId> values_;
};

} // namespace

std::expected<Module, std::string> from_text(std::string_view text) { return Reader(text).module(); }

} // namespace xdpf::ir
