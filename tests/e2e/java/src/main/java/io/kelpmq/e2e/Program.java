package io.kelpmq.e2e;

import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.NullValue;
import com.google.rpc.ErrorInfo;
import io.grpc.Context;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.StreamObserver;
import io.kelpmq.v1.AckRequest;
import io.kelpmq.v1.ConsumeRequest;
import io.kelpmq.v1.ConsumeResponse;
import io.kelpmq.v1.ConsumerSpec;
import io.kelpmq.v1.Decimal;
import io.kelpmq.v1.DeclareQueueRequest;
import io.kelpmq.v1.Delivery;
import io.kelpmq.v1.GetRequest;
import io.kelpmq.v1.Message;
import io.kelpmq.v1.MessagingServiceGrpc;
import io.kelpmq.v1.PublishRequest;
import io.kelpmq.v1.Settle;
import io.kelpmq.v1.SettleAction;
import io.kelpmq.v1.SettleFailure;
import io.kelpmq.v1.Settled;
import io.kelpmq.v1.SubscribeRequest;
import io.kelpmq.v1.SubscribeResponse;
import io.kelpmq.v1.Table;
import io.kelpmq.v1.TopologyServiceGrpc;
import io.kelpmq.v1.Value;
import io.kelpmq.v1.ValueArray;
import java.util.Iterator;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Consumer;

/** What a Java program does with KelpMQ. Usage: Program BEHAVIOUR ADDRESS QUEUE. */
public final class Program {
  private final MessagingServiceGrpc.MessagingServiceBlockingStub messaging;
  private final MessagingServiceGrpc.MessagingServiceStub streams;
  private final TopologyServiceGrpc.TopologyServiceBlockingStub topology;
  private final String queue;

  /** Calls wait for the broker if it is away. */
  private Program(ManagedChannel channel, String queue) {
    this.messaging = MessagingServiceGrpc.newBlockingStub(channel).withWaitForReady();
    this.streams = MessagingServiceGrpc.newStub(channel).withWaitForReady();
    this.topology = TopologyServiceGrpc.newBlockingStub(channel).withWaitForReady();
    this.queue = queue;
  }

  public static void main(String[] args) throws Exception {
    ManagedChannel channel =
        Grpc.newChannelBuilder(args[1], InsecureChannelCredentials.create()).build();
    Program program = new Program(channel, args[2]);
    switch (args[0]) {
      case "publish_subscribe_ack" -> program.publishSubscribeAck();
      case "typed_error" -> program.typedError();
      case "values" -> program.values();
      case "tag64" -> program.tag64();
      case "restart" -> program.restart();
      default -> throw new IllegalArgumentException(args[0]);
    }
    channel.shutdownNow();
  }

  private void publishSubscribeAck() {
    declareQueue();
    for (String text : new String[] {"one", "two", "three"}) {
      publish(Message.newBuilder().setBody(ByteString.copyFromUtf8(text)).build());
    }
    System.out.println("acknowledged " + consume(3, Program::printBody));
  }

  private void typedError() throws InvalidProtocolBufferException {
    try {
      messaging.publish(
          PublishRequest.newBuilder().setExchange(queue).setMessage(Message.getDefaultInstance()).build());
    } catch (StatusRuntimeException error) {
      for (Any detail : StatusProto.fromThrowable(error).getDetailsList()) {
        if (detail.is(ErrorInfo.class)) {
          ErrorInfo info = detail.unpack(ErrorInfo.class);
          System.out.printf(
              "%s %s %s%n",
              error.getStatus().getCode(), info.getReason(), info.getMetadataOrThrow("amqp_code"));
        }
      }
    }
  }

  private void values() {
    Map<String, Value> headers =
        Map.ofEntries(
            Map.entry("string", text("héllo ✓")),
            Map.entry("int64", Value.newBuilder().setInt64Value(Long.MIN_VALUE).build()),
            Map.entry("bool", Value.newBuilder().setBoolValue(true).build()),
            Map.entry("double", Value.newBuilder().setDoubleValue(0.1).build()),
            Map.entry(
                "table",
                Value.newBuilder()
                    .setTableValue(Table.newBuilder().putFields("inner", text("deep")))
                    .build()),
            Map.entry(
                "array",
                Value.newBuilder()
                    .setArrayValue(
                        ValueArray.newBuilder()
                            .addValues(text("one"))
                            .addValues(Value.newBuilder().setInt64Value(9007199254740993L)))
                    .build()),
            Map.entry("bytes", Value.newBuilder().setBytesValue(bytes(0x00, 0xff, 0x10)).build()),
            Map.entry(
                "timestamp", Value.newBuilder().setTimestampValue(9007199254740993L).build()),
            Map.entry("null", Value.newBuilder().setNullValue(NullValue.NULL_VALUE).build()),
            Map.entry("int32", Value.newBuilder().setInt32Value(Integer.MIN_VALUE).build()),
            Map.entry("int16", Value.newBuilder().setInt16Value(Short.MIN_VALUE).build()),
            Map.entry("int8", Value.newBuilder().setInt8Value(Byte.MIN_VALUE).build()),
            Map.entry("uint8", Value.newBuilder().setUint8Value(255).build()),
            Map.entry("uint16", Value.newBuilder().setUint16Value(65535).build()),
            // Java has no unsigned types: the bits of 4294967295.
            Map.entry("uint32", Value.newBuilder().setUint32Value(0xffffffff).build()),
            Map.entry("float", Value.newBuilder().setFloatValue(0.1f).build()),
            Map.entry(
                "decimal",
                Value.newBuilder()
                    .setDecimalValue(Decimal.newBuilder().setScale(2).setUnscaled(12345))
                    .build()),
            Map.entry(
                "raw_string", Value.newBuilder().setRawStringValue(bytes(0xff, 0xfe)).build()));
    declareQueue();
    publish(Message.newBuilder().putAllHeaders(headers).build());
    GetRequest get = GetRequest.newBuilder().setQueue(queue).setAutoAck(true).build();
    Message message = messaging.get(get).getDeliveries(0).getMessage();
    System.out.println(message.getHeadersCount() + " headers");
    publish(message);
  }

