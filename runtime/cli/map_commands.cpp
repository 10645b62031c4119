// The commands that look at programs at work, and change what is in their maps.
#include "runtime/cli/attach_command.hpp"
#include "runtime/cli/command.hpp"
#include "runtime/cli/map_command.hpp"
#include "runtime/cli/options.hpp"
#include "runtime/cli/status_command.hpp"

#include <memory>

namespace xdpf::cli {
namespace {

// Which program.
void add_running(CLI::App &command, MapOptions &options)
{
    command.add_option("-i,--interface", options.program.interface,
                       "the interface of the program (not needed where only one is at work)");
    command.add_option("-p,--program", options.program.program, "its name, where several are at work");
    command.add_flag("--json", options.json, "one JSON object on standard output");
}

CLI::App &add_verb(CLI::App &group, const std::string &name, const std::string &help, MapOptions &options,
                   int (*body)(const MapOptions &), std::function<int()> &chosen)
{
    CLI::App &verb = *group.add_subcommand(name, help);
    add_running(verb, options);
    verb.callback([&options, &chosen, body] { chosen = [&options, body] { return body(options); }; });
    return verb;
}

void add_name(CLI::App &verb, MapOptions &options, const std::string &help = "name of the map")
{
    verb.add_option("name", options.name, help)->required();
}

} // namespace

Command add_map(CLI::App &app)
{
    struct All {
        MapOptions map;
        MapWatchOptions watch;
        MapLoadOptions load;
        std::function<int()> chosen;
    };
    const auto all = std::make_shared<All>();
    CLI::App &group = *app.add_subcommand("map", "the maps and parameters of a program at work");
    group.require_subcommand(1);
    add_verb(group, "list", "names, kinds, types, how full they are; parameters and their values", all->map, list_maps,
             all->chosen);
    CLI::App &get = add_verb(group, "get", "one entry, or a parameter", all->map, get_entry, all->chosen);
    add_name(get, all->map, "name of the map or parameter");
    get.add_option("key", all->map.key, "as in the source: 10.0.0.1, '(10.0.0.1, 53)'");
    CLI::App &set = add_verb(group, "set", "put an entry in, or change a parameter", all->map, set_entry, all->chosen);
    add_name(set, all->map, "name of the map or parameter");
    set.add_option("key", all->map.key, "the key; of a parameter, queue, stack or Bloom filter the value")->required();
    set.add_option("value", all->map.value, "as in the source: 7, '{packets = 3}'; not of sets");
    CLI::App &remove = add_verb(group, "delete", "take an entry out", all->map, delete_entry, all->chosen);
    add_name(remove, all->map);
    remove.add_option("key", all->map.key, "the key; not of queues and stacks, which give what comes next");
    add_name(add_verb(group, "dump", "all entries; of arrays those that are not 0", all->map, dump_map, all->chosen),
             all->map);

    CLI::App &watch = *group.add_subcommand("watch", "the entries that change, until Ctrl-C");
    add_running(watch, all->watch.map);
    add_name(watch, all->watch.map);
    add_duration(watch, "--interval", all->watch.interval, "between two looks (default: 1s)");
    watch.add_option("-c,--count", all->watch.count, "stop after so many looks");
    watch.callback([all] { all->chosen = [all] { return watch_map(all->watch); }; });

    CLI::App &load = *group.add_subcommand("load", "put in the entries that a file has, one a line");
    add_running(load, all->load.map);
    add_name(load, all->load.map);
    load.add_option("file", all->load.file, "a text file: values of the key, then of the value, with commas")
        ->required();
    load.add_flag("--replace", all->load.replace, "delete the entries that the file does not have");
    load.callback([all] { all->chosen = [all] { return load_map(all->load); }; });
    return {&group, [all] { return all->chosen(); }};
}

Command add_attach(CLI::App &app)
{
    const auto shared = std::make_shared<AttachOptions>();
    auto &options = *shared;
    options.source.verdict_counters = true;
    auto &command = *app.add_subcommand("attach", "put a program to work that stays when xdpf ends");
    add_source(command, options.source);
    add_interface(command, options.interface);
    command.add_option("-p,--program", options.program, "which program, where the file has several");
    add_mode(command, options.mode);
    add_assignments(command, "--param", options.parameters, "NAME=VALUE", "set a parameter of the program");
    add_assignments(command, "--entry-program", options.entry_programs, "MAP=NAME",
                    "the program at the entries of a devmap or cpumap, where the file has several for them");
    add_rule_counters(command, options.source);
    command.add_flag_callback(
        "--no-verdicts", [&options] { options.source.verdict_counters = false; },
        "do not count what the program decides: about 1 ns a packet");
    command.add_flag("--replace", options.replace,
                     "take the place of the program that xdpf attach put there, without losing a packet");
    command.add_flag("--verifier-log", options.verifier_log, "show the kernel verifier's whole log");
    command.add_flag("--json", options.json, "one JSON object on standard output");
    return {&command, [shared] { return attach(*shared); }};
}

Command add_detach(CLI::App &app)
{
    const auto options = std::make_shared<DetachOptions>();
    auto &command = *app.add_subcommand("detach", "take away what xdpf attach put there");
    add_interface(command, options->interface);
    command.add_flag("--json", options->json, "one JSON object on standard output");
    return {&command, [options] { return detach(*options); }};
}

Command add_status(CLI::App &app)
{
    const auto options = std::make_shared<StatusOptions>();
    auto &command = *app.add_subcommand("status", "which programs are attached, by whom, and what they decided");
    command.add_option("-i,--interface", options->interface, "only this one");
    command.add_flag("--json", options->json, "one JSON object on standard output");
    return {&command, [options] { return status(*options); }};
}

} // namespace xdpf::cli
