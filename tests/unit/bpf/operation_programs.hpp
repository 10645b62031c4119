// A program for every operation that changes something, shared by the unit tests and the kernel tests. What is returned
// depends on all that was done.
#pragma once

#include <string_view>

namespace xdpf::testing {

// Stores of every width and order into the packet, of constants, of numbers and of fields as they stand.
inline constexpr std::string_view packet_stores = R"(
program packet_stores {
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 40 <= %2 ? b1() : b3()
b1():
  %3 = load.be32 %1 + 0
  %4 = load.be16 %1 + 4
  %5 = load.be64 %1 + 6
  %6 = load.u8 %1 + 14
  pstore.be32 %1 + 20, %3
  pstore.be16 %1 + 24, %4
  pstore.le16 %1 + 26, %4
  pstore.be64 %1 + 28, %5
  pstore.u8 %1 + 36, %6
  %7 = 0x86dd
  pstore.be16 %1 + 12, %7
  %8 = 0x80000001
  pstore.be32 %1 + 0, %8
  %9 = 0x1122334455667788
  pstore.be64 %1 + 4, %9
  %10 = 1
  %11 = add %6, %10
  pstore.le32 %1 + 15, %11
  %12 = 20
  %13 = offset %1 + %12 max 20
  guard %13 + 4 <= %2 ? b2() : b3()
b2():
  %14 = load.be32 %13 + 0
  %15 = load.be32 %1 + 0
  %16 = xor %14, %15
  %17 = load.be16 %1 + 26
  %18 = add %16, %17
  return %18
b3():
  return 1
}
)";

// A tag of four bytes goes in behind the addresses: the packet grows at its head, the addresses move.
inline constexpr std::string_view push_tag = R"(
program push_tag {
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 14 <= %2 ? b1() : b4()
b1():
  %3 = load.be64 %1 + 0
  %4 = load.be32 %1 + 8
  %5 = 0xfffffffffffffffc
  %6 = adjust_head %5
  if %6 == 0 ? b2() : b4()
b2():
  %7 = packet_start
  %8 = packet_end
  guard %7 + 18 <= %8 ? b3() : b4()
b3():
  pstore.be64 %7 + 0, %3
  pstore.be32 %7 + 8, %4
  %9 = 0x81000064
  pstore.be32 %7 + 12, %9
  %10 = packet_length
  return %10
b4():
  return 0
}
)";

// Head and tail move by what the packet says, also further than they can.
inline constexpr std::string_view resize = R"(
program resize {
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 14 <= %2 ? b1() : b3()
b1():
  %3 = load.u8 %1 + 12
  %4 = load.u8 %1 + 13
  %5 = 16
  %6 = sub %3, %5
  %7 = 4
  %8 = mul %6, %7
  %9 = adjust_head %8
  %10 = 100
  %11 = sub %4, %10
  %12 = adjust_tail %11
  %13 = packet_start
  %14 = packet_end
  guard %13 + 14 <= %14 ? b2() : b3()
b2():
  %15 = load.be16 %13 + 6
  pstore.be16 %13 + 0, %9
  pstore.be16 %13 + 2, %12
  %16 = packet_length
  %17 = add %16, %15
  return %17
b3():
  return 3
}
)";

// Metadata before the packet; it stays in front of it when the head moves.
inline constexpr std::string_view metadata = R"(
program metadata {
b0():
  %1 = 0xfffffffffffffff8
  %2 = adjust_meta %1
  %3 = meta_start
  %4 = packet_start
  guard %3 + 8 <= %4 ? b1() : b3()
b1():
  %5 = 0x11223344
  pstore.be32 %3 + 0, %5
  pstore.le32 %3 + 4, %2
  %6 = 4
  %7 = adjust_head %6
  %8 = meta_start
  %9 = packet_start
  guard %8 + 4 <= %9 ? b2() : b3()
b2():
  %10 = load.be16 %8 + 2
  %11 = add %10, %7
  return %11
b3():
  return 3
}
)";

