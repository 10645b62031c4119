#include "runtime/capture_file.hpp"

#include <fmt/format.h>
#include <pcap/pcap.h>

#include <cerrno>
#include <cstdio>
#include <string_view>
#include <sys/stat.h>

namespace xdpf::runtime {
namespace {

constexpr std::string_view how_to_capture = "tcpdump -i eth0 -s 0 -w capture.pcap";

struct CloseFile {
    void operator()(std::FILE *file) const
    {
        if (file != stdin)
            (void)std::fclose(file);
    }
};
using File = std::unique_ptr<std::FILE, CloseFile>;
using Pcap = std::unique_ptr<pcap_t, decltype([](pcap_t *pcap) { pcap_close(pcap); })>;

std::string cannot_read(const std::string &path)
{
    return fmt::format("cannot read {}", path == "-" ? "standard input" : fmt::format("'{}'", path));
}

Error not_found(const std::string &path, int code)
{
    Error error = system_error(cannot_read(path), "open", code);
    if (code == ENOENT) {
        error.cause = "there is no such file";
        error.remedy = std::string(how_to_capture);
    } else if (code == EISDIR) {
        error.cause = "it is a folder";
        error.remedy = fmt::format("ls '{}'", path);
    } else if (code == EACCES) {
        error.cause = "the file's permissions do not allow it";
        error.remedy = fmt::format("ls -l '{}'", path);
    }
    return error;
}

Result<File> open_file(const std::string &path)
{
    File file(path == "-" ? stdin : std::fopen(path.c_str(), "rbe"));
    if (!file)
        return std::unexpected(not_found(path, errno));
    struct stat status {};
    if (fstat(fileno(file.get()), &status) == 0 && S_ISDIR(status.st_mode))
        return std::unexpected(not_found(path, EISDIR));
    if (const int first = std::fgetc(file.get()); first == EOF)
        return std::unexpected(Error{.stage = cannot_read(path),
                                     .message = "it is empty",
                                     .cause = "even a capture without packets has a header of 24 bytes",
                                     .remedy = std::string(how_to_capture)});
    else
        std::ungetc(first, file.get());
    return file;
}

Error not_a_capture(const std::string &path, std::string_view said)
{
    Error error{.stage = cannot_read(path), .message = std::string(said), .remedy = fmt::format("file '{}'", path)};
    if (said.find("unknown file format") != std::string_view::npos) {
        error.message = "it is no capture file";
        error.cause = "captures are pcap or pcapng, as tcpdump and Wireshark write them";
    } else if (said.find("truncated") != std::string_view::npos) {
        error.message = "its header is cut short";
        error.cause = "the capture was stopped before it wrote anything, or the file was not copied as a whole";
    }
    return error;
}

Error wrong_link(const std::string &path, int link)
{
    const char *name = pcap_datalink_val_to_name(link);
    const char *meaning = pcap_datalink_val_to_description(link);
    return {.stage = cannot_read(path),
            .message = fmt::format("its packets are {}, not Ethernet", name == nullptr
                                                                           ? fmt::format("of link type {}", link)
                                                                           : fmt::format("{} ({})", name, meaning)),
            .cause =
                "XDP programs see packets that begin with an Ethernet header; the interface 'any' and tunnels have "
                "others",
            .remedy = fmt::format("{}    (an interface with Ethernet)", how_to_capture)};
}

} // namespace

struct CaptureFile::State {
    std::string path;
    Pcap pcap;
    std::uint64_t packets = 0; // read so far
};

CaptureFile::CaptureFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
CaptureFile::CaptureFile(CaptureFile &&) noexcept = default;
CaptureFile &CaptureFile::operator=(CaptureFile &&) noexcept = default;
CaptureFile::~CaptureFile() = default;

Result<CaptureFile> CaptureFile::open(const std::string &path)
{
    Result<File> file = open_file(path);
    if (!file)
        return std::unexpected(std::move(file.error()));
    char said[PCAP_ERRBUF_SIZE] = {};
    auto state = std::make_unique<State>();
    state->path = path;
    state->pcap.reset(pcap_fopen_offline_with_tstamp_precision(file->get(), PCAP_TSTAMP_PRECISION_NANO, said));
    if (!state->pcap)
        return std::unexpected(not_a_capture(path, said));
    (void)file->release(); // pcap_close() closes it
    if (const int link = pcap_datalink(state->pcap.get()); link != DLT_EN10MB)
        return std::unexpected(wrong_link(path, link));
    return CaptureFile(std::move(state));
}

Result<std::optional<CapturedPacket>> CaptureFile::next()
{
    pcap_pkthdr *header = nullptr;
    const u_char *data = nullptr;
    const int result = pcap_next_ex(state_->pcap.get(), &header, &data);
    if (result == PCAP_ERROR_BREAK)
        return std::nullopt;
    if (result != 1) {
        const std::string_view said = pcap_geterr(state_->pcap.get());
        const bool cut = said.find("truncated") != std::string_view::npos;
        return std::unexpected(
            Error{.stage = cannot_read(state_->path),
                  .message = cut ? fmt::format("it ends in the middle of packet {}", state_->packets + 1)
                                 : fmt::format("packet {}: {}", state_->packets + 1, said),
                  .cause = cut ? "the capture is still being written, or the file was not copied as a whole"
                               : "the file is damaged from there on",
                  .remedy = fmt::format("ls -l '{}'", state_->path)});
    }
    ++state_->packets;
    const auto seconds = static_cast<std::uint64_t>(header->ts.tv_sec);
    // tv_usec holds nanoseconds: that is the precision that was asked for.
    return CapturedPacket{{reinterpret_cast<const std::byte *>(data), header->caplen},
                          header->len,
                          seconds * 1'000'000'000 + static_cast<std::uint64_t>(header->ts.tv_usec)};
}

std::uint32_t CaptureFile::snap_length() const { return static_cast<std::uint32_t>(pcap_snapshot(state_->pcap.get())); }

} // namespace xdpf::runtime
