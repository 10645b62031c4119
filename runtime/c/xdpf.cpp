#include "runtime/c/xdpf.h"

#include "compiler/compile.hpp"
#include "compiler/interpret.hpp"
#include "compiler/report.hpp"
#include "compiler/version.hpp"
#include "runtime/maps.hpp"
#include "runtime/session.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <string>

using namespace xdpf;
using runtime::Result;

struct xdpf_filter {
    explicit xdpf_filter(Compilation made)
        : compilation(std::move(made)), interpreter(compilation), object(compilation.object())
    {
    }

    Compilation compilation;
    Interpreter interpreter;
    std::vector<std::byte> object;
};

namespace {

struct Held { // a Batch does not move
    explicit Held(runtime::Queue &from, std::uint32_t most) : queue(from), batch(from.receive(most)) {}
    runtime::Queue &queue;
    runtime::Batch batch;
};

} // namespace

struct xdpf_session {
    explicit xdpf_session(runtime::Session opened) : session(std::move(opened)) {}

    runtime::Session session;
    std::optional<Held> held;
    std::size_t next_queue = 0; // is asked first, so that a busy one does not starve the others
    std::uint64_t received = 0;
};

namespace {

char *text(const std::string &from) { return strdup(from.c_str()); }

// Sets `error`; what a function that failed returns.
int said(char **error, const runtime::Error &why)
{
    if (error != nullptr)
        *error = text(to_string(why));
    return -1;
}

int outcome(char **error, const Result<void> &result)
{
    if (error != nullptr)
        *error = nullptr;
    return result ? 0 : said(error, result.error());
}

xdpf_filter *filter_of(Compilation compilation, char **messages)
{
    const std::string all = to_text(compilation.diagnostics(), compilation.sources());
    if (messages != nullptr)
        *messages = all.empty() ? nullptr : text(all);
    return compilation.ok() ? new xdpf_filter(std::move(compilation)) : nullptr;
}

// A field of a structure that the caller may have in an older, shorter form.
template <class Structure, class Field> Field field_of(const Structure &from, Field Structure::*field, Field otherwise)
{
    const auto end = reinterpret_cast<const char *>(&(from.*field)) - reinterpret_cast<const char *>(&from) +
                     static_cast<std::ptrdiff_t>(sizeof(Field));
    return from.size >= static_cast<std::size_t>(end) ? from.*field : otherwise;
}

runtime::SessionOptions options_of(const xdpf_options &from)
{
    runtime::SessionOptions options;
    if (const char *interface = field_of<xdpf_options, const char *>(from, &xdpf_options::interface, nullptr))
        options.interface = interface;
    if (const char *program = field_of<xdpf_options, const char *>(from, &xdpf_options::program, nullptr))
        options.program = program;
    switch (field_of(from, &xdpf_options::mode, XDPF_MODE_AUTO)) {
    case XDPF_MODE_AUTO: break;
    case XDPF_MODE_NATIVE: options.mode = runtime::Mode::native; break;
    case XDPF_MODE_SKB: options.mode = runtime::Mode::skb; break;
    }
    if (const std::uint32_t frames = field_of(from, &xdpf_options::frames, 0U); frames != 0)
        options.socket.umem.frames = frames;
    if (field_of(from, &xdpf_options::sends, 0) != 0)
        options.socket.tx_size = 2048;
    return options;
}

} // namespace

unsigned xdpf_abi(void) { return XDPF_ABI; }
const char *xdpf_version(void) { return XDPF_VERSION; }
void xdpf_free_text(char *text) { std::free(text); }

xdpf_filter *xdpf_compile(const char *source, const char *name, char **messages)
{
    return filter_of(compile(source, name), messages);
}

xdpf_filter *xdpf_compile_file(const char *path, char **messages) { return filter_of(compile_file(path), messages); }

void xdpf_filter_free(xdpf_filter *filter) { delete filter; }

const void *xdpf_filter_object(const xdpf_filter *filter, size_t *size)
{
    *size = filter->object.size();
    return filter->object.data();
}

xdpf_verdict xdpf_filter_run(xdpf_filter *filter, const void *packet, size_t size, uint32_t rx_queue, uint32_t *line)
{
    const std::span bytes(static_cast<const std::byte *>(packet), size);
    const PacketResult result = filter->interpreter.run(bytes, {.rx_queue = rx_queue});
    if (line != nullptr) {
        const Compilation &made = filter->compilation;
        const Span &rule = result.decided_by;
        const bool matched = std::ranges::count(made.image().programs[result.program].rules, rule) != 0;
        *line = matched ? made.sources().location(rule.file, rule.begin).line : 0;
    }
    return static_cast<xdpf_verdict>(result.verdict);
}

xdpf_session *xdpf_open(const xdpf_filter *filter, const xdpf_options *options, char **error)
{
    Result<runtime::Session> session = runtime::Session::open(filter->compilation.image(), options_of(*options));
    if (session) {
        if (error != nullptr)
            *error = nullptr;
        return new xdpf_session(std::move(*session));
    }
    (void)said(error, session.error());
    return nullptr;
}

