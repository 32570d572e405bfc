// Express 5 with pg and jsonwebtoken: verifies the token, reads the rows, and does nothing else.

import express from 'express';
import jwt from 'jsonwebtoken';
import { announce } from './announce.mjs';
import { cursorOf, decodeCursor, FIRST_PAGE, ME, NEXT_PAGE, openPool } from './queries.mjs';

const MAX_LIMIT = 100;
const secret = process.env.JWT_SECRET;
const pool = openPool();
const app = express().disable('x-powered-by');

function authenticate(request, response, next) {
  const token = request.headers.authorization?.replace(/^Bearer /, '');
  jwt.verify(token, secret, { algorithms: ['HS256'] }, (error, claims) => {
    if (error) return response.status(401).json({ error: 'unauthorized' });
    request.claims = claims;
    return next();
  });
}

app.get('/ping', (_, response) => {
  response.json({ status: 'ok' });
});

app.get('/me', authenticate, async (request, response) => {
  const { rows } = await pool.query({ ...ME, values: [request.claims.sub] });
  if (rows.length === 0) return response.status(404).json({ error: 'not found' });
  return response.json(rows[0]);
});

app.get('/users', authenticate, async (request, response) => {
  const limit = Math.min(Number(request.query.limit) || 20, MAX_LIMIT);
  const { cursor } = request.query;
  const { rows } =
    typeof cursor === 'string'
      ? await pool.query({ ...NEXT_PAGE, values: [limit, ...decodeCursor(cursor)] })
      : await pool.query({ ...FIRST_PAGE, values: [limit] });
  const next = cursorOf(rows);
  if (next !== undefined) response.set('Link', `</users?limit=${limit}&cursor=${next}>; rel="next"`);
  response.json(rows);
});

const server = app.listen(0, '127.0.0.1', () => announce(server));