// Bytes of the stack, written here and there and read back in other pieces.
inline constexpr std::string_view slots = R"(
map counts : hash key 8 value 8 entries 4

program slots {
  slot $0 : 16
  slot $1 : 8
  slot $2 : 8
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 14 <= %2 ? b1() : b4()
b1():
  %3 = load.be32 %1 + 0
  %4 = load.be16 %1 + 4
  store.be32 $0 + 0, %3
  store.le32 $0 + 4, %3
  %5 = 0x7fffffff0
  store.le64 $0 + 8, %5
  %6 = 3
  if %4 > 0x8000 ? b2() : b3()
b2():
  store.be16 $0 + 2, %4
  jump b3()
b3():
  %7 = load.be64 $0 + 0
  %8 = load.le16 $0 + 2
  %9 = load.u8 $0 + 8
  %10 = and %8, %6
  store.le64 $1 + 0, %10
  store.le64 $2 + 0, %7
  %11 = update @counts[$1] = $2
  %12 = load.le64 $1 + 0
  %13 = load.be32 $2 + 4
  %14 = add %7, %8
  %15 = add %14, %9
  %16 = xor %15, %12
  %17 = add %16, %13
  %18 = add %17, %11
  return %18
b4():
  return 1
}
)";

// Entries that are made, replaced and deleted, with the kernel's answers: 17 for what exists, 2 for what does not, 7
// for a full map.
inline constexpr std::string_view entries = R"(
map table : hash key 4 value 8 entries 2
map fixed : array key 4 value 8 entries 2

program entries {
  slot $0 : 4
  slot $1 : 8
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 14 <= %2 ? b1() : b2()
b1():
  %3 = load.u8 %1 + 0
  %4 = 3
  %5 = and %3, %4
  store.le32 $0 + 0, %5
  store.le64 $1 + 0, %3
  %6 = update @table[$0] = $1 flags 1
  %7 = update @table[$0] = $1 flags 2
  %8 = update @fixed[$0] = $1
  %9 = update @fixed[$0] = $1 flags 1
  %10 = load.u8 %1 + 1
  %11 = and %10, %4
  store.le32 $0 + 0, %11
  %12 = delete @table[$0]
  %13 = delete @table[$0]
  delete @fixed[$0]
  %20 = 31
  %21 = mul %6, %20
  %22 = add %21, %7
  %23 = mul %22, %20
  %24 = add %23, %8
  %25 = mul %24, %20
  %26 = add %25, %9
  %27 = mul %26, %20
  %28 = add %27, %12
  %29 = mul %28, %20
  %30 = add %29, %13
  return %30
b2():
  return 1
}
)";

inline constexpr std::string_view pushes = R"(
map seen : bloom_filter key 0 value 4 entries 100
map waiting : queue key 0 value 8 entries 3
map undo : stack key 0 value 8 entries 3

program pushes {
  slot $0 : 4
  slot $1 : 8
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 14 <= %2 ? b1() : b2()
b1():
  %3 = load.be32 %1 + 0
  store.be32 $0 + 0, %3
  %4 = peek @seen $0
  %5 = push @seen $0
  %6 = peek @seen $0
  store.le64 $1 + 0, %3
  %7 = push @waiting $1
  %8 = push @undo $1
  %9 = 100
  %10 = mul %4, %9
  %11 = add %10, %5
  %12 = mul %11, %9
  %13 = add %12, %6
  %14 = mul %13, %9
  %15 = add %14, %7
  %16 = add %15, %8
  return %16
b2():
  return 1
}
)";

inline constexpr std::string_view broadcasts = R"(
map ports : devmap key 4 value 4 entries 8
map hosts : devmap_hash key 4 value 4 entries 8
map cpus : cpumap key 4 value 4 entries 2

