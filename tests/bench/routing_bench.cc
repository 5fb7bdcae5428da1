// What routing one message costs, by exchange type and number of bindings.
// Messages differ from one to the next and are spread over all bindings, so
// that large tables are met with cold caches, as in a broker.

#include <cstddef>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "benchmark/benchmark.h"
#include "service/exchange/router.h"
#include "tests/testing/message_encoder.h"

namespace kelpmq::service {
namespace {

// Enough for the messages' own keys to stay cached while the tables do not.
constexpr size_t kMessages = 16384;
constexpr int kMaxBindings = 100'000;

class Topology {
 public:
  void Exchange(const std::string& name, const std::string& type) {
    ExchangeSpec spec;
    spec.name = name;
    spec.type = type;
    Check(router_.DeclareExchange(spec, /*passive=*/false).ok());
  }
  void Queue(const std::string& name) {
    router_.AddQueue(name, std::make_shared<RouteTarget>());
  }
  // The i-th of `count` queues, made when it is first asked for.
  std::string QueueOf(size_t i, size_t count) {
    const std::string name = absl::StrCat("q", i % count);
    if (i < count) Queue(name);
    return name;
  }
  void Bind(const std::string& source, const std::string& queue,
            const std::string& key, Table arguments = {}) {
    Check(router_
              .Bind({source, DestinationKind::kQueue, queue, key,
                     std::move(arguments)})
              .ok());
  }
  void BindExchange(const std::string& source, const std::string& destination,
                    const std::string& key = "") {
    Check(
        router_.Bind({source, DestinationKind::kExchange, destination, key, {}})
            .ok());
  }
  // Routes the messages in turn, each of which must reach `expected` queues.
  void Run(const std::vector<MessageRef>& messages, size_t expected,
           benchmark::State& state) {
    Routes routes;
    size_t next = 0;
    size_t reached = 0;
    for (auto _ : state) {
      routes.clear();
      router_.Route(*messages[next], &routes).IgnoreError();  // checked below
      next = next + 1 == messages.size() ? 0 : next + 1;
      reached += routes.targets.size();
    }
    Check(reached == expected * state.iterations());
    state.SetItemsProcessed(state.iterations());
  }

