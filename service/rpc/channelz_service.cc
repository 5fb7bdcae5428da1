#include "service/rpc/channelz_service.h"

#include <google/protobuf/util/json_util.h>
#include <grpc/grpc.h>
#include <grpc/support/alloc.h>

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "grpc/channelz/v1/channelz.pb.h"
#include "service/base/error.h"
#include "service/rpc/codec.h"

namespace kelpmq::service {
namespace {

namespace wire = ::grpc::channelz::v1;

struct GprDeleter {
  void operator()(char* p) const { gpr_free(p); }
};
// gRPC's answer: a channelz message in protobuf's JSON form; null: no such
// thing.
using Json = std::unique_ptr<char, GprDeleter>;

template <typename Request, typename Response, typename Query>
void AddQuery(MethodTable* methods, absl::string_view name, Query query) {
  AddUnary<Request, Response>(
      methods, absl::StrCat("/grpc.channelz.v1.Channelz/", name),
      MethodTable::WhileDraining::kAllow,
      [query](CallContext context, Request request, Reply<Response> reply) {
        const Json json(query(request));
        if (json == nullptr) {
          std::move(reply)(absl::NotFoundError("no entity with this id"));
          return;
        }
        Response response;
        if (!google::protobuf::util::JsonStringToMessage(json.get(), &response)
                 .ok()) {
          std::move(reply)(MakeError(Reason::kInternalError,
                                     "gRPC's answer cannot be read"));
          return;
        }
        std::move(reply)(std::move(response));
      },
      MethodTable::OpenTo::kAdministrators);  // it names who is connected
}

}  // namespace

void RegisterChannelz(MethodTable* methods) {
  AddQuery<wire::GetTopChannelsRequest, wire::GetTopChannelsResponse>(
      methods, "GetTopChannels", [](const wire::GetTopChannelsRequest& r) {
        return grpc_channelz_get_top_channels(r.start_channel_id());
      });
  AddQuery<wire::GetServersRequest, wire::GetServersResponse>(
      methods, "GetServers", [](const wire::GetServersRequest& r) {
        return grpc_channelz_get_servers(r.start_server_id());
      });
  AddQuery<wire::GetServerRequest, wire::GetServerResponse>(
      methods, "GetServer", [](const wire::GetServerRequest& r) {
        return grpc_channelz_get_server(r.server_id());
      });
  AddQuery<wire::GetServerSocketsRequest, wire::GetServerSocketsResponse>(
      methods, "GetServerSockets", [](const wire::GetServerSocketsRequest& r) {
        return grpc_channelz_get_server_sockets(
            r.server_id(), r.start_socket_id(), r.max_results());
      });
  AddQuery<wire::GetChannelRequest, wire::GetChannelResponse>(
      methods, "GetChannel", [](const wire::GetChannelRequest& r) {
        return grpc_channelz_get_channel(r.channel_id());
      });
  AddQuery<wire::GetSubchannelRequest, wire::GetSubchannelResponse>(
      methods, "GetSubchannel", [](const wire::GetSubchannelRequest& r) {
        return grpc_channelz_get_subchannel(r.subchannel_id());
      });
  AddQuery<wire::GetSocketRequest, wire::GetSocketResponse>(
      methods, "GetSocket", [](const wire::GetSocketRequest& r) {
        return grpc_channelz_get_socket(r.socket_id());
      });
}

}  // namespace kelpmq::service
