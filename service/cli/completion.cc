// `completion bash|zsh|fish`: scripts made from the command tree, so that they
// can never miss an option.
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/string_view.h"
#include "service/cli/command.h"
#include "service/cli/command_tree.h"
#include "service/cli/commands.h"
#include "service/cli/output.h"

namespace kelpmq::service::cli {
namespace {

using Shapes = std::vector<CommandShape>;

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::StrReplaceAll(text, {{"'", "'\\''"}}), "'");
}

// "'' 'declare'" steps of the walk from the root to a command, as patterns of
// a shell's `case`: what has been walked, a blank, the next word.
std::vector<std::string> Steps(const Shapes& shapes) {
  std::vector<std::string> steps;
  for (const CommandShape& command : shapes) {
    for (const CommandShape::Child& child : command.children) {
      steps.push_back(Quoted(absl::StrCat(command.path, " ", child.name)));
    }
  }
  return steps;
}

// The `case` that completes the value of the option before the cursor; its
// subject is `path:option`. Both sh-like shells share it.
//   files, choices: what the shell does, given the choices as words.
template <typename Choices>
std::string ValueCases(const Shapes& shapes, absl::string_view files,
                       Choices choices) {
  std::string cases;
  for (const CommandShape& command : shapes) {
    std::vector<std::string> plain;
    for (const OptionShape& option : command.options) {
      if (!option.takes_value) continue;
      std::vector<std::string> patterns;
      for (const std::string& name : option.names) {
        patterns.push_back(Quoted(absl::StrCat(command.path, ":", name)));
      }
      const std::string pattern = absl::StrJoin(patterns, "|");
      if (option.takes_file) {
        absl::StrAppend(&cases, "    ", pattern, ") ", files, "; return ;;\n");
      } else if (!option.choices.empty()) {
        absl::StrAppend(&cases, "    ", pattern, ") ",
                        choices(absl::StrJoin(option.choices, " ")),
                        "; return ;;\n");
      } else {
        plain.push_back(pattern);
      }
    }
    if (!plain.empty()) {
      absl::StrAppend(&cases, "    ", absl::StrJoin(plain, "|"),
                      ") return ;;\n");
    }
  }
  return cases;
}

constexpr absl::string_view kBash = R"(# kelpmq completion for bash:
#   source <(kelpmq completion bash)
_kelpmq() {
  local cur=${COMP_WORDS[COMP_CWORD]} at= words= i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at ${COMP_WORDS[i]}" in
    $STEPS) at="${at:+$at }${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at:${COMP_WORDS[COMP_CWORD - 1]}" in
$VALUES  esac
  case "$at" in
$WORDS  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _kelpmq kelpmq
)";

std::string BashScript(const Shapes& shapes) {
  std::string words;
  for (const CommandShape& command : shapes) {
    std::vector<std::string> all;
    for (const CommandShape::Child& child : command.children) {
      all.push_back(child.name);
    }
    for (const OptionShape& option : command.options) {
      all.insert(all.end(), option.names.begin(), option.names.end());
    }
    absl::StrAppend(&words, "    ", Quoted(command.path),
                    ") words=", Quoted(absl::StrJoin(all, " ")), " ;;\n");
  }
  const std::string values =
      ValueCases(shapes, "COMPREPLY=($(compgen -f -- \"$cur\"))",
                 [](const std::string& choices) {
                   return absl::StrCat("COMPREPLY=($(compgen -W ",
                                       Quoted(choices), " -- \"$cur\"))");
                 });
  return absl::StrReplaceAll(kBash,
                             {{"$STEPS", absl::StrJoin(Steps(shapes), "|")},
                              {"$VALUES", values},
                              {"$WORDS", words}});
}

constexpr absl::string_view kZsh = R"(#compdef kelpmq
# kelpmq completion for zsh:
#   source <(kelpmq completion zsh)     # after compinit
# or save it as _kelpmq in a folder of $fpath.
_kelpmq() {
  local at= i
  local -a commands options
  for ((i = 2; i < CURRENT; i++)); do
    case "$at $words[i]" in
    $STEPS) at="${at:+$at }$words[i]" ;;
    esac
  done
  case "$at:$words[CURRENT-1]" in
$VALUES  esac
  case "$at" in
