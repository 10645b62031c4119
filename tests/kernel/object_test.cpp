// Objects made by hand, loaded with libbpf: what the kernel keeps of them is what was written.
#include "compiler/object/object.hpp"

#include "tests/kernel/runtime_net.hpp"
#include "tests/skip.hpp"
#include "tests/unit/object/sample_images.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <doctest/doctest.h>
#include <linux/if_link.h>

#include <array>
#include <cstdio>
#include <memory>
#include <string>

using namespace xdpf;

namespace {

using Object = std::unique_ptr<bpf_object, decltype([](bpf_object *object) { bpf_object__close(object); })>;
using Btf = std::unique_ptr<btf, decltype([](btf *types) { btf__free(types); })>;

std::string warnings; // of libbpf: a good object causes none

int keep_warning(libbpf_print_level level, const char *format, va_list arguments)
{
    if (level != LIBBPF_WARN)
        return 0;
    std::array<char, 4096> line{};
    std::vsnprintf(line.data(), line.size(), format, arguments);
    warnings += line.data();
    return 0;
}

Object open(const Image &image, const bpf_object_open_opts *options = nullptr)
{
    libbpf_set_print(keep_warning);
    warnings.clear();
    const std::vector<std::byte> bytes = write_object(image);
    Object object(bpf_object__open_mem(bytes.data(), bytes.size(), options));
    REQUIRE_MESSAGE(object != nullptr, warnings);
    return object;
}

void load(const Object &object)
{
    const int result = bpf_object__load(object.get());
    REQUIRE_MESSAGE(result == 0, warnings);
    CHECK(warnings == "");
}

Object load(const Image &image)
{
    Object object = open(image);
    load(object);
    return object;
}

bpf_prog_info info_of(const Object &object, const std::string &program)
{
    bpf_prog_info info{};
    __u32 size = sizeof info;
    bpf_program *found = bpf_object__find_program_by_name(object.get(), program.c_str());
    REQUIRE(found != nullptr);
    REQUIRE(bpf_obj_get_info_by_fd(bpf_program__fd(found), &info, &size) == 0);
    return info;
}

bpf_map_info info_of_map(const Object &object, const std::string &map)
{
    bpf_map_info info{};
    __u32 size = sizeof info;
    REQUIRE(bpf_obj_get_info_by_fd(bpf_object__find_map_fd_by_name(object.get(), map.c_str()), &info, &size) == 0);
    return info;
}

std::string type_name(const Btf &types, __u32 id)
{
    return btf__name_by_offset(types.get(), btf__type_by_id(types.get(), id)->name_off);
}

void check_program(const Object &object, const ProgramImage &program)
{
    CAPTURE(program.name);
    const bpf_prog_info info = info_of(object, program.name);
    CHECK(info.type == BPF_PROG_TYPE_XDP);
    CHECK(std::string(info.name) == program.name);
    CHECK(info.nr_func_info == 1);
    CHECK(info.nr_line_info >= program.lines.size()); // the verifier's rewriting may split a line's instructions
    const Btf types(btf__load_from_kernel_by_id(info.btf_id));
    REQUIRE(types != nullptr);

    bpf_func_info function{};
    bpf_line_info line{};
    bpf_prog_info wanted{};
    wanted.nr_func_info = 1;
    wanted.func_info_rec_size = sizeof function;
    wanted.func_info = reinterpret_cast<std::uintptr_t>(&function);
    wanted.nr_line_info = 1;
    wanted.line_info_rec_size = sizeof line;
    wanted.line_info = reinterpret_cast<std::uintptr_t>(&line);
    __u32 size = sizeof wanted;
    const int fd = bpf_program__fd(bpf_object__find_program_by_name(object.get(), program.name.c_str()));
    REQUIRE(bpf_obj_get_info_by_fd(fd, &wanted, &size) == 0);
    CHECK(type_name(types, function.type_id) == program.name);
    CHECK(btf__name_by_offset(types.get(), line.line_off) == program.lines.front().text);
    CHECK(btf__name_by_offset(types.get(), line.file_name_off) == program.lines.front().file);
    CHECK(BPF_LINE_INFO_LINE_NUM(line.line_col) == program.lines.front().line);
}

void check_map(const Object &object, const MapSpec &map)
{
    CAPTURE(map.name);
    const bpf_map_info info = info_of_map(object, map.name);
    CHECK(std::string(info.name) == map.name);
    CHECK(info.type == bpf_type_of(map.kind));
    CHECK(info.key_size == map.key.size);
    CHECK(info.value_size == map.value.size);
    CHECK(info.max_entries == map.max_entries);
    CHECK((info.map_flags & ~std::uint32_t{BPF_F_RDONLY_PROG}) == map.flags); // devmaps have it without asking
    const bool queue = map.kind == MapKind::queue || map.kind == MapKind::stack;
    if (has(map.kind, map_trait::redirect) || queue || map.value.size == 0) // the kernel takes no types for these
        return;
    CHECK(info.btf_id != 0);
    CHECK((info.btf_key_type_id != 0) == (map.key.size != 0));
    CHECK(info.btf_value_type_id != 0);
}

void check_all(const Image &image)
{
    CAPTURE(image.name);
    const Object object = load(image);
    for (const ProgramImage &program : image.programs)
        check_program(object, program);
    for (const MapSpec &map : image.maps)
        check_map(object, map);
}

} // namespace

