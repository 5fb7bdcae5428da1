#include "service/http/prometheus_text.h"

#include <gtest/gtest.h>

namespace kelpmq::service {
namespace {

TEST(PrometheusText, AFamilyIsItsTypeItsHelpAndItsSamples) {
  PrometheusText page;
  page.Gauge("queues", "Queues");
  page.Sample(3);
  page.Counter("received_total", "Received");
  page.Sample(18446744073709551615u, {{"protocol", "kelpmq"}, {"a", "b"}});
  EXPECT_EQ(page.Take(),
            "# TYPE queues gauge\n"
            "# HELP queues Queues\n"
            "queues 3\n"
            "# TYPE received_total counter\n"
            "# HELP received_total Received\n"
            "received_total{protocol=\"kelpmq\",a=\"b\"} "
            "18446744073709551615\n");
}

TEST(PrometheusText, ValuesOfLabelsAreEscaped) {
  PrometheusText page;
  page.Gauge("queues", "Queues");
  page.Sample(1, {{"queue", "a\"b\\c\nd"}});
  EXPECT_NE(page.Take().find(R"({queue="a\"b\\c\nd"} 1)"), std::string::npos);
}

}  // namespace
}  // namespace kelpmq::service
