#ifndef KELPMQ_SERVICE_CLI_COMMAND_TREE_H_
#define KELPMQ_SERVICE_CLI_COMMAND_TREE_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace kelpmq::service::cli {

// What a shell has to know about the command line, read from CLI11's tree.

struct OptionShape {
  std::vector<std::string> names;  // with dashes: "-e", "--exchange"
  std::string description;         // one line
  bool takes_value = false;
  bool takes_file = false;
  std::vector<std::string> choices;  // of the value; empty: anything
};

struct CommandShape {
  struct Child {
    std::string name;
    std::string description;
  };
  std::string path;  // "declare queue"; empty for the root
  std::vector<Child> children;
  std::vector<OptionShape> options;
};

// All commands, each before its children.
std::vector<CommandShape> ShapesOf(const CLI::App& root);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_COMMAND_TREE_H_
