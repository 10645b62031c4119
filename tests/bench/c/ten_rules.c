// filters/ten_rules.xdpf, by hand.
#include "packet.h"

static __always_inline int tcp_rules(struct xdp_md *ctx, struct tcphdr *tcp, struct iphdr *ip4)
{
    __u32 port = bpf_ntohs(tcp->dest);

    if (tcp->syn && tcp->rst)
        return XDP_DROP;
    if (port == 22 || port == 179)
        return XDP_PASS;
    if (port == 443 && ip4 && (ip4->daddr & bpf_htonl(0xffff0000)) == bpf_htonl(0x0a010000))
        return to_socket(ctx);
    return XDP_DROP;
}

static __always_inline int udp_rules(struct xdp_md *ctx, struct udphdr *udp, struct ipv6hdr *ip6)
{
    __u32 port = bpf_ntohs(udp->dest);

    if (port == 4789 || (port >= 5000 && port <= 5999))
        return to_socket(ctx);
    if (udp->source == bpf_htons(123))
        return XDP_DROP;
    if (ip6 && ip6->daddr.in6_u.u6_addr32[0] == bpf_htonl(0x20010db8))
        return to_socket(ctx);
    return XDP_DROP;
}

SEC("xdp") int ten_rules(struct xdp_md *ctx)
{
    void *end = (void *)(long)ctx->data_end;
    struct headers found = headers_of(ctx);
    struct tcphdr *tcp = tcp_of(&found, end);
    struct udphdr *udp = udp_of(&found, end);

    if (found.ip4 && (found.ip4->saddr & bpf_htonl(0xffffff00)) == bpf_htonl(0xc6336400))
        return XDP_DROP;
    if (tcp)
        return tcp_rules(ctx, tcp, found.ip4);
    if (udp)
        return udp_rules(ctx, udp, found.ip6);
    if (found.transport + 8 > end) // icmp and icmpv6 are 8 bytes long
        return XDP_DROP;
    if (found.ip4 && found.protocol == IPPROTO_ICMP && *(__u8 *)found.transport == 8)
        return XDP_PASS;
    return found.ip6 && found.protocol == IPPROTO_ICMPV6 ? XDP_PASS : XDP_DROP;
}
