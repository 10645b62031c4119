#include "runtime/cli/shell.hpp"

#include "compiler/session.hpp"
#include "runtime/cli/shell_arguments.hpp"
#include "runtime/cli/shell_colour.hpp"
#include "runtime/cli/shell_commands.hpp"
#include "runtime/cli/shell_complete.hpp"

#include <doctest/doctest.h>

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

using namespace xdpf;

namespace {

struct Close {
    void operator()(std::FILE *file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

File temporary()
{
    File file(std::tmpfile());
    REQUIRE(file);
    return file;
}

std::string contents(std::FILE *file)
{
    std::rewind(file);
    std::string out;
    for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file))
        out += static_cast<char>(c);
    return out;
}

struct Piped {
    int status = -1;
    std::string output;
    std::string errors;
};

Piped pipe_in(std::string_view text)
{
    const auto input = temporary();
    const auto output = temporary();
    const auto errors = temporary();
    REQUIRE(std::fwrite(text.data(), 1, text.size(), input.get()) == text.size());
    std::rewind(input.get());
    const int status = cli::shell({"", input.get(), output.get(), errors.get()});
    return {status, contents(output.get()), contents(errors.get())};
}

} // namespace

TEST_CASE("from a pipe: answers on the output, no prompt, status 0")
{
    const auto got =
        pipe_in("match udp.dport == 53 -> drop\n\npacket ethernet / ipv4 / udp(dport = 53)\npacket ethernet / arp\n");
    CHECK(got.output == "drop, by line 1: match udp.dport == 53 -> drop\npass, no rule matches\n");
    CHECK(got.errors.empty());
    CHECK(got.status == 0);
}

TEST_CASE("from a pipe: an error goes to the error stream with the line of the input, the rest goes on, status 1")
{
    const auto got =
        pipe_in("# rules\n:show\nmatch udp.dprt == 53 -> drop\nmatch udp -> abort\npacket ethernet / ipv4 / udp");
    CHECK(got.output == "abort, by line 4: match udp -> abort\n");
    CHECK(got.errors == "error[unknown_field]: header 'udp' has no field 'dprt'\n"
                        "  --> <shell>:3:11\n"
                        "   |\n"
                        " 3 | match udp.dprt == 53 -> drop\n"
                        "   |           ^^^^\n"
                        "   = help: did you mean 'dport'?\n");
    CHECK(got.status == 1);
}

TEST_CASE("from a pipe: inputs of several lines, and one that never ends")
{
    auto got = pipe_in("match ipv4 {\n  match udp -> drop\n}\npacket ethernet / ipv4 / udp\n");
    CHECK(got.output == "drop, by line 2: match udp -> drop\n");
    got = pipe_in("match ipv4 {\n  match udp -> drop\n");
    CHECK(got.errors.find("error[syntax]") != std::string::npos);
    CHECK(got.errors.find("<shell>:2:") != std::string::npos);
    CHECK(got.status == 1);
}

TEST_CASE("commands: a misspelt one suggests the nearest, :quit ends, failures count")
{
    CHECK(pipe_in(":sow\n").errors == "error: there is no command ':sow'; did you mean ':show'?\n");
    CHECK(pipe_in(":quit\nnonsense\n").status == 0);
    CHECK(pipe_in("exit\nnonsense\n").status == 0);
    CHECK(pipe_in(":undo\n").errors == "error: there is nothing to take back\n");
    CHECK(pipe_in(":load\n").errors == "error: ':load' wants more: :load FILE\n");
    CHECK(pipe_in(":show all\n").errors == "error: ':show' stands alone\n");
    CHECK(pipe_in(":s\n").errors.find("there is no command ':s'") != std::string::npos); // :save, :show, :status
    CHECK(pipe_in(":sh\n").status == 0);
    CHECK(pipe_in(":map hits\n").errors.find("there is no map 'hits'") != std::string::npos);
    CHECK(pipe_in("packet ethernet expect drop\n").status == 1);
    for (const auto &name : cli::command_names())
        CHECK_MESSAGE(pipe_in(":help\n").output.find(name) != std::string::npos, name);
}

TEST_CASE("commands: what was saved loads again, a file that cannot be read is an error")
{
    char folder[] = "/tmp/xdpf-shell-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    const auto path = std::string(folder) + "/saved.xdpf";
    cli::ShellState state;
    REQUIRE(state.session.enter("match udp -> drop").status == Answer::Status::accepted);
    CHECK(cli::run_command(state, ":save " + path).error.empty());
    state.session.clear();
    const auto loaded = cli::run_command(state, ":load " + path);
    CHECK(loaded.answer.status == Answer::Status::accepted);
    CHECK(loaded.changed);
    CHECK(state.session.text() == "match udp -> drop\n");
    CHECK(state.session.enter("packet ethernet / ipv4 / udp").packets.at(0).source == path);
    CHECK(cli::run_command(state, ":load " + path + ".not").error.find("cannot read") == 0);
    CHECK(cli::run_command(state, ":load " + std::string(folder)).error.find("cannot read") == 0);
    CHECK(cli::run_command(state, ":save " + path + "/x").error.find("cannot write") == 0);
    std::filesystem::remove_all(folder);
}

