/* embed_receive_c INTERFACE: takes UDP to port 4000 away from the kernel's stack and counts it, until Ctrl-C.
 *   cc receive.c -o embed_receive_c $(pkg-config --cflags --libs xdpf) */
#include <stdio.h>
#include <xdpf.h>

int main(int argc, char **argv)
{
    char *said = NULL;
    xdpf_filter *filter = xdpf_compile("match udp.dport == 4000 -> xsk", "receive.c", &said);
    struct xdpf_options options = {.size = sizeof options, .interface = argc == 2 ? argv[1] : ""};
    xdpf_session *session = filter != NULL ? xdpf_open(filter, &options, &said) : NULL;
    for (unsigned long packets = 0; session != NULL;) {
        struct xdpf_packet packet[64];
        if (xdpf_wait(session, -1, &said) < 0)
            break;
        size_t count = xdpf_receive(session, packet, 64);
        for (size_t i = 0; i < count; ++i)
            printf("packet %lu from queue %u: %u bytes\n", ++packets, packet[i].queue, packet[i].size);
        fflush(stdout);
    }
    fprintf(stderr, "%s\n", said != NULL ? said : "");
    return 1;
}
