// For ThreadSanitizer builds of tests that link gRPC. It is not instrumented,
// so what it synchronises looks like a race. Our own code never runs below a
// frame of gRPC, so no race of ours is hidden.
extern "C" const char* __tsan_default_suppressions() {
  return "race:^grpc\nrace:libgrpc\nrace:libgpr\nrace:libabsl\n";
}

extern "C" const char* __tsan_default_options() {
  return "ignore_noninstrumented_modules=1";
}