  private void tag64() throws ExecutionException, InterruptedException {
    CompletableFuture<Settled> answer = new CompletableFuture<>();
    StreamObserver<ConsumeRequest> channel =
        streams.consume(
            new StreamObserver<>() {
              @Override
              public void onNext(ConsumeResponse response) {
                if (response.hasSettled()) {
                  answer.complete(response.getSettled());
                }
              }

              @Override
              public void onError(Throwable error) {
                answer.completeExceptionally(error);
              }

              @Override
              public void onCompleted() {
                answer.cancel(false);
              }
            });
    Settle settle =
        Settle.newBuilder()
            .setAction(SettleAction.SETTLE_ACTION_ACK)
            .addDeliveryTags(9007199254740993L)
            .addDeliveryTags(Long.parseUnsignedLong("18446744073709551613"))
            .setRequestId(Long.parseUnsignedLong("18446744073709551615"))
            .build();
    channel.onNext(ConsumeRequest.newBuilder().setSettle(settle).build());
    Settled settled = answer.get();
    System.out.println("request " + Long.toUnsignedString(settled.getRequestId()));
    for (SettleFailure failure : settled.getFailuresList()) {
      String tag = Long.toUnsignedString(failure.getTags().getFirst());
      System.out.println(tag + " " + failure.getReason());
    }
    channel.onCompleted();
  }

  /** Stays with the queue while the broker goes and comes back with nothing in it. */
  private void restart() {
    for (int life = 1; ; life = 2) {
      try {
        declareQueue();
        publish(Message.newBuilder().setBody(ByteString.copyFromUtf8("life " + life)).build());
        consume(3 - life, Program::printBody); // One message comes: the first life waits on.
        return;
      } catch (StatusRuntimeException error) {
        if (error.getStatus().getCode() != Status.Code.UNAVAILABLE) {
          throw error;
        }
      }
    }
  }

  private void declareQueue() {
    topology.declareQueue(DeclareQueueRequest.newBuilder().setName(queue).build());
  }

  private void publish(Message message) {
    messaging.publish(
        PublishRequest.newBuilder().setRoutingKey(queue).setMessage(message).build());
  }

  /**
   * Acknowledges the first {@code count} messages of the queue and hands them to {@code handler}.
   *
   * @return how many acknowledgements the broker counted
   */
  private long consume(int count, Consumer<Message> handler) {
    SubscribeRequest request =
        SubscribeRequest.newBuilder().setStart(ConsumerSpec.newBuilder().setQueue(queue)).build();
    Context.CancellableContext subscription = Context.current().withCancellation();
    Context outer = subscription.attach();
    try {
      long acknowledged = 0;
      Iterator<SubscribeResponse> responses = messaging.subscribe(request);
      while (responses.hasNext()) {
        SubscribeResponse response = responses.next();
        for (Delivery delivery : response.getDeliveriesList()) {
          AckRequest ack =
              AckRequest.newBuilder()
                  .setLeaseId(response.getLeaseId())
                  .addDeliveryTags(delivery.getDeliveryTag())
                  .build();
          acknowledged += messaging.ack(ack).getSettledCount();
          handler.accept(delivery.getMessage());
          if (--count == 0) {
            return acknowledged;
          }
        }
      }
      return acknowledged;
    } finally {
      subscription.detach(outer);
      subscription.cancel(null); // Ends the stream.
    }
  }

  private static void printBody(Message message) {
    System.out.println(message.getBody().toStringUtf8());
  }

  private static Value text(String text) {
    return Value.newBuilder().setStringValue(text).build();
  }

  private static ByteString bytes(int... octets) {
    ByteString.Output output = ByteString.newOutput(octets.length);
    for (int octet : octets) {
      output.write(octet);
    }
    return output.toByteString();
  }
}
