// Vhost's declarations, deletions and bindings.

#include <optional>

#include "absl/strings/str_cat.h"
#include "service/base/error.h"
#include "service/base/message_edit.h"
#include "service/base/random_name.h"
#include "service/engine/memory/dead_letters.h"
#include "service/engine/memory/vhost.h"
#include "service/queue/queue_arguments.h"

namespace kelpmq::service {
namespace {

absl::Status ServerNamedQuorum(const std::string& vhost) {
  return MakeError(
      Reason::kInvalidArgumentValue,
      "Cannot declare a server-named queue for type rabbit_quorum_queue",
      {{"vhost", vhost}, {"argument", "x-queue-type"}});
}

absl::Status OwnerRequired(const std::string& vhost, const std::string& queue) {
  return MakeError(Reason::kSessionRequired,
                   absl::StrCat("exclusive queue '", queue, "' in vhost '",
                                vhost, "' needs a session to own it"),
                   {{"vhost", vhost}, {"queue", queue}});
}

}  // namespace

// ---- Exchanges ----

absl::StatusOr<DeclareExchangeResult> Vhost::DeclareExchange(
    const DeclareExchangeParams& params) {
  MutexLock lock(&mu_);
  if (closed_) return NoSuchVhost(name_);
  absl::StatusOr<DeclaredExchange> declared =
      router_.DeclareExchange(params.spec, params.passive);
  if (!declared.ok()) return declared.status();
  if (declared->created) ApplyExchangePolicy(params.spec.name);
  return DeclareExchangeResult{{std::move(declared->exchange)},
                               declared->created};
}

absl::StatusOr<bool> Vhost::DeleteExchange(const DeleteExchangeParams& params) {
  MutexLock lock(&mu_);
  if (closed_) return NoSuchVhost(name_);
  return router_.DeleteExchange(params.name, params.if_unused);
}

// ---- Queues ----

absl::StatusOr<DeclareQueueResult> Vhost::DeclareQueue(
    DeclareQueueParams params) {
  if (params.passive) {
    absl::StatusOr<std::shared_ptr<Queue>> queue =
        FindQueueFor(params.spec.name, params.owner);
    if (!queue.ok()) return queue.status();
    (*queue)->Touch();  // RabbitMQ renews the lease here too
    return DeclareQueueResult{(*queue)->info(), /*created=*/false};
  }
  absl::StatusOr<FoundQueue> found = FindOrCreateQueue(
      std::move(params.spec), std::move(params.server_name), params.owner);
  if (!found.ok()) return found.status();
  if (!found->created) found->queue->Touch();
  return DeclareQueueResult{found->queue->info(), found->created};
}

absl::StatusOr<Vhost::FoundQueue> Vhost::FindOrCreateQueue(
    QueueSpec spec, std::string server_name, OwnerId owner) {
  const bool server_named = spec.name.empty();
  if (server_named) {
    spec.name = server_name.empty() ? MakeServerName(kServerQueuePrefix)
                                    : std::move(server_name);
  } else {
    absl::Status status = CheckQueueName(spec.name);
    if (!status.ok()) return status;
  }
  if (spec.exclusive && owner == kNoOwner) {
    return OwnerRequired(name_, spec.name);
  }
  AddDefaultType(&spec);
  QueueSpec normal = spec;
  NormalizeQueueSpec(&normal);
  while (true) {
    absl::StatusOr<std::shared_ptr<Queue>> present =
        FindQueueFor(spec.name, owner);
    if (present.ok()) {
      absl::Status status = CheckEquivalent((*present)->spec(), normal, name_);
      if (!status.ok()) return status;
      return FoundQueue{*std::move(present), /*created=*/false};
    }
    if (!HasReason(present.status(), Reason::kQueueNotFound)) {
      return present.status();
    }
    // Arguments are checked only once the name is known to be free, and on the
    // queue as it was asked for: a quorum queue's errors name `exclusive`.
    absl::StatusOr<QueueArguments> arguments = ParseQueueArguments(spec, name_);
    if (!arguments.ok()) return arguments.status();
    if (server_named && arguments->type == QueueType::kQuorum) {
      return ServerNamedQuorum(name_);
    }
    // Made before the lock is taken, since that may set a timer.
    std::shared_ptr<Queue> queue = Queue::Create(
        normal, normal.exclusive ? owner : kNoOwner, QueueSurroundings());
    absl::StatusOr<bool> added = AddQueue(queue, ApplyPolicyTo(queue.get()));
    if (!added.ok()) return added.status();
    if (*added) return FoundQueue{std::move(queue), /*created=*/true};
  }
}

void Vhost::AddDefaultType(QueueSpec* spec) const {
  constexpr absl::string_view kQueueType = "x-queue-type";
  // Queues that go with somebody are always classic.
  if (!spec->durable || spec->exclusive || spec->auto_delete) return;
  if (spec->arguments.count(kQueueType) > 0) return;
  MutexLock lock(&mu_);
  const std::string& type = settings_.default_queue_type;
  if (!type.empty()) spec->arguments.emplace(kQueueType, type);
}

QueueEnvironment Vhost::QueueSurroundings() {
  QueueEnvironment environment;
  environment.clock = clock_;
  environment.timers = timers_;
  environment.executor = executor_;
  environment.vhost = name_;
  environment.on_closed = [weak = weak_from_this()](const QueueRef& queue,
                                                    CancelReason reason) {
    std::shared_ptr<Vhost> vhost = weak.lock();
    if (vhost == nullptr) return;
    const bool removed = vhost->RemoveQueue(queue);
    const OwnerId owner = static_cast<const Queue&>(*queue).owner();
    if (removed && owner != kNoOwner) {
      vhost->on_exclusive_queue_closed_(owner, queue->name(), reason);
    }
  };
  environment.on_dead_letters = [weak = weak_from_this()](
                                    std::vector<DeadLetter> letters,
                                    QueueEnvironment::LettersDone done) {
    if (std::shared_ptr<Vhost> vhost = weak.lock()) {
      PublishDeadLetters(vhost->Path(), std::move(letters), std::move(done));
    } else {
      std::move(done)({});
    }
  };
  return environment;
}

void Vhost::DeleteQueue(const DeleteQueueParams& params,
                        Done<DeleteQueueResult> done) {
  absl::StatusOr<std::shared_ptr<Queue>> queue =
      FindQueueFor(params.name, params.owner);
  if (HasReason(queue.status(), Reason::kQueueNotFound)) {
    return std::move(done)(DeleteQueueResult());  // QDEL-01
  }
  if (!queue.ok()) return std::move(done)(queue.status());
  (*queue)->Delete(params.if_unused, params.if_empty,
                   [done = std::move(done)](
                       absl::StatusOr<std::optional<uint64_t>> count) mutable {
                     if (!count.ok()) return std::move(done)(count.status());
                     DeleteQueueResult result;
                     result.deleted = count->has_value();
                     result.message_count = count->value_or(0);
                     std::move(done)(result);
                   });
}

void Vhost::PurgeQueue(const PurgeQueueParams& params, Done<uint64_t> done) {
  absl::StatusOr<std::shared_ptr<Queue>> queue =
      FindQueueFor(params.name, params.owner);
  if (!queue.ok()) return std::move(done)(queue.status());
  (*queue)->Purge([done = std::move(done)](uint64_t count) mutable {
    std::move(done)(count);
  });
}

// ---- Bindings ----

absl::Status Vhost::CheckBindingAccess(const BindParams& params) const {
  if (params.binding.kind != DestinationKind::kQueue) return absl::OkStatus();
  auto queue = queues_.find(params.binding.destination);
  if (queue == queues_.end()) return absl::OkStatus();
  // The default exchange and an absent one are reported first, by the router.
  if (params.binding.source.empty() ||
      !router_.FindExchange(params.binding.source).ok()) {
    return absl::OkStatus();
  }
  return queue->second->CheckAccess(params.owner);
}

absl::StatusOr<Vhost::NewBinding> Vhost::AddBinding(const BindParams& params) {
  const BindingSpec& spec = params.binding;
  MutexLock lock(&mu_);
  if (closed_) return NoSuchVhost(name_);
  absl::Status access = CheckBindingAccess(params);
  if (!access.ok()) return access;
  absl::StatusOr<bool> created = router_.Bind(spec);
  if (!created.ok()) return created.status();
  NewBinding binding;
  binding.created = *created;
  if (*created) binding.replay = router_.ReplayForLastBinding(spec.source);
  if (spec.kind == DestinationKind::kQueue) {
    binding.queue = queues_.find(spec.destination)->second;
  } else {
    binding.exchange = spec.destination;
  }
  return binding;
}

void Vhost::SendMissed(const NewBinding& binding, Closure done) {
  std::vector<MessageRef> missed;
  if (binding.replay.has_value()) missed = binding.replay->messages();
  if (missed.empty()) return std::move(done)();
  if (binding.queue != nullptr) {
    for (MessageRef& message : missed) {
      message = WithBccHidden(std::move(message));
    }
    binding.queue->Enqueue(
        std::move(missed),
        [done = std::move(done)](std::vector<uint32_t>) mutable {
          std::move(done)();
        });
    return;
  }
  std::vector<LateMessage> late;
  late.reserve(missed.size());
  for (MessageRef& message : missed) {
    late.push_back({std::move(message), binding.exchange});
  }
  PublishLate(Path(), std::move(late), std::move(done));
}

void Vhost::Bind(const BindParams& params, Done<bool> done) {
  absl::StatusOr<NewBinding> binding = AddBinding(params);
  if (!binding.ok()) return std::move(done)(binding.status());
  SendMissed(*binding,
             [created = binding->created, done = std::move(done)]() mutable {
               std::move(done)(created);
             });
}

absl::StatusOr<bool> Vhost::Unbind(const BindParams& params) {
  MutexLock lock(&mu_);
  if (closed_) return NoSuchVhost(name_);
  absl::Status access = CheckBindingAccess(params);
  // What is not there may be unbound by anybody (BIND-04).
  if (!access.ok() && router_.HasBinding(params.binding)) return access;
  return router_.Unbind(params.binding);
}

}  // namespace kelpmq::service
