// Declarations of random programs.
#include "tests/diff/random_generator.hpp"

#include <fmt/format.h>

#include <array>
#include <set>

namespace xdpf::diff {
namespace {

constexpr const char *own_header = "header own on udp.dport in {53, 9000, 8999} where version in 0..60\n"
                                   "    size = 6 + version\n{\n"
                                   "    version : u8\n    kind : u8 { urgent : u1  rest : u7 }\n    seq : u32le\n"
                                   "    late : u16 at kind.rest + 4 when kind.urgent\n"
                                   "    from : ipv4_address at version * 2\n}\n";

} // namespace

void Generator::declarations()
{
    group();
    if (random_.one_in(3)) {
        has_xsks_ = true;
        head_ += fmt::format("defmap xsks : xskmap[{}]\n", random_.one_in(2) ? 64 : 8);
    }
    parameters();
    plain_sets();
    for (std::uint64_t i = random_.below(4); i > 0; --i)
        state_map();
    other_maps();
    if (random_.one_in(3))
        programs_ =
            random_.one_in(3) ? std::vector<std::string>{"second", "third"} : std::vector<std::string>{"second"};
    definitions();
}

void Generator::group()
{
    if (!random_.one_in(2))
        return;
    group_ = &field_groups()[random_.below(field_groups().size())];
    if (*group_->import != '\0')
        head_ += fmt::format("import \"{}\"\n", group_->import);
    if (group_->fields.front().name == std::string_view("own.version"))
        head_ += own_header;
}

void Generator::parameters()
{
    if (!random_.one_in(3))
        return;
    const auto port = values_.number(16);
    head_ += fmt::format("param base : u16 = {} in {{{}, 0..{}}}\n", port, port, values_.number(16));
    names_.push_back({"base", Type::number, 16});
    head_ += fmt::format("param limit : u64 = {}\n", values_.number(64));
    names_.push_back({"limit", Type::number, 64});
    if (random_.one_in(2)) {
        head_ += fmt::format("param home : ipv4_address = {}\nparam gate : mac_address = {}\n",
                             values_.one(Type::ipv4, 32), values_.one(Type::mac, 48));
        names_.push_back({"home", Type::ipv4, 32});
        names_.push_back({"gate", Type::mac, 48});
    }
}

void Generator::plain_sets()
{
    if (random_.one_in(4)) {
        head_ += "defmap blocked : lpm_trie<ipv4.src>[64] = {10.0.0.0/16, 192.0.2.7, 0.0.0.0/0}\n";
        sets_.emplace_back("blocked", "ipv4.src");
        sets_.emplace_back("blocked", "ipv4.dst");
    }
    if (random_.one_in(4)) {
        head_ += "defmap wide : hash<ipv6.dst>[64] = {2001:db8::1, 2001:db8:0:1::2}\n";
        sets_.emplace_back("wide", "ipv6.src");
        sets_.emplace_back("wide", "ip.src");
    }
    if (random_.one_in(4)) {
        head_ += "defmap ports : hash<u16>[64] = {53, 443}\n";
        sets_.emplace_back("ports", "udp.dport");
        sets_.emplace_back("ports", "tcp.sport");
        sets_.emplace_back("ports", "ethernet.type");
    }
}

Typed Generator::some_type(std::string name)
{
    switch (random_.below(6)) {
    case 0: return {std::move(name), Type::mac, 48};
    case 1: return {std::move(name), Type::ipv4, 32};
    case 2: return {std::move(name), Type::ipv6, 128};
    default: return {std::move(name), Type::number, random_.pick(std::array{8U, 16U, 32U, 64U})};
    }
}

std::string Generator::type_text(const Typed &type)
{
    switch (type.type) {
    case Type::number: return fmt::format("u{}", type.bits);
    case Type::mac: return "mac_address";
    case Type::ipv4: return "ipv4_address";
    case Type::ipv6: return "ipv6_address";
    }
    return {};
}

std::string Generator::type_list(const std::vector<Typed> &parts, bool named)
{
    if (parts.size() == 1 && parts[0].name.empty())
        return type_text(parts[0]);
    std::string out;
    for (const Typed &part : parts)
        out += (out.empty() ? "" : ", ") + (named ? part.name + " : " : "") + type_text(part);
    return named ? "{" + out + "}" : "(" + out + ")";
}

void Generator::state_map()
{
    static constexpr std::array kinds{"hash",  "percpu_hash",  "lru_hash", "lru_percpu_hash",
                                      "array", "percpu_array", "lpm_trie", "hash"};
    RandomMap map{.name = fmt::format("m{}", maps_.size())};
    const std::string kind = random_.pick(kinds);
    map.array = kind.ends_with("array");
    map.prefix = kind == "lpm_trie";
    if (map.array)
        map.key = {{"", Type::number, 32}};
    else if (map.prefix || random_.one_in(2))
        map.key = {some_type("")};
    else
        for (std::uint64_t i = 0, end = 2 + random_.below(3); i < end; ++i)
            map.key.push_back(some_type(fmt::format("k{}", i)));
    std::string value = "counter";
    map.counts = !map.prefix;
    switch (random_.below(4)) {
    case 0: map.value = {{"packets", Type::number, 64}, {"bytes", Type::number, 64}}; break;
    case 1:
        map.value = {{"", Type::number, random_.one_in(2) ? 32U : 64U}};
        value = type_list(map.value, false);
        break;
    case 2:
        map.counts = false;
        map.value = {some_type("")};
        value = type_list(map.value, false);
        break;
    default:
        map.counts = false;
        for (std::uint64_t i = 0, end = 1 + random_.below(4); i < end; ++i)
            map.value.push_back(some_type(fmt::format("v{}", i)));
        value = type_list(map.value, true);
    }
    const std::string key = type_list(map.key, random_.one_in(2) && map.key.size() > 1);
    head_ +=
        fmt::format("defmap {} : {}<{}{}{}>[{}]{}\n", map.name, kind, map.array ? "" : key, map.array ? "" : " -> ",
                    value, random_.one_in(4) && kind.find("lru") == std::string::npos ? smallest_map : 4096,
                    random_.one_in(3) ? contents(map) : "");
    maps_.push_back(std::move(map));
}

std::string Generator::contents(const RandomMap &map)
{
    const auto constants = [&](const std::vector<Typed> &parts) {
        std::string out;
        for (const Typed &part : parts)
            out += (out.empty() ? "" : ", ") + values_.one(part.type, part.bits);
        return parts.size() > 1 ? "(" + out + ")" : out;
    };
    std::set<std::string> keys;
    std::string out;
    for (std::uint64_t i = 0; i < 3; ++i) {
        const std::string key = map.array ? fmt::format("{}", i) : constants(map.key);
        if (keys.insert(key).second)
            out += fmt::format("{}{} -> {}", out.empty() ? "" : ", ", key, constants(map.value));
    }
    return " = {" + out + "}";
}

void Generator::other_maps()
{
    if (random_.one_in(5)) {
        const Typed type = some_type("");
        head_ += fmt::format("defmap bloom : bloom_filter<{}>[64]\n", type_text(type));
        pushed_.emplace_back("bloom", type);
        blooms_.push_back(fmt::format("{} in bloom", value_of(type, 0)));
    }
    if (random_.one_in(5)) {
        const Typed type = some_type("");
        head_ += fmt::format("defmap waiting : {}<{}>[{}]\n", random_.one_in(2) ? "queue" : "stack", type_text(type),
                             1 + random_.below(500));
        pushed_.emplace_back("waiting", type);
    }
    if (random_.one_in(3)) {
        head_ += fmt::format("defmap events : ringbuf[{}]\n", random_.one_in(2) ? 4096 : 262'144);
        rings_.push_back("events");
    }
    if (random_.one_in(5)) {
        head_ += fmt::format("defmap ways : {}[8]\n", random_.one_in(2) ? "devmap" : "devmap_hash");
        redirects_.insert(redirects_.end(), {"redirect ways[?]", "redirect ways[*]", "redirect ways[* except iface]"});
    }
    if (random_.one_in(12)) {
        head_ += "defmap cores : cpumap[2]\n";
        redirects_.push_back("redirect cores[?]");
    }
}

void Generator::definitions()
{
    if (random_.one_in(3)) {
        head_ += "def several = " + values_.set(Type::number, 16) + "\n";
        head_ += "const few = {1, 53, 64..80}\n";
        constant_sets_ = {"several", "few", "{few, 7, 100..200}"};
    }
    if (random_.one_in(3)) {
        names_.push_back({"a", Type::number, 64});
        head_ += fmt::format("def mixed(a) = (a * 3 + {}) & 0xffff\n", number(1));
        names_.back().name = "p";
        names_.push_back({"q", Type::number, 64});
        head_ += fmt::format("def close(p, q) = (p & 0xff) == (q & 0xff) or {}\n", grouped(2));
        head_ += fmt::format("def closer(p, q) = close(q, mixed(p)) and {}\n", grouped(1));
        names_.resize(names_.size() - 2);
        for (int i = 0; i < 2; ++i) {
            const auto left = field_of(Type::number).name;
            predicates_.push_back(fmt::format("close({}, {})", left, field_of(Type::number).name));
            predicates_.push_back(fmt::format("closer({}, {})", field_of(Type::number).name, left));
            numbers_.push_back(fmt::format("mixed({})", left));
        }
    }
    if (random_.one_in(3)) {
        names_.push_back({"by", Type::number, 64});
        head_ += fmt::format("def remember(by) = {}\n", block(1, false));
        names_.pop_back();
        while (head_.find("continue", head_.rfind("def remember")) != std::string::npos)
            head_.replace(head_.find("continue", head_.rfind("def remember")), 8, "");
        actions_.push_back(fmt::format("remember({})", number(1)));
        actions_.push_back(fmt::format("remember({})", field_of(Type::number).name));
    }
}

} // namespace xdpf::diff