TEST_CASE("commands: declarations are changed and taken away by their numbers")
{
    cli::ShellState state;
    const auto said = [&](const std::string &line) { return cli::run_command(state, line); };
    CHECK(said(":edit 1 match udp -> drop").error == "nothing has been entered");
    REQUIRE(
        state.session.enter("const port = 53\nmatch udp.dport == port -> drop\nmatch tcp -> {\n    drop\n}").status ==
        Answer::Status::accepted);
    CHECK(said(":show").output == "  1  const port = 53\n  2  match udp.dport == port -> drop\n"
                                  "  3  match tcp -> {\n         drop\n     }\n");
    CHECK(said(":edit 2 match udp.dport == port -> abort").changed);
    CHECK(said(":edit 4 match udp -> drop").error == "'4' is no number of a declaration: :show has 1 to 3");
    CHECK(said(":edit 2").error == "and what is to stand there? :edit 2 TEXT");
    CHECK(said(":delete 1").answer.status == Answer::Status::rejected); // a rule needs it
    CHECK(said(":delete 3").answer.changes == std::vector<std::string>{"rule is gone"});
    CHECK(state.session.text() == "const port = 53\nmatch udp.dport == port -> abort\n");
    CHECK(said(":undo").changed);
    state.at_terminal = true;
    CHECK(said(":edit 3").next_line == ":edit 3 match tcp -> { drop }");
}

TEST_CASE("commands: maps and parameters")
{
    cli::ShellState state;
    const auto said = [&](const std::string &line) {
        auto result = cli::run_command(state, line);
        return result.error.empty() ? result.output : "error: " + result.error + "\n";
    };
    CHECK(said(":map") == "error: no map has been entered\n");
    CHECK(said(":param") == "error: no parameter has been entered\n");
    REQUIRE(state.session
                .enter("defmap hits : hash<(ipv4.src, udp.dport) -> counter>[2]\ndefmap nets : lpm_trie<ipv4.src>[8]\n"
                       "param limit : u16 = 512 in 64..1500")
                .status == Answer::Status::accepted);
    CHECK(said(":map").find("nets             lpm_trie            8  ipv4 prefix\n") != std::string::npos);
    CHECK(said(":map set hits (10.0.0.1, 53) = {packets = 3}") ==
          "{src = 10.0.0.1, dport = 53} = {packets = 3, bytes = 0}\n");
    CHECK(said(":map set hits '(10.0.0.2, 53)' {packets = 4, bytes = 1}").find("error") != 0);
    CHECK(said(":map set hits (10.0.0.3, 53) {packets = 5}").find("error: 'hits' takes no such entry") == 0);
    CHECK(said(":map get hits (10.0.0.1, 53)") == "{src = 10.0.0.1, dport = 53} = {packets = 3, bytes = 0}\n");
    CHECK(said(":map delete hits (10.0.0.1, 53)") == "{src = 10.0.0.1, dport = 53} deleted\n");
    CHECK(said(":map get hits (10.0.0.1, 53)") == "error: there is no entry {src = 10.0.0.1, dport = 53} in 'hits'\n");
    CHECK(said(":map set nets 10.0.0.0/8") == "10.0.0.0/8\n");
    CHECK(said(":map nets") == "10.0.0.0/8\n");
    CHECK(said(":map set nets 10.0.0.0/8 1") == "error: 'nets' has keys only\n");
    CHECK(said(":map set hts 1 2") == "error: there is no map 'hts'; did you mean 'hits'?\n");
    CHECK(said(":map watch hits").find("error: nothing changes a map while nothing is attached") == 0);
    CHECK(said(":map put hits 1") == "error: that is not how it goes; :help map has examples\n");
    CHECK(said(":param") == "limit            u16               512  in 64..1500\n");
    CHECK(said(":param limit 100") == "100\n");
    CHECK(said(":param limit 1").find("error: 1 lies out of the bounds") == 0);
    CHECK(said(":param limt 1").find("did you mean 'limit'?") != std::string::npos);
    CHECK(said(":param limit") == "100\n");
}

