// Reads exports for the benchmark `export` in a separate thread, so that other callers wait only for the service.

import { connect } from 'node:net';
import { parentPort } from 'node:worker_threads';

/** The length of an export's end, which holds its count. */
const END_BYTES = 600;
const COUNT = /"count":(\d+),"sha256"|X-Export-Count: (\d+)/i;

parentPort.on('message', async ({ url, path, token }) => {
  parentPort.postMessage(await read(url, path, token).catch((error) => ({ error: String(error) })));
});

/** Keeps only the end of the response. Uses no HTTP parser, which would cost as much as the service. */
function read(url, path, token) {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port) });
    const head = [
      `GET ${path} HTTP/1.1`,
      'Host: bench',
      `Authorization: Bearer ${token}`,
      'Connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n`);
    let tail = Buffer.alloc(0);
    socket.on('data', (chunk) => (tail = chunk.length > END_BYTES ? chunk : Buffer.concat([tail, chunk])));
    socket.once('error', reject).once('end', () => {
      const end = tail.subarray(-END_BYTES).toString();
      const sent = COUNT.exec(end);
      if (sent) resolve({ rows: Number(sent[1] ?? sent[2]) });
      else reject(new Error(`the export is incomplete: ${end}`));
    });
  });
}
