#include "service/cli/command_tree.h"

#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/base/exchange_type_names.h"

namespace kelpmq::service::cli {
namespace {

// CLI11 keeps the choices of an option inside a closure; these are worth
// repeating. An empty path: the option of every command.
struct KnownChoices {
  absl::string_view path;
  absl::string_view option;
  std::vector<std::string> choices;
};

const std::vector<KnownChoices>& AllKnownChoices() {
  static const auto& known = *new std::vector<KnownChoices>{
      {"", "--color", {"auto", "always", "never"}},
      {"declare exchange",
       "--type",
       {std::begin(kExchangeTypes), std::end(kExchangeTypes)}},
      {"perf", "--exchange-type", {"direct", "fanout", "topic", "headers"}},
      {"declare queue",
       "--overflow",
       {"drop-head", "reject-publish", "reject-publish-dlx"}},
  };
  return known;
}

std::string FirstLine(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

OptionShape ShapeOf(const CLI::Option& option, absl::string_view path) {
  OptionShape shape;
  for (const std::string& name : option.get_snames()) {
    shape.names.push_back(absl::StrCat("-", name));
  }
  for (const std::string& name : option.get_lnames()) {
    shape.names.push_back(absl::StrCat("--", name));
  }
  shape.description = FirstLine(option.get_description());
  shape.takes_value = option.get_items_expected_max() > 0;
  shape.takes_file = option.get_type_name() == "FILE";
  for (const KnownChoices& known : AllKnownChoices()) {
    if (!known.path.empty() && known.path != path) continue;
    for (const std::string& name : shape.names) {
      if (name == known.option) shape.choices = known.choices;
    }
  }
  return shape;
}

void AddShapes(const CLI::App& command, const std::string& path,
               std::vector<CommandShape>* shapes) {
  CommandShape shape;
  shape.path = path;
  for (const CLI::Option* option : command.get_options()) {
    if (option->nonpositional()) {
      shape.options.push_back(ShapeOf(*option, path));
    }
  }
  const auto children =
      command.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* child : children) {
    shape.children.push_back(
        {child->get_name(), FirstLine(child->get_description())});
  }
  shapes->push_back(std::move(shape));
  for (const CLI::App* child : children) {
    AddShapes(*child,
              path.empty() ? child->get_name()
                           : absl::StrCat(path, " ", child->get_name()),
              shapes);
  }
}

}  // namespace

std::vector<CommandShape> ShapesOf(const CLI::App& root) {
  std::vector<CommandShape> shapes;
  AddShapes(root, "", &shapes);
  return shapes;
}

}  // namespace kelpmq::service::cli