TEST_CASE("commands: why a packet meets a rule, and what wants something attached")
{
    cli::ShellState state;
    REQUIRE(state.session.enter("match udp.dport == 53 -> drop\nmatch tcp -> abort", {.line = 4}).status ==
            Answer::Status::accepted);
    const auto said = [&](const std::string &line) { return cli::run_command(state, line); };
    CHECK(said(":explain ethernet / ipv4 / tcp").output ==
          "abort, by line 5: match tcp -> abort\n  line 4: match udp.dport == 53 -> drop\n"
          "    there is no udp: ipv4.protocol is 6\n");
    CHECK(said(":explain ethernet / arp").output.find("pass, no rule matches\n") == 0);
    CHECK(said(":explain ethernet / upd").answer.status == Answer::Status::rejected);
    CHECK(said(":explain").output.find("program shell") == 0);
    for (const auto *line : {":detach", ":status", ":hits", ":hits watch"})
        CHECK(said(line).error == "nothing is attached: :attach INTERFACE");
    CHECK(said(":trace no-such-file").failure.has_value());
    CHECK(said(":trace a b").error == "'b' is neither 'why' nor 'summary'");
    CHECK(said(":attach no-such-if0").failure.has_value());
    CHECK(said(":help map").output.find("  :map get hits 10.0.0.7\n") != std::string::npos);
    CHECK(said(":help mpa").error.find("did you mean ':map'?") != std::string::npos);
}

TEST_CASE("words, colours, and a text on one line")
{
    using Words = std::vector<std::string>;
    CHECK(cli::words_of("  set hits (10.0.0.1, 53)\t{packets = 3} ") ==
          Words{"set", "hits", "(10.0.0.1, 53)", "{packets = 3}"});
    CHECK(cli::words_of("'a file' \"\\\" x\" 'y") == Words{"a file", "\"\\\" x\"", "'y"});
    CHECK(cli::words_of(" ").empty());
    CHECK(cli::coloured("match udp.dport == 53 # dns") ==
          "\033[1;34mmatch\033[0m udp.dport == \033[36m53\033[0m \033[90m# dns\033[0m");
    CHECK(cli::coloured("test \"a\"") == "\033[1;34mtest\033[0m \033[32m\"a\"\033[0m");
    CHECK(cli::on_one_source_line("match tcp -> { # all\n    drop\n}\n") == "match tcp -> { drop }");
    CHECK(cli::plain_text("a\033[1m\tb\n") == "a?[1m\tb\n");
}

TEST_CASE("completion: commands, their arguments, the language")
{
    char folder[] = "/tmp/xdpf-shell-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    const auto path = std::string(folder) + "/rules.xdpf";
    File(std::fopen(path.c_str(), "w"));
    cli::ShellState state;
    REQUIRE(state.session.enter("defmap hits : hash<ipv4.src -> counter>[2]\nparam limit : u16 = 1\nmatch udp -> drop")
                .status == Answer::Status::accepted);
    const auto words = [&](const std::string &line, const std::string &before = "") {
        std::string all; // as a text, which a failing test shows
        for (const auto &word : cli::complete(state, before, line).words)
            all += (all.empty() ? "" : " ") + word;
        return all;
    };
    CHECK(words(":att") == ":attach");
    CHECK(words("  :de") == ":delete :detach");
    CHECK(words(":map h") == "hits");
    CHECK(words(":map get h") == "hits");
    CHECK(words(":map wa") == "watch");
    CHECK(words(":param l") == "limit");
    CHECK(words(":attach l") == "lo");
    CHECK(words(":attach lo s") == "shell skb");
    CHECK(words(":hits ") == "watch");
    CHECK(words(":edit ") == "1 2 3");
    CHECK(words(":edit 3 match tc") == "tcp");
    CHECK(words(":help hi") == "hits");
    CHECK(words(":load " + std::string(folder) + "/ru") == path);
    CHECK(words(":trace x w") == "why");
    CHECK(words(":bench ethernet / ipv4(tt") == "ttl");
    CHECK(words("> ethernet / ipv4(ttl = 3, ds") == "dscp dst");
    CHECK(words("match udp.dp") == "dport");
    CHECK(words("  match ud", "match ipv4 {\n") == "udp");
    const auto found = cli::complete(state, "", ":edit 3 match tc");
    CHECK(found.begin == 14);
    std::filesystem::remove_all(folder);
}

TEST_CASE("hostile input ends in errors, not in a crash")
{
    CHECK(pipe_in(std::string("match \0 udp\n", 12)).status == 1);
    CHECK(pipe_in("match \xff\xfe -> drop\n").status == 1);
    CHECK(pipe_in("match " + std::string(100000, '(') + "\n").status == 1);
    CHECK(pipe_in("}\n)\n:\n::\n\"\npacket\nwith\nhex\nexpect drop\n").status == 1);
}
