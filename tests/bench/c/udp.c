// filters/udp.xdpf, by hand.
#include "packet.h"

SEC("xdp") int udp(struct xdp_md *ctx)
{
    struct headers found = headers_of(ctx);

    return udp_of(&found, (void *)(long)ctx->data_end) ? to_socket(ctx) : XDP_PASS;
}