program broadcasts {
b0():
  %1 = ctx rx_queue
  %2 = redirect @ports[%1] else 1
  %3 = redirect @hosts[%1] else 3
  %4 = redirect @cpus[%1] else 2
  %5 = redirect @ports[%1] else 0 broadcast exclude_ingress
  %6 = redirect @hosts[%1] else 0 broadcast
  %7 = 10
  %8 = mul %2, %7
  %9 = add %8, %3
  %10 = mul %9, %7
  %11 = add %10, %4
  %12 = mul %11, %7
  %13 = add %12, %5
  %14 = mul %13, %7
  %15 = add %14, %6
  return %15
}
)";

// The second program adds to what the first has done. Slot 0 is filled, slot 1 is not.
inline constexpr std::string_view tail_calls = R"(
map programs : prog_array key 4 value 4 entries 2

program first {
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 14 <= %2 ? b1() : b5()
b1():
  %3 = load.u8 %1 + 0
  pstore.u8 %1 + 1, %3
  tail_call @programs[1]
  %4 = packet_start
  %5 = packet_end
  guard %4 + 14 <= %5 ? b2() : b5()
b2():
  %6 = load.u8 %4 + 1
  if %6 > 100 ? b3() : b4(%6)
b3():
  tail_call @programs[0]
  jump b4(%6)
b4(%7):
  return %7
b5():
  return 1
}

program second {
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 14 <= %2 ? b1() : b2()
b1():
  %3 = load.u8 %1 + 1
  %4 = 1000
  %5 = add %3, %4
  pstore.be16 %1 + 2, %5
  return %5
b2():
  return 2
}
)";

// A record with a header and the start of the packet: the ring is small, so at last there is no room.
inline constexpr std::string_view records = R"(
map ring : ringbuf key 0 value 0 entries 4096

program records {
b0():
  %1 = packet_length
  %2 = reserve @ring 116
  if %2 == 0 ? b6() : b1()
b1():
  store.le32 %2 + 0, %1
  %3 = 7
  store.be32 %2 + 4, %3
  store.le64 %2 + 8, %3
  %4 = 0
  store.le64 %2 + 16, %4
  store.le64 %2 + 24, %4
  store.le64 %2 + 32, %4
  store.le64 %2 + 40, %4
  store.le64 %2 + 48, %4
  store.le64 %2 + 56, %4
  store.le64 %2 + 64, %4
  store.le64 %2 + 72, %4
  store.le64 %2 + 80, %4
  store.le64 %2 + 88, %4
  store.le64 %2 + 96, %4
  store.le64 %2 + 104, %4
  store.le32 %2 + 112, %4
  if %1 > 100 ? b2() : b3(%1)
b2():
  %5 = 100
  jump b3(%5)
b3(%6 max 100):
  if %6 == 0 ? b5() : b4()
b4():
  %7 = copy_packet %2 + 16, %6 max 100
  %8 = copy_packet %2 + 4, %3 max 7
  store.be32 %2 + 4, %7
  submit %2
  %9 = add %7, %6
  return %9
b5():
  submit %2
  return 78
b6():
  return 77
}
)";

inline constexpr std::string_view direct_values = R"(
map params : array key 4 value 16 entries 1

program direct_values {
b0():
  %1 = map_value @params + 0
  %2 = map_value @params + 8
  %3 = load.le16 %1 + 2
  %4 = load.le64 %2 + 0
  %5 = add %3, %4
  store.le64 %2 + 0, %5
  %6 = 1
  atomic_add.le32 %1 + 4, %6
  %7 = load.u8 %1 + 4
  %8 = add %5, %7
  return %8
}
)";

// The context is wanted after calls, when all registers that calls keep are taken.
inline constexpr std::string_view late_context = R"(
map table : hash key 8 value 8 entries 4

