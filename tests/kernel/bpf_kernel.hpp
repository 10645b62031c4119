// Programs in the kernel, without an object file: load, run on a packet.
#pragma once

#include "compiler/image.hpp"

#include <bpf/bpf.h>
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

class KernelProgram {
public:
    KernelProgram(const ProgramImage &program, std::span<const MapSpec> maps)
    {
        for (const MapSpec &map : maps)
            maps_.emplace_back(bpf_map_create(static_cast<bpf_map_type>(bpf_type_of(map.kind)), nullptr, map.key.size,
                                              map.value.size, map.max_entries, nullptr));
        std::vector<bpf_insn> insns(program.insns.size());
        std::memcpy(insns.data(), program.insns.data(), insns.size() * sizeof(bpf_insn));
        for (const MapReference &reference : program.map_references)
            insns[reference.insn].imm = maps_[reference.map.value].get();
        program_ = load(insns, {});
        if (!loaded()) {
            log_.resize(1 << 20);
            program_ = load(insns, log_);
            log_.resize(std::strlen(log_.c_str()));
            log_ += std::strerror(errno);
        }
    }

    [[nodiscard]] bool loaded() const { return program_.get() >= 0; }
    // What the verifier says to a program it refuses.
    [[nodiscard]] const std::string &log() const { return log_; }

    [[nodiscard]] std::optional<std::uint32_t> run(std::span<const std::byte> packet) const
    {
        LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = packet.data(),
                    .data_size_in = static_cast<__u32>(packet.size()), .repeat = 1);
        if (bpf_prog_test_run_opts(program_.get(), &options) != 0)
            return std::nullopt;
        return options.retval;
    }

private:
    static Descriptor load(const std::vector<bpf_insn> &insns, std::span<char> log)
    {
        LIBBPF_OPTS(bpf_prog_load_opts, options);
        if (!log.empty()) {
            options.log_level = 1;
            options.log_buf = log.data();
            options.log_size = static_cast<__u32>(log.size());
        }
        return Descriptor(bpf_prog_load(BPF_PROG_TYPE_XDP, "test", "GPL", insns.data(), insns.size(), &options));
    }

    std::vector<Descriptor> maps_;
    Descriptor program_;
    std::string log_;
};

} // namespace xdpf::testing