TEST_CASE("the kernel loads every sample, with names, sizes, types and lines, and libbpf warns of nothing")
{
    XDPF_NEEDS_ROOT();
    check_all(samples::redirect_all());
    check_all(samples::all_kinds());
    check_all(samples::several_programs());
    check_all(samples::many_maps());
    check_all(samples::no_maps());
}

TEST_CASE("keys and values have their fields in the kernel's BTF")
{
    XDPF_NEEDS_ROOT();
    const Image image = samples::all_kinds();
    const Object object = load(image);
    const bpf_map_info info = info_of_map(object, "flows");
    const Btf types(btf__load_from_kernel_by_id(info.btf_id));
    REQUIRE(types != nullptr);
    const btf_type *key = btf__type_by_id(types.get(), info.btf_key_type_id);
    REQUIRE(btf_is_struct(key));
    CHECK(type_name(types, info.btf_key_type_id) == "flow_key");
    CHECK(type_name(types, info.btf_value_type_id) == "counter");
    const Layout &layout = image.maps[0].key;
    REQUIRE(btf_vlen(key) == layout.fields.size());
    for (std::size_t i = 0; i < layout.fields.size(); ++i) {
        const btf_member &member = btf_members(key)[i];
        CHECK(btf__name_by_offset(types.get(), member.name_off) == layout.fields[i].name);
        CHECK(member.offset == layout.fields[i].offset * 8);
        CHECK(btf__resolve_size(types.get(), member.type) == layout.fields[i].size);
    }
    CHECK(type_name(types, info_of_map(object, "pairs").btf_key_type_id) == "pairs_key");
}

namespace {

std::uint32_t run(const Object &object, const char *name)
{
    std::array<unsigned char, 64> packet{};
    LIBBPF_OPTS(bpf_test_run_opts, options);
    options.data_in = packet.data();
    options.data_size_in = packet.size();
    bpf_program *program = bpf_object__find_program_by_name(object.get(), name);
    REQUIRE(program != nullptr);
    REQUIRE(bpf_prog_test_run_opts(bpf_program__fd(program), &options) == 0);
    return options.retval;
}

} // namespace

TEST_CASE("programs of one object run as themselves")
{
    XDPF_NEEDS_ROOT();
    const Object object = load(samples::several_programs());
    CHECK(run(object, "dropper") == XDP_DROP);
    CHECK(run(object, "passer") == XDP_PASS);
    CHECK(run(object, "redirect_all") == XDP_DROP); // its fallback: the slot is empty
}

TEST_CASE("programs for devmaps and cpumaps load as such")
{
    XDPF_NEEDS_ROOT();
    const Image image = samples::every_place();
    check_all(image);
    const Object object = load(image);
    for (const ProgramImage &program : image.programs) {
        CAPTURE(program.name);
        const bpf_program *loaded = bpf_object__find_program_by_name(object.get(), program.name.c_str());
        const bpf_attach_type type = bpf_program__expected_attach_type(loaded);
        CHECK(type == (program.place == ProgramImage::Place::devmap   ? BPF_XDP_DEVMAP
                       : program.place == ProgramImage::Place::cpumap ? BPF_XDP_CPUMAP
                                                                      : BPF_XDP));
    }
}