program late_context {
  slot $0 : 8
b0():
  %1 = packet_start
  %2 = packet_end
  guard %1 + 40 <= %2 ? b1() : b3()
b1():
  %3 = load.be32 %1 + 0
  %4 = load.be32 %1 + 4
  %5 = load.be32 %1 + 8
  %6 = load.be32 %1 + 12
  %7 = load.be32 %1 + 16
  %8 = load.be32 %1 + 20
  %9 = load.le64 %1 + 24
  store.le64 $0 + 0, %9
  %10 = delete @table[$0]
  %11 = 0xfffffffffffffff0
  %12 = adjust_head %11
  %13 = lookup @table[$0]
  %14 = packet_start
  %15 = packet_end
  guard %14 + 30 <= %15 ? b2() : b3()
b2():
  %16 = ctx ingress_ifindex
  %17 = packet_length
  pstore.be32 %14 + 0, %8
  pstore.be32 %14 + 4, %7
  pstore.be32 %14 + 8, %6
  pstore.le32 %14 + 12, %5
  %18 = 5
  %19 = adjust_tail %18
  %20 = packet_length
  %21 = add %3, %4
  %22 = add %21, %10
  %23 = add %22, %12
  %24 = add %23, %17
  %25 = add %24, %19
  %26 = add %25, %20
  %27 = add %26, %16
  return %27
b3():
  return 3
}
)";

// Arithmetic in 32 and 64 bits, a signed comparison, a swap, atomic additions to the stack and to an entry of the map.
inline constexpr std::string_view instructions = R"(
map hits : array key 4 value 8 entries 1

program instructions {
  slot $0 : 4
  asm 0 : 0x16bf, 0x6261, 0x46361, 0x24bf, 0x1400000407, 0x16342d, 0x2071, 0x22569, 0x10000005dc, 0x55000000a4, 0x3000005c7, 0x3200010065, 0x84, 0x500f, 0xfffc0a63, 0xfff80a62, 0x2000001b7, 0xfffc1ac3, 0xfffca761, 0xa2bf, 0xfffffff800000207, 0x118, 0x0, 0x100000085, 0x10015, 0x70db, 0x70bf, 0x95, 0x1000000b7, 0x95 @hits at 21
  asm 1 : 0x2000000b7, 0x95
b0():
  %1 = 0
  store.le32 $0 + 0, %1
  %2 = lookup @hits[$0]
  if %2 == 0 ? b2() : b1()
b1():
  %3 = 5
  atomic_add.le64 %2 + 0, %3
  asm 0
b2():
  asm 1
}
)";

// Everything a device tells of a packet, and the statuses, into an entry of 40 bytes.
inline constexpr std::string_view device_questions = R"(
map answers : array key 4 value 40 entries 1

program device_questions {
  slot $0 : 8
  slot $1 : 8
  slot $2 : 8
b0():
  %1 = 0
  store.le64 $0 + 0, %1
  store.le64 $1 + 0, %1
  store.le64 $2 + 0, %1
  %2 = rx_meta hash $0
  %3 = rx_meta timestamp $1
  %4 = rx_meta vlan $2
  rx_meta hash $0
  %5 = map_value @answers + 0
  %6 = load.le32 $0 + 0
  %7 = load.le64 $1 + 0
  %8 = load.be16 $2 + 0
  %9 = load.le16 $2 + 2
  %10 = 1
  store.le64 %5 + 0, %10
  store.le32 %5 + 8, %2
  store.le32 %5 + 12, %3
  store.le32 %5 + 16, %4
  store.le32 %5 + 20, %6
  store.le64 %5 + 24, %7
  store.le16 %5 + 32, %8
  store.le16 %5 + 34, %9
  %12 = 40
  %13 = shr %2, %12
  store.le32 %5 + 36, %13
  %11 = add %2, %10
  return %11
}
)";

// Not the same twice in a kernel.
inline constexpr std::string_view times_and_chances = R"(
program times_and_chances {
b0():
  %1 = now
  %2 = random
  %3 = cpu
  %4 = random
  %5 = xor %1, %2
  %6 = add %5, %3
  %7 = xor %6, %4
  return %7
}
)";

inline constexpr std::string_view operation_programs[] = {packet_stores, push_tag,     resize,      metadata,   slots,
                                                          entries,       pushes,       broadcasts,  tail_calls, records,
                                                          direct_values, late_context, instructions};

} // namespace xdpf::testing
