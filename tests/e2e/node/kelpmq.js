// The services of kelpmq.v1, loaded from the .proto files, with unary calls as promises.
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const definition = protoLoader.loadSync(
  ['kelpmq/v1/messaging.proto', 'kelpmq/v1/topology.proto'],
  {
    includeDirs: [fileURLToPath(new URL('proto', import.meta.url))],
    // Tags and counts that the server makes fit in a Number. Header values and tags that others
    // make need not, so this program takes 64-bit integers as strings.
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true, // `kind` of a Value says which member is set.
  },
);
const { MessagingService, TopologyService } = grpc.loadPackageDefinition(definition).kelpmq.v1;

// Unary calls of `client` that return promises: unary(client).publish(request).
function unary(client) {
  return new Proxy(client, {
    get: (target, method) => promisify(target[method]).bind(target),
  });
}

export class Client {
  constructor(address) {
    const credentials = grpc.credentials.createInsecure();
    this.streams = new MessagingService(address, credentials);
    this.messaging = unary(this.streams);
    this.topology = unary(new TopologyService(address, credentials));
  }
}

export const status = grpc.status;
