// What passes must leave as it is in a loop: the parameters of its head are others in each round.
#include "compiler/ir/interpret.hpp"
#include "tests/unit/passes/programs.hpp"

using namespace xdpf::passes;
using namespace xdpf;

namespace {

// Goes over bytes of 2 until there is another, five at most; how many there were.
constexpr std::string_view counting = R"(
    b0(): %1 = packet_start %2 = packet_end %3 = 5 %4 = 0 guard %1 + 1 <= %2 ? b1() : b6()
    b1(): jump b2(%1, %3, %4)
    b2(%5: packet max 32, %6: max 5, %7: max 5) loop 5: %8 = rebase %5 from %1 max 31 if %6 == 0 ? b5() : b3()
    b3(): guard %8 + 1 <= %2 ? b4() : b5()
    b4(): %9 = load.u8 %8 + 0 if %9 == 2 ? b7() : b5()
    b5(): return %7
    b6(): return 0
    b7(): %10 = 1 %11 = offset %8 + %10 max 1 %12 = sub %6, %10 within 5 %13 = add %7, %10 within 5 again b2(%11, %12, %13))";

std::uint32_t count(const ir::Module &module, std::initializer_list<int> bytes)
{
    std::vector<std::byte> packet;
    for (const int byte : bytes)
        packet.push_back(static_cast<std::byte>(byte));
    ir::MapStore maps(module.maps);
    ir::Interpreter interpreter(module.programs[0], maps);
    ir::PacketBuffer buffer(packet);
    const auto result = interpreter.run(buffer, {});
    REQUIRE_MESSAGE(result.has_value(), result.error());
    return result->verdict;
}

} // namespace

TEST_CASE("what a loop begins with is not what it has")
{
    stays(fold, "b0(): %1 = 3 jump b1(%1) b1(%2: max 3) loop 3: if %2 == 0 ? b3() : b2() "
                "b2(): %3 = 1 %4 = sub %2, %3 within 3 again b1(%4) b3(): return %2");
    stays(simplify_cfg, "b0(): %1 = 3 jump b1(%1) b1(%2: max 3) loop 3: if %2 == 0 ? b3() : b2() "
                        "b2(): %3 = 1 %4 = sub %2, %3 within 3 again b1(%4) b3(): return %2");
    stays(merge_guards,
          "b0(): %1 = packet_start %2 = packet_end %3 = 3 guard %1 + 9 <= %2 ? b1(%1, %3) : b4() "
          "b1(%4: packet max 60, %5: max 3) loop 3: if %5 == 0 ? b4() : b2() "
          "b2(): guard %4 + 9 <= %2 ? b3() : b4() "
          "b3(): %6 = 1 %7 = sub %5, %6 within 3 %8 = offset %4 + %6 max 1 again b1(%8, %7) b4(): return 2");
    // But that is known which the pointer comes around with.
    becomes(merge_guards,
            "b0(): %1 = packet_start %2 = packet_end %3 = 3 guard %1 + 9 <= %2 ? b1(%1, %3) : b4() "
            "b1(%4: packet max 60, %5: max 3) loop 3: if %5 == 0 ? b4() : b2() "
            "b2(): guard %4 + 9 <= %2 ? b3() : b4() "
            "b3(): %6 = 1 %7 = sub %5, %6 within 3 again b1(%4, %7) b4(): return 2",
            "b0(): %1 = packet_start %2 = packet_end %3 = 3 guard %1 + 9 <= %2 ? b1(%1, %3) : b4() "
            "b1(%4: packet max 60, %5: max 3) loop 3: if %5 == 0 ? b4() : b2() "
            "b2(): jump b3() "
            "b3(): %6 = 1 %7 = sub %5, %6 within 3 again b1(%4, %7) b4(): return 2");
}

TEST_CASE("what only the next round uses is used") { stays(remove_dead_code, counting); }

TEST_CASE("a loop means the same behind all passes")
{
    ir::Module plain = read(counting);
    CHECK(fmt::format("{}", fmt::join(ir::verify(plain), "\n")) == "");
    ir::Module optimised = plain;
    optimize(optimised, Checks::on);
    for (const ir::Module *module : {&plain, &optimised}) {
        CHECK(count(*module, {}) == 0);
        CHECK(count(*module, {1}) == 0);
        CHECK(count(*module, {2, 2, 1, 2}) == 2);
        CHECK(count(*module, {2, 2, 2}) == 3);
        CHECK(count(*module, {2, 2, 2, 2, 2, 2, 2}) == 5);
    }
}
