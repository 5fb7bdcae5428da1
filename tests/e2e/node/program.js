// What a Node program does with KelpMQ. Usage: program.js BEHAVIOUR ADDRESS QUEUE
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, status } from './kelpmq.js';

const RETRY_MS = 50;

async function publishSubscribeAck({ messaging, streams, topology }, queue) {
  await topology.declareQueue({ name: queue });
  for (const text of ['one', 'two', 'three']) {
    await messaging.publish({ routingKey: queue, message: { body: Buffer.from(text) } });
  }
  let acknowledged = 0;
  for await (const { deliveries, leaseId } of streams.subscribe({ start: { queue } })) {
    for (const { message, deliveryTag } of deliveries) {
      console.log(message.body.toString());
      const { settledCount } = await messaging.ack({ leaseId, deliveryTags: [deliveryTag] });
      acknowledged += Number(settledCount);
    }
    if (acknowledged === 3) break;
  }
  console.log(`acknowledged ${acknowledged}`);
}

async function typedError({ messaging }, exchange) {
  try {
    await messaging.publish({ exchange, message: {} });
  } catch (error) {
    const [reason] = error.metadata.get('kelpmq-reason');
    const [amqpCode] = error.metadata.get('kelpmq-amqp-code');
    console.log(status[error.code], reason, amqpCode);
  }
}

async function values({ messaging, topology }, queue) {
  const headers = {
    string: { stringValue: 'héllo ✓' },
    int64: { int64Value: '-9223372036854775808' },
    bool: { boolValue: true },
    double: { doubleValue: 0.1 },
    table: { tableValue: { fields: { inner: { stringValue: 'deep' } } } },
    array: { arrayValue: { values: [{ stringValue: 'one' }, { int64Value: '9007199254740993' }] } },
    bytes: { bytesValue: Buffer.from([0x00, 0xff, 0x10]) },
    timestamp: { timestampValue: '9007199254740993' },
    null: { nullValue: 'NULL_VALUE' },
    int32: { int32Value: -2147483648 },
    int16: { int16Value: -32768 },
    int8: { int8Value: -128 },
    uint8: { uint8Value: 255 },
    uint16: { uint16Value: 65535 },
    uint32: { uint32Value: 4294967295 },
    float: { floatValue: 0.1 },
    decimal: { decimalValue: { scale: 2, unscaled: 12345 } },
    raw_string: { rawStringValue: Buffer.from([0xff, 0xfe]) },
  };
  await topology.declareQueue({ name: queue });
  await messaging.publish({ routingKey: queue, message: { headers } });
  const { deliveries: [{ message }] } = await messaging.get({ queue, autoAck: true });
  console.log(`${Object.keys(message.headers).length} headers`);
  await messaging.publish({ routingKey: queue, message });
}

async function tag64({ streams }) {
  const channel = streams.consume();
  channel.write({
    settle: {
      action: 'SETTLE_ACTION_ACK',
      deliveryTags: ['9007199254740993', '18446744073709551613'],
      requestId: '18446744073709551615',
    },
  });
  for await (const { event, settled } of channel) {
    if (event !== 'settled') continue;
    console.log(`request ${settled.requestId}`);
    for (const { tags, reason } of settled.failures) console.log(tags.first, reason);
    break;
  }
  channel.end();
}

// One life of the broker: ends when it goes away, or returns true after the second.
async function live({ messaging, streams, topology }, queue, life) {
  await topology.declareQueue({ name: queue });
  await messaging.publish({ routingKey: queue, message: { body: Buffer.from(`life ${life}`) } });
  for await (const { deliveries, leaseId } of streams.subscribe({ start: { queue } })) {
    for (const { message, deliveryTag } of deliveries) {
      await messaging.ack({ leaseId, deliveryTags: [deliveryTag] });
      console.log(message.body.toString());
      if (life === 2) return;
    }
  }
}

async function restart(client, queue) {
  let life = 1;
  while (true) {
    try {
      await live(client, queue, life);
      return;
    } catch (error) {
      if (error.code !== status.UNAVAILABLE) throw error;
    }
    life = 2;
    await sleep(RETRY_MS); // gRPC connects again; a queue in memory has to be declared again.
  }
}

const behaviours = {
  publish_subscribe_ack: publishSubscribeAck,
  typed_error: typedError,
  values,
  tag64,
  restart,
};
const [behaviour, address, queue] = process.argv.slice(2);
await behaviours[behaviour](new Client(address), queue);
process.exit(0); // Open connections would keep it alive.
