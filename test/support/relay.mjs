import { connect, createServer } from 'node:net';

/**
 * Relays connections: `node relay.mjs FROM TO [FROM TO]…`. Each endpoint is a port of 127.0.0.1 or a socket
 * path.
 */
const endpoints = process.argv.slice(2);
const addressOf = (endpoint) =>
  /^\d+$/.test(endpoint) ? { host: '127.0.0.1', port: Number(endpoint) } : { path: endpoint };

for (let i = 0; i < endpoints.length; i += 2) {
  const [from, to] = endpoints.slice(i, i + 2).map(addressOf);
  createServer((client) => {
    const target = connect(to);
    for (const [one, other] of [
      [client, target],
      [target, client],
    ]) {
      one.pipe(other);
      one.on('error', () => one.destroy());
      one.on('close', () => other.destroy());
    }
  }).listen(from, () => process.stdout.write('ready\n'));
}
