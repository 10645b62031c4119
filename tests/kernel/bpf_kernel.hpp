// Programs in the kernel, without an object file: load, run on a packet.
#pragma once

#include "compiler/image.hpp"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace xdpf::testing {

class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor &operator=(Descriptor &&other) noexcept
    {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor()
    {
        if (fd_ >= 0)
            ::close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }

private:
    int fd_;
};

// The maps of a module as the kernel has them, empty at first; `data` has its bytes.
class KernelMaps {
public:
    explicit KernelMaps(std::span<const MapSpec> maps)
    {
        for (const MapSpec &map : maps) {
            LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = map.flags);
            maps_.emplace_back(bpf_map_create(static_cast<bpf_map_type>(bpf_type_of(map.kind)), nullptr, map.key.size,
                                              map.value.size, map.max_entries, &options));
            const std::uint32_t zero = 0;
            if (map.data)
                bpf_map_update_elem(maps_.back().get(), &zero, map.initial.data(), BPF_ANY);
        }
    }
    [[nodiscard]] int fd(MapId map) const { return maps_[map.value].get(); }

private:
    std::vector<Descriptor> maps_;
};

struct KernelResult {
    std::uint32_t verdict = 0;
    std::vector<std::byte> bytes; // the metadata, if there is any, and the packet
};

class KernelProgram {
public:
    KernelProgram(const ProgramImage &program, const KernelMaps &maps, std::uint32_t device = 0)
    {
        std::vector<bpf_insn> insns(program.insns.size());
        std::memcpy(insns.data(), program.insns.data(), insns.size() * sizeof(bpf_insn));
        for (const MapReference &reference : program.map_references)
            insns[reference.insn].imm = maps.fd(reference.map);
        link(insns, program.kfunc_references);
        LIBBPF_OPTS(bpf_prog_load_opts, options);
        options.expected_attach_type = program.place == ProgramImage::Place::devmap   ? BPF_XDP_DEVMAP
                                       : program.place == ProgramImage::Place::cpumap ? BPF_XDP_CPUMAP
                                                                                      : BPF_XDP;
        if (device != 0) {
            options.prog_ifindex = device;
            options.prog_flags = 1U << 6; // BPF_F_XDP_DEV_BOUND_ONLY, since Linux 6.3
        }
        program_ = load(insns, options);
        if (!loaded()) {
            log_.resize(1 << 20);
            options.log_level = 1;
            options.log_buf = log_.data();
            options.log_size = static_cast<__u32>(log_.size());
            program_ = load(insns, options);
            log_.resize(std::strlen(log_.c_str()));
            log_ += std::strerror(errno);
        }
    }

    [[nodiscard]] bool loaded() const { return program_.get() >= 0; }
    [[nodiscard]] int fd() const { return program_.get(); }
    // What the verifier says to a program it refuses.
    [[nodiscard]] const std::string &log() const { return log_; }

    [[nodiscard]] std::optional<KernelResult> run(std::span<const std::byte> packet) const
    {
        KernelResult result;
        result.bytes.resize(8192);
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(), .data_out = result.bytes.data(),
                    .data_size_in = static_cast<__u32>(packet.size()),
                    .data_size_out = static_cast<__u32>(result.bytes.size()), .repeat = 1);
        if (bpf_prog_test_run_opts(program_.get(), &options) != 0)
            return std::nullopt;
        result.verdict = options.retval;
        result.bytes.resize(options.data_size_out);
        return result;
    }

private:
    // Functions of the kernel are called by their number in its BTF.
    static void link(std::span<bpf_insn> insns, std::span<const KfuncReference> references)
    {
        if (references.empty())
            return;
        btf *const types = btf__load_vmlinux_btf();
        for (const KfuncReference &reference : references)
            insns[reference.insn].imm =
                btf__find_by_name_kind(types, std::string(name_of(reference.kfunc)).c_str(), BTF_KIND_FUNC);
        btf__free(types);
    }

    static Descriptor load(const std::vector<bpf_insn> &insns, const bpf_prog_load_opts &options)
    {
        return Descriptor(bpf_prog_load(BPF_PROG_TYPE_XDP, "test", "GPL", insns.data(), insns.size(), &options));
    }

    Descriptor program_;
    std::string log_;
};

} // namespace xdpf::testing