int xdpf_close(xdpf_session *session, char **error)
{
    session->held.reset();
    const int result = outcome(error, session->session.close());
    delete session;
    return result;
}

int xdpf_fd(const xdpf_session *session) { return session->session.fd(); }
void xdpf_stop(xdpf_session *session) { session->session.stop(); }

int xdpf_wait(xdpf_session *session, int timeout_ms, char **error)
{
    const auto woken = session->session.wait(std::chrono::milliseconds(timeout_ms));
    if (!woken)
        return said(error, woken.error());
    if (error != nullptr)
        *error = nullptr;
    return *woken == runtime::Session::Wake::packets ? 1 : 0;
}

size_t xdpf_receive(xdpf_session *session, xdpf_packet *packets, size_t most)
{
    session->held.reset();
    const std::span<runtime::Queue> queues = session->session.queues();
    const auto wanted = static_cast<std::uint32_t>(std::min<std::size_t>(most, runtime::Batch::capacity));
    for (std::size_t tries = 0; tries < queues.size(); ++tries) {
        runtime::Queue &queue = queues[session->next_queue++ % queues.size()];
        const Held &held = session->held.emplace(queue, wanted);
        for (std::uint32_t i = 0; i < held.batch.size(); ++i)
            packets[i] = {reinterpret_cast<std::uint8_t *>(held.batch[i].data()),
                          static_cast<std::uint32_t>(held.batch[i].size()), queue.index()};
        session->received += held.batch.size();
        if (!held.batch.empty())
            return held.batch.size();
    }
    return 0;
}

void xdpf_release(xdpf_session *session) { session->held.reset(); }

int xdpf_send_back(xdpf_session *session, size_t index)
{
    std::optional<Held> &held = session->held;
    return held && index < held->batch.size() && held->batch.send(static_cast<std::uint32_t>(index), held->queue) ? 0
                                                                                                                  : -1;
}

int xdpf_send(xdpf_session *session, size_t queue, const void *packet, size_t size)
{
    const std::span<runtime::Queue> queues = session->session.queues();
    const std::span bytes(static_cast<const std::byte *>(packet), size);
    return queue < queues.size() && queues[queue].send(bytes) ? 0 : -1;
}

int xdpf_flush(xdpf_session *session, char **error)
{
    for (runtime::Queue &queue : session->session.queues())
        if (Result<void> sent = queue.flush(); !sent)
            return outcome(error, sent);
    return outcome(error, {});
}

int xdpf_get_counts(const xdpf_session *session, struct xdpf_counts *counts, char **error)
{
    struct xdpf_counts all {};
    all.received = session->received;
    for (const runtime::Queue &queue : session->session.queues()) {
        const auto statistics = queue.statistics();
        if (!statistics)
            return said(error, statistics.error());
        all.lost += statistics->lost();
        all.sent += queue.sent().sent;
        all.completed += queue.sent().completed;
    }
    const std::size_t size = counts->size;
    std::memcpy(counts, &all, std::min(size, sizeof all));
    counts->size = size;
    return outcome(error, {});
}

namespace {

// A map and a key of it, out of their texts.
struct Place {
    runtime::Map map;
    runtime::Bytes key;
};

Result<Place> place_of(xdpf_session *session, const char *map, const char *key)
{
    Result<runtime::Map> found = map_of(session->session.program(), map);
    if (!found)
        return std::unexpected(std::move(found.error()));
    Result<runtime::Bytes> bytes = found->key(key);
    if (!bytes)
        return std::unexpected(std::move(bytes.error()));
    return Place{std::move(*found), std::move(*bytes)};
}

} // namespace

char *xdpf_map_get(xdpf_session *session, const char *map, const char *key, char **error)
{
    const Result<Place> place = place_of(session, map, key);
    const auto value = place ? place->map.lookup(place->key) : std::unexpected(place.error());
    if (!value) {
        (void)said(error, value.error());
        return nullptr;
    }
    if (error != nullptr)
        *error = nullptr;
    return *value ? text(layout_text(place->map.spec().value, **value)) : nullptr;
}

int xdpf_map_set(xdpf_session *session, const char *map, const char *key, const char *value, char **error)
{
    const Result<Place> place = place_of(session, map, key);
    if (!place)
        return said(error, place.error());
    const Result<runtime::Bytes> bytes = place->map.value(value);
    return bytes ? outcome(error, place->map.update(place->key, *bytes)) : said(error, bytes.error());
}

int xdpf_map_delete(xdpf_session *session, const char *map, const char *key, char **error)
{
    const Result<Place> place = place_of(session, map, key);
    const Result<bool> gone = place ? place->map.erase(place->key) : std::unexpected(place.error());
    return gone ? outcome(error, {}) : said(error, gone.error());
}

int xdpf_set_parameter(xdpf_session *session, const char *name, const char *value, char **error)
{
    return outcome(error, session->session.program().set_parameter(name, std::string_view(value)));
}
