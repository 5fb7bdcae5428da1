#include "service/cli/delivery_output.h"

#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "service/cli/message_json.h"
#include "service/cli/text.h"

namespace kelpmq::service::cli {
namespace {

// "# exchange=logs routing_key=app.error priority=5 ..."
std::string HeadingOf(const v1::Delivery& delivery) {
  nlohmann::ordered_json json = JsonOf(delivery);
  json.erase("body");
  json.erase("body_base64");
  std::string line = "#";
  for (const auto& [key, value] : json.items()) {
    absl::StrAppend(&line, " ", key, "=",
                    value.is_string()
                        ? ShellWord(value.get_ref<const std::string&>())
                        : ToText(value));
  }
  return line;
}

}  // namespace

void AddDeliveryFormat(CLI::App* command, DeliveryFormat* format) {
  command->add_flag("-v,--verbose", format->verbose,
                    "Print routing and properties above each body");
  command->add_flag("--raw", format->raw,
                    "Print the bodies' bytes and nothing else, not even line "
                    "feeds");
}

void PrintDelivery(const v1::Delivery& delivery, const DeliveryFormat& format,
                   Output* output) {
  const std::string& body = delivery.message().body();
  if (output->json()) {
    output->PrintJsonLine(JsonOf(delivery));
    return;
  }
  if (format.raw) {
    output->PrintBytes(body);
    return;
  }
  if (format.verbose) output->PrintLine(HeadingOf(delivery));
  output->PrintLine(IsPrintableText(body)
                        ? body
                        : absl::StrCat("base64:", absl::Base64Escape(body)));
}

}  // namespace kelpmq::service::cli