 private:
  static void Check(bool ok) {
    if (!ok) std::abort();
  }
  Router router_{"/"};
};

// One message for each of kMessages bindings, picked at random.
template <typename F>
std::vector<MessageRef> Messages(size_t bindings, F&& message_of) {
  std::mt19937 random(1);
  std::uniform_int_distribution<size_t> pick(0, bindings - 1);
  std::vector<MessageRef> messages;
  for (size_t i = 0; i < kMessages; ++i) {
    messages.push_back(message_of(pick(random)));
  }
  return messages;
}

MessageRef KeyMessage(const std::string& exchange, const std::string& key) {
  return testing::MessageWithHeaders(exchange, key, {});
}

void BM_Default(benchmark::State& state) {
  const size_t count = state.range(0);
  Topology topology;
  for (size_t i = 0; i < count; ++i) topology.QueueOf(i, count);
  topology.Run(
      Messages(count,
               [&](size_t i) { return KeyMessage("", absl::StrCat("q", i)); }),
      1, state);
}
BENCHMARK(BM_Default)->RangeMultiplier(100)->Range(10, kMaxBindings);

void BM_Direct(benchmark::State& state) {
  const size_t count = state.range(0);
  Topology topology;
  topology.Exchange("x", "direct");
  for (size_t i = 0; i < count; ++i) {
    topology.Bind("x", topology.QueueOf(i, 10), absl::StrCat("key.", i));
  }
  topology.Run(Messages(count,
                        [&](size_t i) {
                          return KeyMessage("x", absl::StrCat("key.", i));
                        }),
               1, state);
}
BENCHMARK(BM_Direct)->RangeMultiplier(100)->Range(10, kMaxBindings);

// The cost of one copy more: per queue, not per message.
void BM_Fanout(benchmark::State& state) {
  const size_t count = state.range(0);
  Topology topology;
  topology.Exchange("x", "fanout");
  for (size_t i = 0; i < count; ++i) {
    topology.Bind("x", topology.QueueOf(i, count), "");
  }
  topology.Run({KeyMessage("x", "")}, count, state);
  state.SetItemsProcessed(state.iterations() * count);
}
BENCHMARK(BM_Fanout)->Arg(1)->Arg(10)->Arg(100)->Arg(10'000);

// Four words each; a third of the patterns plain, a third with `*`, a third
// with `#`. Every message fits one.
std::string Site(size_t i) { return absl::StrCat("site", i % 50); }
std::string Device(size_t i) { return absl::StrCat("device", i / 50); }
std::string TopicPattern(size_t i) {
  switch (i % 3) {
    case 0:
      return absl::StrCat(Site(i), ".", Device(i), ".temperature.celsius");
    case 1:
      return absl::StrCat(Site(i), ".", Device(i), ".*.celsius");
    default:
      return absl::StrCat(Site(i), ".", Device(i), ".#.celsius");
  }
}
std::string TopicKey(size_t i) {
  return absl::StrCat(Site(i), ".", Device(i), ".temperature.celsius");
}

// `queues`: how many the bindings are spread over.
void RunTopic(size_t bindings, size_t queues, benchmark::State& state) {
  Topology topology;
  topology.Exchange("x", "topic");
  for (size_t i = 0; i < bindings; ++i) {
    topology.Bind("x", topology.QueueOf(i, queues), TopicPattern(i));
  }
  topology.Run(Messages(bindings,
                        [&](size_t i) { return KeyMessage("x", TopicKey(i)); }),
               1, state);
}
void BM_Topic(benchmark::State& state) { RunTopic(state.range(0), 10, state); }
BENCHMARK(BM_Topic)->RangeMultiplier(10)->Range(10, kMaxBindings);

// As many queues as bindings: touching a queue costs as well.
void BM_TopicQueueEach(benchmark::State& state) {
  RunTopic(state.range(0), state.range(0), state);
}
BENCHMARK(BM_TopicQueueEach)->RangeMultiplier(10)->Range(10, kMaxBindings);

// Patterns that leave every step open, and a key that fits all of them.
void BM_TopicWorstCase(benchmark::State& state) {
  Topology topology;
  topology.Exchange("x", "topic");
  topology.Queue("q");
  std::string pattern = "#.a";
  for (int i = 0; i < 60; ++i) {
    topology.Bind("x", "q", pattern);
    pattern += ".#.a";
  }
  std::string key = "a";
  while (key.size() + 2 <= 255) key += ".a";
  topology.Run({KeyMessage("x", key)}, 1, state);
}
BENCHMARK(BM_TopicWorstCase);

void BM_Headers(benchmark::State& state) {
  const size_t count = state.range(0);
  Topology topology;
  topology.Exchange("x", "headers");
  const auto headers = [](size_t i) {
    return Table{{"format", "pdf"}, {"tenant", absl::StrCat("t", i)}};
  };
  for (size_t i = 0; i < count; ++i) {
    topology.Bind("x", topology.QueueOf(i, 10), "", headers(i));
  }
  topology.Run(Messages(count,
                        [&](size_t i) {
                          return testing::MessageWithHeaders("x", "k",
                                                             headers(i));
                        }),
               1, state);
}
BENCHMARK(BM_Headers)->RangeMultiplier(100)->Range(10, kMaxBindings);

// A chain of exchanges of this length.
void BM_ExchangeToExchange(benchmark::State& state) {
  const int length = state.range(0);
  Topology topology;
  topology.Exchange("x0", "topic");
  for (int i = 1; i <= length; ++i) {
    topology.Exchange(absl::StrCat("x", i), "topic");
    topology.BindExchange(absl::StrCat("x", i - 1), absl::StrCat("x", i), "#");
  }
  topology.Queue("q");
  topology.Bind(absl::StrCat("x", length), "q", "a.*.c");
  topology.Run({KeyMessage("x0", "a.b.c")}, 1, state);
}
BENCHMARK(BM_ExchangeToExchange)->Arg(1)->Arg(4)->Arg(16);

// Binding and unbinding next to so many other bindings.
void BM_BindUnbind(benchmark::State& state) {
  const size_t count = state.range(0);
  Router router("/");
  ExchangeSpec spec;
  spec.name = "x";
  spec.type = "topic";
  router.DeclareExchange(spec, /*passive=*/false).status().IgnoreError();
  router.AddQueue("q", std::make_shared<RouteTarget>());
  BindingSpec binding{"x", DestinationKind::kQueue, "q", "", {}};
  for (size_t i = 0; i < count; ++i) {
    binding.routing_key = TopicPattern(i);
    router.Bind(binding).status().IgnoreError();
  }
  binding.routing_key = "one.more.*";
  for (auto _ : state) {
    router.Bind(binding).status().IgnoreError();
    router.Unbind(binding).status().IgnoreError();
  }
  state.SetItemsProcessed(state.iterations() * 2);
}
BENCHMARK(BM_BindUnbind)->RangeMultiplier(100)->Range(10, kMaxBindings);

}  // namespace
}  // namespace kelpmq::service
