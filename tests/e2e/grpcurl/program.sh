#!/usr/bin/env bash
# What can be done with KelpMQ from a shell, by grpcurl and jq. Usage: program BEHAVIOUR ADDRESS QUEUE
set -euo pipefail
readonly BEHAVIOUR=$1 ADDRESS=$2 QUEUE=$3
readonly RETRY_SECONDS=0.05
PATH=$(dirname "$0")/bin:$PATH

# call SERVICE/METHOD [OPTION...]: JSON from stdin to stdout. Bytes are in base64.
call() {
  local method=$1
  shift
  grpcurl -plaintext -d @ "$@" "$ADDRESS" "kelpmq.v1.$method"
}

declare_queue() {
  jq -n --arg name "$QUEUE" '{$name}' | call TopologyService/DeclareQueue >/dev/null
}

# publish TEXT: to the queue.
publish() {
  jq -n --arg routing_key "$QUEUE" --arg text "$1" '{$routing_key, message: {body: $text | @base64}}' |
    call MessagingService/Publish >/dev/null
}

# ack LEASE TAG: prints how many the broker counted.
ack() {
  jq -n --arg lease_id "$1" --arg tag "$2" '{$lease_id, delivery_tags: [$tag]}' |
    call MessagingService/Ack | jq -r .settled_count
}

# consume COUNT: acknowledges and prints so many messages. False if the stream ends before.
consume() {
  local left=$1 start stream deliveries subscription lease tag body settled
  acknowledged=0
  start=$(jq -n --arg queue "$QUEUE" '{start: {$queue}}')
  exec {stream}< <(exec grpcurl -plaintext -d "$start" "$ADDRESS" kelpmq.v1.MessagingService/Subscribe)
  subscription=$!
  exec {deliveries}< <(exec jq --unbuffered -r '.lease_id as $lease | .deliveries[]? |
    [$lease, .delivery_tag, (.message.body | @base64d)] | @tsv' <&"$stream")
  while [[ $left -gt 0 ]] && read -r -u "$deliveries" lease tag body; do
    settled=$(ack "$lease" "$tag") || break
    acknowledged=$((acknowledged + settled))
    echo "$body"
    left=$((left - 1))
  done
  exec {stream}<&- {deliveries}<&-
  kill "$subscription" 2>/dev/null || true
  [[ $left -eq 0 ]]
}

publish_subscribe_ack() {
  local text
  declare_queue
  for text in one two three; do
    publish "$text"
  done
  consume 3
  echo "acknowledged $acknowledged"
}

typed_error() {
  # grpcurl knows no google.rpc.ErrorInfo, so the trailers say it, which -v shows.
  { jq -n --arg exchange "$QUEUE" '{$exchange, message: {}}' |
    call MessagingService/Publish -v 2>&1 || true; } |
    awk '/^kelpmq-amqp-code:/ { amqp_code = $2 } /^kelpmq-reason:/ { reason = $2 }
      /^  Code: NotFound$/ { code = "NOT_FOUND" } END { print code, reason, amqp_code }'
}

values() {
  local message
  declare_queue
  jq -n --arg routing_key "$QUEUE" '{$routing_key, message: {headers: {
    string: {string_value: "héllo ✓"},
    int64: {int64_value: "-9223372036854775808"},
    bool: {bool_value: true},
    double: {double_value: 0.1},
    table: {table_value: {fields: {inner: {string_value: "deep"}}}},
    array: {array_value: {values: [{string_value: "one"}, {int64_value: "9007199254740993"}]}},
    bytes: {bytes_value: "AP8Q"},
    timestamp: {timestamp_value: "9007199254740993"},
    null: {null_value: "NULL_VALUE"},
    int32: {int32_value: -2147483648},
    int16: {int16_value: -32768},
    int8: {int8_value: -128},
    uint8: {uint8_value: 255},
    uint16: {uint16_value: 65535},
    uint32: {uint32_value: 4294967295},
    float: {float_value: 0.1},
    decimal: {decimal_value: {scale: 2, unscaled: 12345}},
    raw_string: {raw_string_value: "//4="}}}}' |
    call MessagingService/Publish >/dev/null
  message=$(jq -n --arg queue "$QUEUE" '{$queue, auto_ack: true}' |
    call MessagingService/Get | jq '.deliveries[0].message')
  jq -r '"\(.headers | length) headers"' <<<"$message"
  jq --arg routing_key "$QUEUE" '{$routing_key, message: .}' <<<"$message" |
    call MessagingService/Publish >/dev/null
}

tag64() {
  jq -n '{settle: {action: "SETTLE_ACTION_ACK", request_id: "18446744073709551615",
    delivery_tags: ["9007199254740993", "18446744073709551613"]}}' |
    call MessagingService/Consume |
    jq -r '.settled // empty | "request \(.request_id)", (.failures[] | "\(.tags.first) \(.reason)")'
}

# Stays with the queue while the broker goes and comes back with nothing in it.
restart() {
  local life=1
  # One message comes, so the first life waits on until the broker goes.
  until declare_queue && publish "life $life" && consume $((3 - life)); do
    life=2
    sleep "$RETRY_SECONDS"
  done
}

"$BEHAVIOUR"
