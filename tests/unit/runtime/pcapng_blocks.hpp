// A pcapng file taken apart by its blocks, without libpcap: lengths at both ends, options, padding.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <unistd.h>

namespace xdpf::test {

struct Scratch {
    Scratch()
    {
        char name[] = "/tmp/xdpf-pcapng-XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        folder = name;
    }
    ~Scratch() { std::filesystem::remove_all(folder); }
    [[nodiscard]] std::string operator/(const std::string &name) const { return folder + "/" + name; }
    [[nodiscard]] std::vector<std::string> files() const
    {
        std::vector<std::string> names;
        for (const auto &entry : std::filesystem::directory_iterator(folder))
            names.push_back(entry.path().filename());
        std::sort(names.begin(), names.end());
        return names;
    }
    std::string folder;
};

struct Block {
    std::uint32_t type = 0;
    std::string body; // between the two lengths

    template <class T> [[nodiscard]] T number(std::size_t at) const
    {
        T value{};
        REQUIRE(at + sizeof value <= body.size());
        std::memcpy(&value, body.data() + at, sizeof value);
        return value;
    }
    // From offset `at` on, by code; with opt_endofopt as the last one.
    [[nodiscard]] std::map<int, std::string> options(std::size_t at) const
    {
        std::map<int, std::string> found;
        while (true) {
            const auto code = number<std::uint16_t>(at);
            const auto length = number<std::uint16_t>(at + 2);
            REQUIRE(at + 4 + length <= body.size());
            REQUIRE(!found.contains(code));
            found[code] = body.substr(at + 4, length);
            at += 4 + (length + 3) / 4 * 4;
            if (code == 0) {
                REQUIRE(length == 0);
                REQUIRE(at == body.size());
                return found;
            }
        }
    }
};

template <class T> T as(const std::string &bytes)
{
    T value{};
    REQUIRE(bytes.size() == sizeof value);
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

inline std::vector<Block> blocks_of(const std::string &path)
{
    std::ifstream in(path, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(in)), {});
    std::vector<Block> blocks;
    for (std::size_t at = 0; at < text.size();) {
        std::uint32_t head[2];
        REQUIRE(at + sizeof head <= text.size());
        std::memcpy(head, text.data() + at, sizeof head);
        REQUIRE(head[1] % 4 == 0);
        REQUIRE(head[1] >= 12);
        REQUIRE(at + head[1] <= text.size());
        blocks.push_back({head[0], text.substr(at + 8, head[1] - 12)});
        CHECK(as<std::uint32_t>(text.substr(at + head[1] - 4, 4)) == head[1]);
        at += head[1];
    }
    return blocks;
}

} // namespace xdpf::test
