#ifndef KELPMQ_PUBLISHER_H_
#define KELPMQ_PUBLISHER_H_

#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kelpmq/error.h"
#include "kelpmq/v1/types.pb.h"

namespace kelpmq {

// A message and where it goes.
struct Publication {
  Publication() = default;
  // To the queue of that name, by the default exchange.
  Publication(std::string queue, std::string body)
      : routing_key(std::move(queue)) {
    message.set_body(std::move(body));
  }
  Publication(std::string to_exchange, std::string key, std::string body)
      : exchange(std::move(to_exchange)), routing_key(std::move(key)) {
    message.set_body(std::move(body));
  }

  std::string exchange;
  std::string routing_key;
  v1::Message message;  // body, headers and AMQP's fourteen properties
  // If no queue takes it, the confirm is kFailedPrecondition NO_ROUTE, and the
  // message comes back by PublisherOptions::on_return.
  bool mandatory = false;
  // When it is routed; unset: at once.
  std::optional<absl::Time> deliver_time;
};

// How a publish ended. OK: every queue that it was routed to has it. Else the
// broker's error, or one of error.h: kConfirmLost when nobody knows.
using ConfirmCallback = absl::AnyInvocable<void(const absl::Status&)>;

struct PublisherOptions {
  // What may be unconfirmed at a time, before Publish waits. The broker allows
  // 10,000 messages or 64 MiB on a stream; with more it stops reading.
  size_t max_unconfirmed_messages = 5000;
  size_t max_unconfirmed_bytes = 16 * 1024 * 1024;
  // Longest time that Publish waits for room.
  absl::Duration max_wait = absl::InfiniteDuration();

  // Messages gather into one request while another is on its way, up to this.
  // A single message never waits for company.
  size_t max_batch_messages = 256;
  size_t max_batch_bytes = 256 * 1024;

  // What becomes of messages whose confirm was lost with the stream. Resending
  // may publish them twice, and after later ones.
  enum class LostConfirms { kReport, kResend };
  LostConfirms lost_confirms = LostConfirms::kReport;

  // Gets mandatory messages back that no queue took, before their confirm.
  // Called on the polling thread; must not block.
  std::function<void(Publication, const absl::Status&)> on_return;

  // How long closing waits for the last confirms.
  absl::Duration close_timeout = absl::Seconds(5);
};

// Publishes over one stream, with confirms. Messages of one publisher to one
// queue keep their order. When the stream breaks it opens another: messages
// that were not sent yet go there, those without a confirm are reported as
// kConfirmLost.
//
// Callbacks and on_return run on the polling thread and must not block; they
// may publish.
// Thread-safety: thread-safe, but for the destructor.
class Publisher {
 public:
  // As Close().
  virtual ~Publisher() = default;

  // Takes the message over, waiting while the window is full: as long as
  // max_wait says, on the polling thread not at all.
  //   Errors: kResourceExhausted kWindowFull; kInvalidArgument
  //   MESSAGE_TOO_LARGE; why the publisher has ended. `done` is not called
  //   then; otherwise it is, once.
  virtual absl::Status Publish(Publication publication,
                               ConfirmCallback done) = 0;

  // The same, for those who would rather wait than be called. All errors are
  // in the future.
  std::future<absl::Status> Publish(Publication publication);

  // Never waits. On error `publication` and `done` are as they were.
  virtual absl::Status TryPublish(Publication& publication,
                                  ConfirmCallback& done) = 0;

  // Waits until all that was published has its confirm (whatever it says).
  //   Errors: kDeadlineExceeded after `timeout`; kFailedPrecondition on the
  //   polling thread, where no confirm can come meanwhile.
  virtual absl::Status Flush(absl::Duration timeout) = 0;

  // Sends what is left and waits for confirms, close_timeout long (on the
  // polling thread not at all); what is unconfirmed then is reported as
  // kConfirmLost, what was not sent as kClosed. Later calls do nothing.
  virtual void Close() = 0;
};

inline std::future<absl::Status> Publisher::Publish(Publication publication) {
  std::promise<absl::Status> promise;
  std::future<absl::Status> confirm = promise.get_future();
  // Shared: an error must find it after the callback has been given away.
  auto shared =
      std::make_shared<std::promise<absl::Status>>(std::move(promise));
  const absl::Status status =
      Publish(std::move(publication), [shared](const absl::Status& confirmed) {
        shared->set_value(confirmed);
      });
  if (!status.ok()) shared->set_value(status);
  return confirm;
}

}  // namespace kelpmq

#endif  // KELPMQ_PUBLISHER_H_
