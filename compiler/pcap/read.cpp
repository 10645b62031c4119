#include "compiler/pcap/read.hpp"

#include <pcap/pcap.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

namespace xdpf::pcap {

std::expected<std::vector<std::vector<std::byte>>, std::string> read(const std::string &path, std::size_t most)
{
    std::error_code code;
    if (std::filesystem::is_directory(path, code))
        return std::unexpected("it is a folder");
    // Not by its name: libpcap takes "-" for standard input.
    std::FILE *file = std::fopen(path.c_str(), "rbe");
    if (file == nullptr)
        return std::unexpected(std::strerror(errno));
    char said[PCAP_ERRBUF_SIZE] = {};
    const std::unique_ptr<pcap_t, decltype([](pcap_t *one) { pcap_close(one); })> capture(
        pcap_fopen_offline(file, said));
    if (capture == nullptr) {
        (void)std::fclose(file);
        return std::unexpected(said);
    }
    if (pcap_datalink(capture.get()) != DLT_EN10MB)
        return std::unexpected("its packets are not Ethernet");
    std::vector<std::vector<std::byte>> packets;
    while (true) {
        pcap_pkthdr *header = nullptr;
        const u_char *data = nullptr;
        const int result = pcap_next_ex(capture.get(), &header, &data);
        if (result == PCAP_ERROR_BREAK)
            return packets;
        if (result != 1)
            return std::unexpected(pcap_geterr(capture.get()));
        if (packets.size() == most)
            return std::unexpected("it has more than " + std::to_string(most) + " packets");
        const auto *bytes = reinterpret_cast<const std::byte *>(data);
        packets.emplace_back(bytes, bytes + header->caplen);
    }
}

} // namespace xdpf::pcap
