// better-auth on Express, as its documentation shows: email and password, with the session in PostgreSQL.
//
// It hashes with the argon2 of the service instead of its scrypt, by the option that it has for that, so that both
// sign-ins pay the same for the password. Its rate limit, which counts in the memory of the process, is on but too high
// to refuse anybody.

import { hash, verify } from 'argon2';
import { betterAuth } from 'better-auth';
import { getMigrations } from 'better-auth/db/migration';
import { fromNodeHeaders, toNodeHandler } from 'better-auth/node';
import { bearer } from 'better-auth/plugins';
import express from 'express';
import { announce } from './announce.mjs';
import { ARGON2 } from '../harness/argon2.mjs';
import { openPool } from './queries.mjs';

const LIMIT = { window: 60, max: 1_000_000 };
const options = {
  database: openPool(),
  baseURL: 'http://127.0.0.1',
  secret: process.env.JWT_SECRET,
  telemetry: { enabled: false },
  rateLimit: { enabled: true, ...LIMIT, customRules: { '/sign-in/*': LIMIT, '/sign-up/*': LIMIT } },
  emailAndPassword: {
    enabled: true,
    password: {
      hash: (password) => hash(password, ARGON2),
      verify: ({ hash: stored, password }) => verify(stored, password),
    },
  },
  plugins: [bearer()],
};
const { runMigrations } = await getMigrations(options);
await runMigrations();
const auth = betterAuth(options);

const app = express().disable('x-powered-by');
app.all('/api/auth/{*any}', toNodeHandler(auth));

app.get('/me', async (request, response) => {
  const session = await auth.api.getSession({ headers: fromNodeHeaders(request.headers) });
  if (session === null) return response.status(401).json({ error: 'unauthorized' });
  return response.json(session.user);
});

const server = app.listen(0, '127.0.0.1', () => announce(server));
