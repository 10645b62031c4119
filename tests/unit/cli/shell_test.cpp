#include "runtime/cli/shell.hpp"

#include "compiler/session.hpp"
#include "runtime/cli/shell_commands.hpp"

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
    const int status = cli::shell({input.get(), output.get(), errors.get()});
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
        pipe_in("# rules\n:list\nmatch udp.dprt == 53 -> drop\nmatch udp -> abort\npacket ethernet / ipv4 / udp");
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
    CHECK(pipe_in(":lst\n").errors == "error: there is no command ':lst'; did you mean ':list'?\n");
    CHECK(pipe_in(":quit\nnonsense\n").status == 0);
    CHECK(pipe_in("exit\nnonsense\n").status == 0);
    CHECK(pipe_in(":undo\n").errors == "error: there is nothing to take back\n");
    CHECK(pipe_in(":map\n").errors == "error: ':map' wants a name: :map NAME\n");
    CHECK(pipe_in(":list all\n").errors == "error: ':list' stands alone\n");
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
    Session session;
    REQUIRE(session.enter("match udp -> drop").status == Answer::Status::accepted);
    CHECK(cli::run_command(session, ":save " + path).error.empty());
    session.clear();
    CHECK(cli::run_command(session, ":load " + path).answer.status == Answer::Status::accepted);
    CHECK(session.text() == "match udp -> drop\n");
    CHECK(session.enter("packet ethernet / ipv4 / udp").packets.at(0).source == path);
    CHECK(cli::run_command(session, ":load " + path + ".not").error.find("cannot read") == 0);
    CHECK(cli::run_command(session, ":load " + std::string(folder)).error.find("cannot read") == 0);
    CHECK(cli::run_command(session, ":save " + path + "/x").error.find("cannot write") == 0);
    std::filesystem::remove_all(folder);
}

TEST_CASE("hostile input ends in errors, not in a crash")
{
    CHECK(pipe_in(std::string("match \0 udp\n", 12)).status == 1);
    CHECK(pipe_in("match \xff\xfe -> drop\n").status == 1);
    CHECK(pipe_in("match " + std::string(100000, '(') + "\n").status == 1);
    CHECK(pipe_in("}\n)\n:\n::\n\"\npacket\nwith\nhex\nexpect drop\n").status == 1);
}
