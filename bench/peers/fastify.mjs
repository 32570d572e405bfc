// Fastify 5 with pg and @fastify/jwt, with the response schema that its documentation recommends.

import fastifyJwt from '@fastify/jwt';
import fastify from 'fastify';
import { announce } from './announce.mjs';
import { ME, openPool } from './queries.mjs';

const pool = openPool();
const app = fastify();
const text = { type: 'string' };
const time = { type: 'string', format: 'date-time' };
const USER = {
  type: 'object',
  properties: {
    id: text,
    email: text,
    name: text,
    locale: text,
    status: text,
    roles: { type: 'array', items: text },
    email_verified: { type: 'boolean' },
    version: { type: 'integer' },
    last_login_at: { ...time, nullable: true },
    created_at: time,
    updated_at: time,
  },
};

await app.register(fastifyJwt, { secret: process.env.JWT_SECRET, verify: { algorithms: ['HS256'] } });

app.get('/ping', async () => ({ status: 'ok' }));

app.get(
  '/me',
  { onRequest: (request) => request.jwtVerify(), schema: { response: { 200: USER } } },
  async (request, reply) => {
    const { rows } = await pool.query({ ...ME, values: [request.user.sub] });
    return rows.length === 0 ? reply.code(404).send({ error: 'not found' }) : rows[0];
  },
);

await app.listen({ port: 0, host: '127.0.0.1' });
announce(app.server);
