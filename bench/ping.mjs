// A bare Express application for `bench/overload.mjs`, to measure the cost of an answer without work.

import express from 'express';

const server = express()
  .get('/ping', (_, response) => response.json({ status: 'ok' }))
  .listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
