#ifndef KELPMQ_SERVICE_CLI_DELIVERY_OUTPUT_H_
#define KELPMQ_SERVICE_CLI_DELIVERY_OUTPUT_H_

#include <CLI/CLI.hpp>

#include "kelpmq/v1/messaging.pb.h"
#include "service/cli/output.h"

namespace kelpmq::service::cli {

// How messages are printed; --json is in OutputOptions.
struct DeliveryFormat {
  bool raw = false;      // the body's bytes, nothing added
  bool verbose = false;  // exchange, key and properties above the body
};

void AddDeliveryFormat(CLI::App* command, DeliveryFormat* format);

// Prints a message: its body and a line feed. A body that a terminal cannot
// show is printed as `base64:...`.
void PrintDelivery(const v1::Delivery& delivery, const DeliveryFormat& format,
                   Output* output);

}  // namespace kelpmq::service::cli

#endif  // KELPMQ_SERVICE_CLI_DELIVERY_OUTPUT_H_
