// A language server: requests and notifications in, answers and diagnostics out (LSP 3.17, JSON-RPC 2.0).
#pragma once

#include "runtime/cli/lsp_answers.hpp"
#include "runtime/cli/lsp_documents.hpp"
#include "runtime/cli/lsp_stream.hpp"

#include <expected>
#include <optional>
#include <string>
#include <string_view>

namespace xdpf::cli {

class LspServer {
public:
    // `version` is what the server tells of itself.
    LspServer(LspStream &stream, std::string version) : stream_(stream), version_(std::move(version)) {}

    // Until `exit` or the end of the input. The exit status: 0 behind a `shutdown`, else 1.
    [[nodiscard]] int run();

private:
    struct Failure {
        int code;
        std::string message;
    };
    using Answer = std::expected<Json, Failure>;

    void take(const std::string &message);
    void request(const Json &id, const std::string &method, const Json &parameters);
    void notification(const std::string &method, const Json &parameters);
    [[nodiscard]] Answer answer(const std::string &method, const Json &parameters);
    [[nodiscard]] Answer about_document(const std::string &method, const Json &parameters);
    [[nodiscard]] Json initialize(const Json &parameters);
    void open(const Json &parameters);
    void change(const Json &parameters);
    void close(const Json &parameters);
    void publish(const std::string &uri, std::optional<std::int64_t> version, Json diagnostics);
    void tell_diagnostics();
    void send(const Json &message);
    void fail(const Json &id, const Failure &failure);

    enum class Phase : std::uint8_t { fresh, initialized, shut_down, ended };

    LspStream &stream_;
    std::string version_;
    Phase phase_ = Phase::fresh;
    bool orderly_ = false; // `shutdown` came
    LspClient client_;
    LspDocuments documents_;
};

} // namespace xdpf::cli
