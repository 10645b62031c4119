// What the C filters share: a packet's headers up to the transport, found as the standard library describes them.
#pragma once

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

enum { most_tags = 2, most_extensions = 6, no_protocol = 256 };

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u32);
} xsks SEC(".maps");

char _license[] SEC("license") = "GPL";

static __always_inline int to_socket(struct xdp_md *ctx)
{
    return bpf_redirect_map(&xsks, ctx->rx_queue_index, XDP_PASS);
}

// Absent headers are null; `transport` stands behind the last network header, and is worth reading only where
// `protocol` names something, up to `end`.
struct headers {
    struct iphdr *ip4;
    struct ipv6hdr *ip6;
    void *transport;
    __u32 protocol;
};

static __always_inline void walk_ipv4(struct headers *found, void *at, void *end)
{
    struct iphdr *ip = at;

    if (at + sizeof *ip > end || ip->version != 4 || ip->ihl < 5 || at + ip->ihl * 4 > end)
        return;
    found->ip4 = ip;
    found->transport = at + ip->ihl * 4;
    if ((ip->frag_off & bpf_htons(0x1fff)) == 0)
        found->protocol = ip->protocol;
}

static __always_inline void walk_ipv6(struct headers *found, void *at, void *end)
{
    struct ipv6hdr *ip = at;
    __u32 protocol;

    if (at + sizeof *ip > end || ip->version != 6)
        return;
    found->ip6 = ip;
    protocol = ip->nexthdr;
    at += sizeof *ip;
#pragma unroll
    for (int i = 0; i < most_extensions; ++i) {
        __u8 *extension = at;

        if (protocol != IPPROTO_HOPOPTS && protocol != IPPROTO_ROUTING && protocol != IPPROTO_DSTOPTS &&
            protocol != IPPROTO_FRAGMENT && protocol != IPPROTO_AH)
            break;
        if (at + 8 > end)
            return;
        if (protocol == IPPROTO_FRAGMENT) {
            if ((*(__be16 *)(extension + 2) & bpf_htons(0xfff8)) != 0)
                return;
            at += 8;
        } else if (protocol == IPPROTO_AH) {
            at += (extension[1] + 2) * 4;
        } else {
            at += (extension[1] + 1) * 8;
        }
        protocol = extension[0];
    }
    found->transport = at;
    found->protocol = protocol;
}

static __always_inline struct headers headers_of(struct xdp_md *ctx)
{
    struct headers found = {.protocol = no_protocol};
    void *end = (void *)(long)ctx->data_end;
    void *at = (void *)(long)ctx->data;
    struct ethhdr *ethernet = at;
    __be16 type;

    if (at + sizeof *ethernet > end)
        return found;
    type = ethernet->h_proto;
    at += sizeof *ethernet;
#pragma unroll
    for (int i = 0; i < most_tags; ++i) {
        if (type != bpf_htons(ETH_P_8021Q) && type != bpf_htons(ETH_P_8021AD) && type != bpf_htons(0x9100))
            break;
        if (at + 4 > end)
            return found;
        type = *(__be16 *)(at + 2);
        at += 4;
    }
    if (type == bpf_htons(ETH_P_IP))
        walk_ipv4(&found, at, end);
    else if (type == bpf_htons(ETH_P_IPV6))
        walk_ipv6(&found, at, end);
    return found;
}

static __always_inline struct udphdr *udp_of(const struct headers *found, void *end)
{
    struct udphdr *udp = found->transport;

    return found->protocol == IPPROTO_UDP && (void *)(udp + 1) <= end ? udp : 0;
}

static __always_inline struct tcphdr *tcp_of(const struct headers *found, void *end)
{
    struct tcphdr *tcp = found->transport;

    if (found->protocol != IPPROTO_TCP || (void *)(tcp + 1) > end || tcp->doff < 5)
        return 0;
    return (void *)tcp + tcp->doff * 4 <= end ? tcp : 0;
}
