// Leaves gRPC's xDS out of the static binary: the client of a service mesh's
// control plane, which a broker has no use for, and a third of what would be
// linked.
//
// gRPC registers it, and nothing else that the broker or the commands use, in
// this one function, and builds its library without TLS with one that does
// nothing. A definition of ours keeps the linker from taking that of the
// library with TLS. Should a later gRPC not call it any more, the binary is
// larger, and tests/e2e/container says so.
namespace grpc_core {

// As much of gRPC's class as the function's name is made from.
class CoreConfiguration {
 public:
  class Builder;
};

// Declared by gRPC in a source file of its own.
void RegisterExtraFilters(CoreConfiguration::Builder* builder);
void RegisterExtraFilters(CoreConfiguration::Builder* builder) {}

}  // namespace grpc_core