TEST_CASE("programs that take fragments go to interfaces whose packets may come in pieces, others do not")
{
    XDPF_NEEDS_ROOT();
    testing::with_veth(1, [] {
        testing::set_mtu("xdpfrt0", 9000);
        testing::set_mtu("xdpfrt1", 9000);
        const Object object = load(samples::every_place());
        const auto attach = [&](const char *program) {
            const int fd = bpf_program__fd(bpf_object__find_program_by_name(object.get(), program));
            return bpf_xdp_attach(static_cast<int>(if_nametoindex("xdpfrt0")), fd, XDP_FLAGS_DRV_MODE, nullptr);
        };
        CHECK(attach("on_interface") == -ERANGE);
        CHECK(attach("on_interface_f") == 0);
    });
}

TEST_CASE("data is a map of the section's bytes, by field in BTF, and what is put there is what programs see")
{
    XDPF_NEEDS_ROOT();
    const Object object = load(samples::with_data());
    CHECK(run(object, "with_data") == 53 + 7 + 1);
    bpf_map *map = bpf_object__find_map_by_name(object.get(), ".data");
    REQUIRE(map != nullptr);
    const bpf_map_info info = info_of_map(object, ".data");
    CHECK(info.value_size == 16);
    CHECK(info.max_entries == 1);
    REQUIRE(info.btf_value_type_id != 0);
    const Btf types(btf__load_from_kernel_by_id(info.btf_id));
    REQUIRE(types != nullptr);
    const btf_type *section = btf__type_by_id(types.get(), info.btf_value_type_id);
    REQUIRE(btf_is_datasec(section));
    REQUIRE(btf_vlen(section) == 3);
    CHECK(type_name(types, btf_var_secinfos(section)[2].type) == "limit");
    CHECK(btf_var_secinfos(section)[2].offset == 8);

    std::array<unsigned char, 16> bytes{};
    bytes[0] = 3;
    const __u32 zero = 0;
    REQUIRE(bpf_map__update_elem(map, &zero, sizeof zero, bytes.data(), bytes.size(), BPF_ANY) == 0);
    CHECK(run(object, "with_data") == 3);
}

TEST_CASE("maps without keys or types, with flags and pins")
{
    XDPF_NEEDS_ROOT();
    const std::string pins = "/sys/fs/bpf/xdpf_object_test";
    const std::string pin = pins + "/kept";
    LIBBPF_OPTS(bpf_object_open_opts, options, .pin_root_path = pins.c_str());
    const Image image = samples::unusual_maps();
    const Object object = open(image, &options);
    load(object);
    for (const MapSpec &map : image.maps)
        check_map(object, map);
    const btf *const types = bpf_object__btf(object.get());
    const int record = btf__find_by_name_kind(types, "events_0", BTF_KIND_STRUCT);
    REQUIRE(record > 0);
    CHECK(btf_vlen(btf__type_by_id(types, static_cast<__u32>(record))) == 3);
    const Object other = open(image, &options);
    load(other);
    CHECK(info_of_map(object, "kept").id == info_of_map(other, "kept").id); // shared
    CHECK(info_of_map(object, "seen").id != info_of_map(other, "seen").id);
    CHECK(unlink(pin.c_str()) == 0);
    CHECK(rmdir(pins.c_str()) == 0);
}

TEST_CASE("functions of the kernel are found, and a device answers")
{
    XDPF_NEEDS_ROOT();
    testing::with_veth(1, [] {
        constexpr __u32 bound_to_device = 1U << 6; // BPF_F_XDP_DEV_BOUND_ONLY, since Linux 6.3
        const Object object = open(samples::with_kfuncs());
        bpf_program *program = bpf_object__find_program_by_name(object.get(), "kfuncs");
        REQUIRE(program != nullptr);
        bpf_program__set_ifindex(program, if_nametoindex("xdpfrt0"));
        REQUIRE(bpf_program__set_flags(program, bound_to_device) == 0);
        load(object);
    });
}
