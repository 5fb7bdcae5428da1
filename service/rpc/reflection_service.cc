#include "service/rpc/reflection_service.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc/reflection/v1/reflection.pb.h"
#include "service/base/error.h"
#include "service/rpc/codec.h"

namespace kelpmq::service {
namespace {

// v1alpha has the same messages but for their names, so these serve both.
namespace wire = ::grpc::reflection::v1;
using google::protobuf::Descriptor;
using google::protobuf::DescriptorPool;
using google::protobuf::FieldDescriptor;
using google::protobuf::FileDescriptor;

const DescriptorPool& Pool() { return *DescriptorPool::generated_pool(); }

void SetNotFound(const std::string& what,
                 wire::ServerReflectionResponse* response) {
  auto* error = response->mutable_error_response();
  error->set_error_code(static_cast<int>(absl::StatusCode::kNotFound));
  error->set_error_message(absl::StrCat("unknown: ", what));
}

// The file and all that it imports, so that clients need no further requests.
void AddFile(const FileDescriptor* file,
             absl::flat_hash_set<const FileDescriptor*>* added,
             wire::FileDescriptorResponse* response) {
  if (!added->insert(file).second) return;
  google::protobuf::FileDescriptorProto proto;
  file->CopyTo(&proto);
  response->add_file_descriptor_proto(proto.SerializeAsString());
  for (int i = 0; i < file->dependency_count(); ++i) {
    AddFile(file->dependency(i), added, response);
  }
}

void SetFile(const FileDescriptor* file, const std::string& what,
             wire::ServerReflectionResponse* response) {
  if (file == nullptr) {
    SetNotFound(what, response);
    return;
  }
  absl::flat_hash_set<const FileDescriptor*> added;
  AddFile(file, &added, response->mutable_file_descriptor_response());
}

const FileDescriptor* FileOfExtension(const wire::ExtensionRequest& request) {
  const Descriptor* type =
      Pool().FindMessageTypeByName(request.containing_type());
  if (type == nullptr) return nullptr;
  const FieldDescriptor* extension =
      Pool().FindExtensionByNumber(type, request.extension_number());
  return extension == nullptr ? nullptr : extension->file();
}

void SetExtensionNumbers(const std::string& type_name,
                         wire::ServerReflectionResponse* response) {
  const Descriptor* type = Pool().FindMessageTypeByName(type_name);
  if (type == nullptr) {
    SetNotFound(type_name, response);
    return;
  }
  auto* numbers = response->mutable_all_extension_numbers_response();
  numbers->set_base_type_name(type_name);
  std::vector<const FieldDescriptor*> extensions;
  Pool().FindAllExtensions(type, &extensions);
  for (const FieldDescriptor* extension : extensions) {
    numbers->add_extension_number(extension->number());
  }
}

wire::ServerReflectionResponse Answer(
    const wire::ServerReflectionRequest& request,
    const std::vector<std::string>& services) {
  using Request = wire::ServerReflectionRequest;
  wire::ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      SetFile(Pool().FindFileByName(request.file_by_filename()),
              request.file_by_filename(), &response);
      break;
    case Request::kFileContainingSymbol:
      SetFile(Pool().FindFileContainingSymbol(request.file_containing_symbol()),
              request.file_containing_symbol(), &response);
      break;
    case Request::kFileContainingExtension:
      SetFile(
          FileOfExtension(request.file_containing_extension()),
          absl::StrCat(request.file_containing_extension().containing_type(),
                       " extension ",
                       request.file_containing_extension().extension_number()),
          &response);
      break;
    case Request::kAllExtensionNumbersOfType:
      SetExtensionNumbers(request.all_extension_numbers_of_type(), &response);
      break;
    case Request::kListServices:
      for (const std::string& name : services) {
        response.mutable_list_services_response()->add_service()->set_name(
            name);
      }
      break;
    case Request::MESSAGE_REQUEST_NOT_SET: {
      auto* error = response.mutable_error_response();
      error->set_error_code(
          static_cast<int>(absl::StatusCode::kInvalidArgument));
      error->set_error_message("no message_request set");
      break;
    }
  }
  return response;
}

// One answer to each request, one at a time.
class ReflectionHandler
    : public CallHandler,
      public RegisteredStream,
      public std::enable_shared_from_this<ReflectionHandler> {
 public:
  ReflectionHandler(std::shared_ptr<const std::vector<std::string>> services,
                    StreamRegistry* streams)
      : services_(std::move(services)), streams_(streams) {}

  void OnStart(CallRef call) override {
    call_ = std::move(call);
    streams_->Add(shared_from_this(),
                  StreamRegistry::DuringDrain::kDoNotWaitFor);
    call_->Read();
  }

  void OnReadDone(bool ok, grpc::ByteBuffer message) override {
    if (!ok) {
      call_->Finish(absl::OkStatus());
      return;
    }
    wire::ServerReflectionRequest request;
    if (absl::Status parsed = Parse(message, &request); !parsed.ok()) {
      call_->Finish(std::move(parsed));
      return;
    }
    call_->Write(Serialize(Answer(request, *services_)));
  }

  void OnWriteDone(bool ok) override { call_->Read(); }
  void OnDone(bool cancelled) override { streams_->Remove(this); }

  void Drain(absl::Time deadline) override {}
  void EndForDrain() override {
    call_->Finish(
        MakeError(Reason::kServerDraining, "the server is shutting down"));
  }
  void EndVhost(absl::string_view vhost) override {}

 private:
  const std::shared_ptr<const std::vector<std::string>> services_;
  StreamRegistry* const streams_;
  CallRef call_;  // set by OnStart, then constant
};

}  // namespace

void RegisterReflection(std::vector<std::string> services,
                        StreamRegistry* streams, MethodTable* methods) {
  auto shared =
      std::make_shared<const std::vector<std::string>>(std::move(services));
  for (const char* version : {"v1", "v1alpha"}) {
    methods->Add(absl::StrCat("/grpc.reflection.", version,
                              ".ServerReflection/ServerReflectionInfo"),
                 MethodTable::WhileDraining::kAllow, [shared, streams] {
                   return std::make_shared<ReflectionHandler>(shared, streams);
                 });
  }
}

}  // namespace kelpmq::service
