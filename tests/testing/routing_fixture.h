#ifndef KELPMQ_TESTS_TESTING_ROUTING_FIXTURE_H_
#define KELPMQ_TESTS_TESTING_ROUTING_FIXTURE_H_

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "service/base/types.h"
#include "service/exchange/router.h"
#include "tests/testing/fake_clock.h"
#include "tests/testing/message_encoder.h"
#include "tests/testing/reason_of.h"

namespace kelpmq::service::testing {

// A queue of which routing tests know the name alone.
struct NamedTarget : RouteTarget {
  explicit NamedTarget(std::string n) : name(std::move(n)) {}
  const std::string name;
};

// A Router of vhost "/", and short ways to declare, bind and route.
class RoutingFixture : public ::testing::Test {
 protected:
  using Names = std::vector<std::string>;

  void Queue(const std::string& name) {
    router_.AddQueue(name, std::make_shared<NamedTarget>(name));
  }
  void Queues(const Names& names) {
    for (const std::string& name : names) Queue(name);
  }

  static ExchangeSpec Spec(const std::string& name, const std::string& type,
                           Table arguments = {}) {
    ExchangeSpec spec;
    spec.name = name;
    spec.type = type;
    spec.arguments = std::move(arguments);
    return spec;
  }
  static ExchangeSpec AutoDelete(const std::string& name,
                                 const std::string& type = "fanout") {
    ExchangeSpec spec = Spec(name, type);
    spec.auto_delete = true;
    return spec;
  }
  absl::StatusOr<DeclaredExchange> Declare(const ExchangeSpec& spec) {
    return router_.DeclareExchange(spec, /*passive=*/false);
  }
  absl::StatusOr<DeclaredExchange> Passive(const std::string& name) {
    return router_.DeclareExchange(Spec(name, "direct"), /*passive=*/true);
  }
  void Exchange(const std::string& name, const std::string& type,
                Table arguments = {}) {
    const auto declared = Declare(Spec(name, type, std::move(arguments)));
    ASSERT_TRUE(declared.ok()) << declared.status();
  }
  bool HasExchange(const std::string& name) {
    return router_.FindExchange(name).ok();
  }

  static BindingSpec ToQueue(const std::string& source,
                             const std::string& queue,
                             const std::string& key = "",
                             Table arguments = {}) {
    return {source, DestinationKind::kQueue, queue, key, std::move(arguments)};
  }
  static BindingSpec ToExchange(const std::string& source,
                                const std::string& destination,
                                const std::string& key = "",
                                Table arguments = {}) {
    return {source, DestinationKind::kExchange, destination, key,
            std::move(arguments)};
  }
  // Binds and expects that this is new.
  void Bind(const BindingSpec& binding) {
    const auto created = router_.Bind(binding);
    ASSERT_TRUE(created.ok()) << created.status();
    EXPECT_TRUE(*created);
  }
  void Unbind(const BindingSpec& binding) {
    const auto deleted = router_.Unbind(binding);
    ASSERT_TRUE(deleted.ok()) << deleted.status();
    EXPECT_TRUE(*deleted);
  }

  // The names of the queues that the message reaches, sorted; one name for
  // each copy.
  Names Route(const std::string& exchange, const std::string& key,
              const Table& headers = {}) {
    Routes routes;
    const absl::Status status =
        router_.Route(*MessageWithHeaders(exchange, key, headers), &routes);
    EXPECT_TRUE(status.ok()) << status;
    Names names;
    for (const auto& target : router_.Resolve(routes.targets)) {
      if (target == nullptr) continue;  // gone since
      names.push_back(static_cast<const NamedTarget&>(*target).name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }
  absl::Status RouteStatus(const std::string& exchange,
                           const std::string& key) {
    Routes routes;
    return router_.Route(*MessageWithHeaders(exchange, key, {}), &routes);
  }

  FakeClock clock_;
  Router router_{"/", /*seed=*/0, &clock_};
};

// The text of an error without the AMQP name before it.
template <typename T>
std::string TextOf(const absl::StatusOr<T>& result) {
  const std::string text(result.status().message());
  const size_t dash = text.find(" - ");
  return dash == std::string::npos ? text : text.substr(dash + 3);
}

}  // namespace kelpmq::service::testing

#endif  // KELPMQ_TESTS_TESTING_ROUTING_FIXTURE_H_
