#include <kelpmq/client.h>

#include <future>
#include <iostream>

int main() {
  auto client = kelpmq::Client::Connect("127.0.0.1:50672").value();
  client->topology().DeclareQueue("jobs").value();
  std::cout << client->NewPublisher()->Publish({"jobs", "hello"}).get()
            << "\n";  // the confirm
  std::promise<std::string> done;
  auto consumer = client->Consume("jobs", [&done](kelpmq::Delivery job) {
    done.set_value(job.body());
    std::move(job).Ack().IgnoreError();  // lost: it would come again
  });
  std::cout << done.get_future().get() << "\n";
}
