// filters/udp_strict.xdpf, by hand.
#include "packet.h"

SEC("xdp") int udp_strict(struct xdp_md *ctx)
{
    void *data = (void *)(long)ctx->data;
    void *end = (void *)(long)ctx->data_end;
    struct ethhdr *ethernet = data;
    struct headers found = {.protocol = no_protocol};

    if (data + sizeof *ethernet > end || ethernet->h_proto != bpf_htons(ETH_P_IP))
        return XDP_PASS;
    walk_ipv4(&found, data + sizeof *ethernet, end);
    return udp_of(&found, end) ? to_socket(ctx) : XDP_PASS;
}
