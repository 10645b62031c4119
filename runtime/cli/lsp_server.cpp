#include "runtime/cli/lsp_server.hpp"

#include "runtime/cli/source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <limits>

namespace xdpf::cli {
namespace {

// JSON-RPC 2.0, section 5.1, and ErrorCodes of the protocol.
constexpr int parse_error = -32700;
constexpr int invalid_request = -32600;
constexpr int method_not_found = -32601;
constexpr int invalid_params = -32602;
constexpr int not_initialized = -32002;

const Json nothing = nullptr;

// What stands behind these keys, one in the other; null where anything is missing.
const Json &at(const Json &json, std::initializer_list<const char *> keys)
{
    const Json *here = &json;
    for (const char *key : keys) {
        if (!here->is_object())
            return nothing;
        const auto found = here->find(key);
        if (found == here->end())
            return nothing;
        here = &*found;
    }
    return *here;
}

std::optional<std::string> text_at(const Json &json, std::initializer_list<const char *> keys)
{
    const auto &found = at(json, keys);
    return found.is_string() ? std::optional(found.get<std::string>()) : std::nullopt;
}

bool is_true(const Json &json, std::initializer_list<const char *> keys)
{
    const auto &found = at(json, keys);
    return found.is_boolean() && found.get<bool>();
}

bool lists(const Json &json, std::string_view text)
{
    return json.is_array() && std::ranges::any_of(json, [&](const Json &one) { return one == text; });
}

std::optional<std::int64_t> number_at(const Json &json, std::initializer_list<const char *> keys)
{
    const auto &found = at(json, keys);
    return found.is_number_integer() ? std::optional(found.get<std::int64_t>()) : std::nullopt;
}

std::optional<LspPosition> position_at(const Json &json)
{
    const auto line = number_at(json, {"line"});
    const auto character = number_at(json, {"character"});
    if (!line || !character || *line < 0 || *character < 0)
        return std::nullopt;
    const auto limited = [](std::int64_t n) {
        return static_cast<std::uint32_t>(std::min<std::int64_t>(n, std::numeric_limits<std::uint32_t>::max()));
    };
    return LspPosition{limited(*line), limited(*character)};
}

// One change of textDocument/didChange; false where it is none.
bool apply(std::string &text, const Json &change, LspEncoding encoding)
{
    const auto with = text_at(change, {"text"});
    if (!with)
        return false;
    const auto &range = at(change, {"range"});
    if (range.is_null()) {
        text = *with;
        return true;
    }
    const auto begin = position_at(at(range, {"start"}));
    const auto end = position_at(at(range, {"end"}));
    if (!begin || !end)
        return false;
    const auto from = lsp_offset(text, *begin, encoding);
    const auto to = std::max(from, lsp_offset(text, *end, encoding));
    text.replace(from, to - from, *with);
    return true;
}

Json capabilities(LspEncoding encoding)
{
    return {{"positionEncoding", encoding == LspEncoding::utf8 ? "utf-8" : "utf-16"},
            {"textDocumentSync", {{"openClose", true}, {"change", 2}, {"save", Json::object()}}},
            {"hoverProvider", true},
            {"definitionProvider", true},
            {"documentSymbolProvider", true},
            {"documentFormattingProvider", true},
            {"codeActionProvider", {{"codeActionKinds", Json::array({"quickfix"})}}},
            {"completionProvider", {{"triggerCharacters", Json::array({".", "/", "\"", ">"})}}}};
}

} // namespace

int LspServer::run()
{
    while (phase_ != Phase::ended) {
        const auto message = stream_.read();
        if (!message)
            break;
        take(*message);
        tell_diagnostics();
    }
    return orderly_ ? exit_ok : exit_failure;
}

void LspServer::take(const std::string &message)
{
    const auto json = Json::parse(message, nullptr, false);
    if (json.is_discarded()) {
        fail(nullptr, {parse_error, "this is no JSON, or too much of it"});
        return;
    }
    const auto &id = at(json, {"id"});
    const auto method = text_at(json, {"method"});
    const bool has_id = json.is_object() && json.contains("id");
    if (!method) { // An answer to a request of ours is none: there are none.
        const bool is_answer = json.is_object() && (json.contains("result") || json.contains("error"));
        if (!is_answer)
            fail(id.is_string() || id.is_number() ? id : nothing, {invalid_request, "a message has a method"});
        return;
    }
    if (!has_id)
        notification(*method, at(json, {"params"}));
    else if (id.is_string() || id.is_number())
        request(id, *method, at(json, {"params"}));
    else
        fail(nullptr, {invalid_request, "the id of a request is a string or a number"});
}

void LspServer::request(const Json &id, const std::string &method, const Json &parameters)
{
    auto said = answer(method, parameters);
    if (said)
        send({{"jsonrpc", "2.0"}, {"id", id}, {"result", std::move(*said)}});
    else
        fail(id, said.error());
}

LspServer::Answer LspServer::answer(const std::string &method, const Json &parameters)
{
    const auto refuse = [](int code, std::string why) { return std::unexpected(Failure{code, std::move(why)}); };
    if (phase_ == Phase::fresh && method != "initialize")
        return refuse(not_initialized, "the first request is initialize");
    if (phase_ == Phase::shut_down)
        return refuse(invalid_request, "behind shutdown nothing comes but exit");
    if (method == "initialize") {
        if (phase_ != Phase::fresh)
            return refuse(invalid_request, "initialize comes once");
        return initialize(parameters);
    }
    if (method == "shutdown") {
        phase_ = Phase::shut_down;
        orderly_ = true;
        return nullptr;
    }
    if (method.starts_with("textDocument/"))
        return about_document(method, parameters);
    return refuse(method_not_found, fmt::format("there is no method '{}'", method));
}

LspServer::Answer LspServer::about_document(const std::string &method, const Json &parameters)
{
    using Place = Json (LspAnswers::*)(LspPosition) const;
    const auto refuse = [](int code, std::string why) { return std::unexpected(Failure{code, std::move(why)}); };
    const auto is = [&](std::string_view name) { return method == fmt::format("textDocument/{}", name); };
    const Place place = is("hover")        ? &LspAnswers::hover
                        : is("definition") ? &LspAnswers::definition
                        : is("completion") ? &LspAnswers::completion
                                           : nullptr;
    const bool known = place != nullptr || is("documentSymbol") || is("formatting") || is("codeAction");
    if (!known)
        return refuse(method_not_found, fmt::format("there is no method '{}'", method));
    const auto uri = text_at(parameters, {"textDocument", "uri"});
    auto *document = uri ? documents_.find(*uri) : nullptr;
    if (document == nullptr)
        return refuse(invalid_params, uri ? fmt::format("'{}' is not open", *uri) : "textDocument.uri is missing");
    const LspAnswers answers(client_, documents_, *document);
    if (is("documentSymbol"))
        return answers.symbols();
    if (is("formatting"))
        return answers.formatting();
    const auto begin =
        position_at(place != nullptr ? at(parameters, {"position"}) : at(parameters, {"range", "start"}));
    const auto end = position_at(place != nullptr ? at(parameters, {"position"}) : at(parameters, {"range", "end"}));
    if (!begin || !end)
        return refuse(invalid_params, "a place has a line and a character");
    return place != nullptr ? (answers.*place)(*begin) : answers.code_actions(*begin, *end);
}

Json LspServer::initialize(const Json &parameters)
{
    phase_ = Phase::initialized;
    const auto &offered = at(parameters, {"capabilities"});
    const auto &document = at(offered, {"textDocument"});
    if (lists(at(offered, {"general", "positionEncodings"}), "utf-8"))
        client_.encoding = LspEncoding::utf8;
    client_.markdown = lists(at(document, {"hover", "contentFormat"}), "markdown");
    client_.related_information = is_true(document, {"publishDiagnostics", "relatedInformation"});
    client_.symbol_tree = is_true(document, {"documentSymbol", "hierarchicalDocumentSymbolSupport"});
    return {{"capabilities", capabilities(client_.encoding)},
            {"serverInfo", {{"name", "xdpf"}, {"version", version_}}}};
}

void LspServer::notification(const std::string &method, const Json &parameters)
{
    if (method == "exit")
        phase_ = Phase::ended;
    if (phase_ != Phase::initialized)
        return;
    if (method == "textDocument/didOpen")
        open(parameters);
    else if (method == "textDocument/didChange")
        change(parameters);
    else if (method == "textDocument/didClose")
        close(parameters);
    else if (method == "textDocument/didSave" || method == "workspace/didChangeWatchedFiles")
        documents_.changed(); // others may import it, and rules and maps are read from files
}

void LspServer::open(const Json &parameters)
{
    const auto uri = text_at(parameters, {"textDocument", "uri"});
    auto text = text_at(parameters, {"textDocument", "text"});
    if (uri && text)
        documents_.open(*uri, std::move(*text), number_at(parameters, {"textDocument", "version"}));
}

void LspServer::change(const Json &parameters)
{
    const auto uri = text_at(parameters, {"textDocument", "uri"});
    auto *document = uri ? documents_.find(*uri) : nullptr;
    const auto &changes = at(parameters, {"contentChanges"});
    if (document == nullptr || !changes.is_array())
        return;
    for (const auto &one : changes)
        if (!apply(document->text, one, client_.encoding))
            break;
    document->version = number_at(parameters, {"textDocument", "version"});
    documents_.changed();
}

void LspServer::close(const Json &parameters)
{
    const auto uri = text_at(parameters, {"textDocument", "uri"});
    if (!uri || documents_.find(*uri) == nullptr)
        return;
    documents_.close(*uri);
    publish(*uri, std::nullopt, Json::array());
}

// Only what the editor has when it is done typing is worth the work.
void LspServer::tell_diagnostics()
{
    while (phase_ == Phase::initialized && !stream_.pending()) {
        auto *document = documents_.next_untold();
        if (document == nullptr)
            return;
        document->told = true;
        publish(document->uri, document->version, LspAnswers(client_, documents_, *document).diagnostics());
    }
}

void LspServer::publish(const std::string &uri, std::optional<std::int64_t> version, Json diagnostics)
{
    Json parameters{{"uri", uri}, {"diagnostics", std::move(diagnostics)}};
    if (version)
        parameters["version"] = *version;
    send({{"jsonrpc", "2.0"}, {"method", "textDocument/publishDiagnostics"}, {"params", std::move(parameters)}});
}

void LspServer::send(const Json &message)
{
    if (!stream_.write(message.dump(-1, ' ', false, Json::error_handler_t::replace)))
        phase_ = Phase::ended;
}

void LspServer::fail(const Json &id, const Failure &failure)
{
    send({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", failure.code}, {"message", failure.message}}}});
}

} // namespace xdpf::cli
