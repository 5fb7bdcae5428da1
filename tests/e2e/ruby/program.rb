# frozen_string_literal: true

# What a Ruby program does with KelpMQ. Usage: program.rb BEHAVIOUR ADDRESS QUEUE
require 'kelpmq/v1/messaging_services_pb'
require 'kelpmq/v1/topology_services_pb'
require 'google/protobuf/well_known_types'
require 'google/rpc/error_details_pb'

include Kelpmq::V1

RETRY_SECONDS = 0.05

# The stubs of one broker, and one queue.
class Client
  # gRPC waits up to two minutes before it connects again; a client of a local broker need not.
  CHANNEL_OPTIONS = {
    'grpc.initial_reconnect_backoff_ms' => 100,
    'grpc.min_reconnect_backoff_ms' => 100,
    'grpc.max_reconnect_backoff_ms' => 1000
  }.freeze

  def initialize(address, queue)
    options = [address, :this_channel_is_insecure]
    @messaging = MessagingService::Stub.new(*options, channel_args: CHANNEL_OPTIONS)
    @topology = TopologyService::Stub.new(*options, channel_args: CHANNEL_OPTIONS)
    @queue = queue
  end

  def publish_subscribe_ack
    declare_queue
    %w[one two three].each { |text| publish(Message.new(body: text)) }
    acknowledged = consume(3) { |message| puts message.body }
    puts "acknowledged #{acknowledged}"
  end

  def typed_error
    @messaging.publish(PublishRequest.new(exchange: @queue, message: Message.new))
  rescue GRPC::NotFound => e
    info = e.to_rpc_status.details.find { |detail| detail.is(Google::Rpc::ErrorInfo) }
            .unpack(Google::Rpc::ErrorInfo)
    puts "NOT_FOUND #{info.reason} #{info.metadata['amqp_code']}"
  end

  def values
    headers = {
      'string' => Value.new(string_value: 'héllo ✓'),
      'int64' => Value.new(int64_value: -(2**63)),
      'bool' => Value.new(bool_value: true),
      'double' => Value.new(double_value: 0.1),
      'table' => Value.new(table_value: Table.new(fields: { 'inner' => Value.new(string_value: 'deep') })),
      'array' => Value.new(array_value: ValueArray.new(
        values: [Value.new(string_value: 'one'), Value.new(int64_value: 9_007_199_254_740_993)]
      )),
      'bytes' => Value.new(bytes_value: "\x00\xFF\x10".b),
      'timestamp' => Value.new(timestamp_value: 9_007_199_254_740_993),
      'null' => Value.new(null_value: :NULL_VALUE),
      'int32' => Value.new(int32_value: -(2**31)),
      'int16' => Value.new(int16_value: -(2**15)),
      'int8' => Value.new(int8_value: -(2**7)),
      'uint8' => Value.new(uint8_value: 255),
      'uint16' => Value.new(uint16_value: 65_535),
      'uint32' => Value.new(uint32_value: 4_294_967_295),
      'float' => Value.new(float_value: 0.1),
      'decimal' => Value.new(decimal_value: Decimal.new(scale: 2, unscaled: 12_345)),
      'raw_string' => Value.new(raw_string_value: "\xFF\xFE".b)
    }
    declare_queue
    publish(Message.new(headers: headers))
    message = @messaging.get(GetRequest.new(queue: @queue, auto_ack: true)).deliveries.first.message
    puts "#{message.headers.length} headers"
    publish(message)
  end

  def tag64
    requests = Queue.new # The stream's: it lives until nil comes.
    requests << ConsumeRequest.new(settle: Settle.new(
      action: :SETTLE_ACTION_ACK,
      delivery_tags: [9_007_199_254_740_993, 18_446_744_073_709_551_613],
      request_id: 18_446_744_073_709_551_615
    ))
    responses = @messaging.consume(Enumerator.new { |y| while (r = requests.pop) do y << r end })
    settled = responses.find { |response| response.event == :settled }.settled
    requests << nil
    puts "request #{settled.request_id}"
    settled.failures.each { |failure| puts "#{failure.tags.first} #{failure.reason}" }
  end

  # Stays with the queue while the broker goes and comes back with nothing in it.
  def restart
    life = 1
    begin
      declare_queue
      publish(Message.new(body: "life #{life}"))
      consume(3 - life) { |message| puts message.body } # One message comes: the first life waits on.
    rescue GRPC::Unavailable
      life = 2
      sleep RETRY_SECONDS
      retry
    end
  end

  private

  def declare_queue
    @topology.declare_queue(DeclareQueueRequest.new(name: @queue))
  end

  def publish(message)
    @messaging.publish(PublishRequest.new(routing_key: @queue, message: message))
  end

  # Acknowledges the first messages of the queue and yields them; returns how many
  # acknowledgements the broker counted.
  def consume(count)
    acknowledged = 0
    request = SubscribeRequest.new(start: ConsumerSpec.new(queue: @queue))
    subscription = @messaging.subscribe(request, return_op: true)
    subscription.execute.each do |response|
      response.deliveries.each do |delivery|
        ack = AckRequest.new(lease_id: response.lease_id, delivery_tags: [delivery.delivery_tag])
        acknowledged += @messaging.ack(ack).settled_count
        yield delivery.message
        return acknowledged if (count -= 1).zero?
      end
    end
  ensure
    subscription&.cancel
  end
end

$stdout.sync = true
behaviour, address, queue = ARGV
Client.new(address, queue).public_send(behaviour)