$WORDS  esac
  if [[ $words[CURRENT] == -* || $#commands == 0 ]]; then
    _describe -o 'option' options
  else
    _describe 'command' commands
  fi
}
if [[ $funcstack[1] == _kelpmq ]]; then
  _kelpmq "$@"
else
  compdef _kelpmq kelpmq
fi
)";

// "name:description" of zsh's _describe.
std::string Described(absl::string_view name, absl::string_view description) {
  return Quoted(absl::StrCat(name, ":", description));
}

std::string ZshScript(const Shapes& shapes) {
  std::string words;
  for (const CommandShape& command : shapes) {
    std::vector<std::string> children;
    for (const CommandShape::Child& child : command.children) {
      children.push_back(Described(child.name, child.description));
    }
    std::vector<std::string> options;
    for (const OptionShape& option : command.options) {
      for (const std::string& name : option.names) {
        options.push_back(Described(name, option.description));
      }
    }
    absl::StrAppend(&words, "    ", Quoted(command.path), ")\n      commands=(",
                    absl::StrJoin(children, " "), ")\n      options=(",
                    absl::StrJoin(options, " "), ") ;;\n");
  }
  const std::string values =
      ValueCases(shapes, "_files", [](const std::string& choices) {
        return absl::StrCat("compadd -- ", choices);
      });
  return absl::StrReplaceAll(kZsh,
                             {{"$STEPS", absl::StrJoin(Steps(shapes), "|")},
                              {"$VALUES", values},
                              {"$WORDS", words}});
}

constexpr absl::string_view kFish = R"(# kelpmq completion for fish:
#   kelpmq completion fish | source
function __kelpmq_at
    set -l at
    set -l words (commandline -opc)
    set -e words[1]
    for word in $words
        switch "$at $word"
            case $STEPS
                set at (string trim -- "$at $word")
        end
    end
    test "$at" = "$argv[1]"
end
complete -c kelpmq -f
)";

std::string FishScript(const Shapes& shapes) {
  // Fish escapes a quote by a backslash, not by closing the string.
  const auto quoted = [](absl::string_view text) {
    return absl::StrCat(
        "'", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"'", "\\'"}}), "'");
  };
  std::string script = absl::StrReplaceAll(
      kFish, {{"$STEPS", absl::StrJoin(Steps(shapes), " ")}});
  for (const CommandShape& command : shapes) {
    const std::string start = absl::StrCat(
        "complete -c kelpmq -n ",
        quoted(absl::StrCat("__kelpmq_at \"", command.path, "\"")));
    for (const CommandShape::Child& child : command.children) {
      absl::StrAppend(&script, start, " -a ", child.name, " -d ",
                      quoted(child.description), "\n");
    }
    for (const OptionShape& option : command.options) {
      absl::StrAppend(&script, start);
      for (const std::string& name : option.names) {
        if (absl::StartsWith(name, "--")) {
          absl::StrAppend(&script, " -l ", name.substr(2));
        } else {
          absl::StrAppend(&script, " -s ", name.substr(1));
        }
      }
      if (option.takes_value) absl::StrAppend(&script, " -r");
      if (option.takes_file) absl::StrAppend(&script, " -F");
      if (!option.choices.empty()) {
        absl::StrAppend(&script, " -a ",
                        quoted(absl::StrJoin(option.choices, " ")));
      }
      absl::StrAppend(&script, " -d ", quoted(option.description), "\n");
    }
  }
  return script;
}

}  // namespace

void AddCompletionCommand(CLI::App* app, int* exit_code) {
  CLI::App* group =
      AddGroup(app, "completion", "Print a script that completes commands");
  const auto add = [&](const std::string& shell, const std::string& example,
                       std::string (*script)(const Shapes&)) {
    CLI::App* command = AddCommand(
        group, shell, absl::StrCat("Print the script for ", shell), {example});
    command->callback([app, exit_code, script] {
      Output output((OutputOptions()));
      output.PrintBytes(script(ShapesOf(*app)));
      *exit_code = output.Finish(absl::OkStatus(), Target());
    });
  };
  add("bash", "echo 'source <(kelpmq completion bash)' >> ~/.bashrc",
      &BashScript);
  add("zsh", "echo 'source <(kelpmq completion zsh)' >> ~/.zshrc", &ZshScript);
  add("fish", "kelpmq completion fish > ~/.config/fish/completions/kelpmq.fish",
      &FishScript);
}

}  // namespace kelpmq::service::cli
