// A receiver of webhooks that reads each request, answers 204, and tells how many it got.

import { createServer } from 'node:http';
import { announce } from './announce.mjs';

let count = 0;

const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(String(count));
    return;
  }
  request.resume().on('end', () => {
    count += 1;
    response.writeHead(204).end();
  });
});

server.listen(0, '127.0.0.1', () => announce(server));
