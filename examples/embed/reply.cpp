// embed_reply INTERFACE: answers UDP to port 4000 from user space with what was asked, until Ctrl-C. A packet is turned
// around where it lies: the frame that it came in goes out again.
#include "compiler/compile.hpp"
#include "runtime/consumers.hpp"

#include <fmt/format.h>

int main(int argc, char **argv)
{
    using namespace xdpf::runtime;
    const auto compilation = xdpf::compile("match udp.dport == 4000 -> xsk");
    auto session =
        Session::open(compilation.image(), {.interface = argc == 2 ? argv[1] : "", .socket = {.tx_size = 2048}});
    auto error = session ? std::nullopt : std::optional(session.error());
    while (!error) {
        if (auto woken = session->wait(std::chrono::milliseconds(-1)); !woken)
            error = woken.error();
        for (Queue &queue : session->queues()) {
            Batch batch = queue.receive();
            for (std::uint32_t i = 0; i < batch.size(); ++i) {
                turn_around(batch[i]); // addresses and ports; here its bytes can become an answer
                if (!batch.send(i, queue))
                    fmt::print(stderr, "no room in the TX ring\n");
            }
            if (auto sent = queue.flush(); !sent)
                error = sent.error();
        }
    }
    fmt::print(stderr, "{}\n", to_string(*error));
    return 1;
}
