#include "service/rpc/service_names.h"

#include <google/protobuf/descriptor.h>

#include "grpc/channelz/v1/channelz.pb.h"
#include "grpc/health/v1/health.pb.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "kelpmq/v1/admin.pb.h"
#include "kelpmq/v1/messaging.pb.h"
#include "kelpmq/v1/session.pb.h"
#include "kelpmq/v1/testing.pb.h"
#include "kelpmq/v1/topology.pb.h"

namespace kelpmq::service {
namespace {

// Naming a message of the file also keeps the linker from leaving its
// descriptors out.
template <typename Message>
void AddServicesBeside(std::vector<std::string>* names) {
  const google::protobuf::FileDescriptor* file = Message::descriptor()->file();
  for (int i = 0; i < file->service_count(); ++i) {
    names->push_back(file->service(i)->full_name());
  }
}

}  // namespace

std::vector<std::string> ServedServiceNames(bool testing) {
  std::vector<std::string> names;
  AddServicesBeside<grpc::channelz::v1::GetServersRequest>(&names);
  AddServicesBeside<grpc::health::v1::HealthCheckRequest>(&names);
  AddServicesBeside<grpc::reflection::v1::ServerReflectionRequest>(&names);
  AddServicesBeside<grpc::reflection::v1alpha::ServerReflectionRequest>(&names);
  AddServicesBeside<v1::PutVhostRequest>(&names);
  AddServicesBeside<v1::PublishRequest>(&names);
  AddServicesBeside<v1::OpenSessionRequest>(&names);
  if (testing) AddServicesBeside<v1::AdvanceClockRequest>(&names);
  AddServicesBeside<v1::DeclareQueueRequest>(&names);
  return names;
}

}  // namespace kelpmq::service
