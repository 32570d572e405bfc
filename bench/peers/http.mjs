// A bare `node:http` server with pg.

import { createServer } from 'node:http';
import jwt from 'jsonwebtoken';
import { announce } from './announce.mjs';
import { ME, openPool } from './queries.mjs';

const secret = process.env.JWT_SECRET;
const pool = openPool();

const server = createServer((request, response) => {
  answer(request, response).catch(() => send(response, 500, { error: 'internal error' }));
});

async function answer(request, response) {
  if (request.method === 'GET' && request.url === '/ping') return send(response, 200, { status: 'ok' });
  if (request.method !== 'GET' || request.url !== '/me') return send(response, 404, { error: 'not found' });
  const claims = claimsOf(request.headers.authorization);
  if (claims === null) return send(response, 401, { error: 'unauthorized' });
  const { rows } = await pool.query({ ...ME, values: [claims.sub] });
  return rows.length === 0 ? send(response, 404, { error: 'not found' }) : send(response, 200, rows[0]);
}

function claimsOf(authorization = '') {
  try {
    return jwt.verify(authorization.replace(/^Bearer /, ''), secret, { algorithms: ['HS256'] });
  } catch {
    return null;
  }
}

function send(response, status, body) {
  const text = JSON.stringify(body);
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(text),
  });
  response.end(text);
}

server.listen(0, '127.0.0.1', () => announce(server));
