import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../../support/app/instance.js';
import { signIn } from '../../support/app/test-app.js';
import { logIn, type Pair } from '../../support/builders/sessions.js';
import { TestDatabase } from '../../support/database/test-database.js';
import { freePort } from '../../support/http/free-port.js';

const ADMIN = { email: 'admin@gatehouse.local', password: 'violet kettle 4 rivers' };
/** The code of the guide, whose reader saves both parts in one file. */
const CODE = [...readFileSync('docs/guides/trusting-tokens.md', 'utf8').matchAll(/```js\n(.*?)```/gs)]
  .map(([, code]) => code)
  .join('\n');

let database: TestDatabase;
let instance: Instance;
let issuer: string;
let pair: Pair;
let own: Pair;
beforeAll(async () => {
  database = await TestDatabase.create();
  const port = await freePort();
  issuer = `http://127.0.0.1:${port}`;
  const env = {
    ...database.addresses,
    PORT: String(port),
    PUBLIC_URL: issuer,
    ADMIN_PASSWORD: ADMIN.password,
  };
  instance = await Instance.start({ env });
  pair = await logIn(issuer, ADMIN.email, ADMIN.password);
  own = await logIn(issuer, ADMIN.email, ADMIN.password);
});
afterAll(async () => {
  await instance?.stop();
  await database?.drop();
});

/** Runs an expression with the guide's code, in a process of its own. */
async function evaluate(expression: string): Promise<unknown> {
  const program = `${CODE}\nconst told = await (${expression}).catch((error) => ({ failed: error.code ?? error.message }));
    process.stdout.write(JSON.stringify(told));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', program], {
    env: {
      ISSUER: issuer,
      ACCESS: pair.access_token,
      REFRESH: pair.refresh_token,
      OWN_REFRESH: own.refresh_token,
    },
  });
  return JSON.parse(stdout);
}

describe('the code of the guide “Trust our tokens”', () => {
  it('verifies an access token and reads the claims that the guide lists', async () => {
    expect(await evaluate('verify(process.env.ACCESS)')).toEqual({
      iss: issuer,
      aud: 'gatehouse:api',
      client_id: 'gatehouse',
      sub: expect.any(String),
      sid: expect.any(String),
      jti: expect.any(String),
      iat: expect.any(Number),
      exp: expect.any(Number),
      email: ADMIN.email,
      email_verified: false,
      roles: ['admin', 'user'],
    });
  });

  it('refuses a refresh token, and a token with a changed claim', async () => {
    expect(await evaluate('verify(process.env.REFRESH)')).toMatchObject({ failed: expect.any(String) });
    const [head, body, signature] = pair.access_token.split('.');
    const claims = JSON.parse(Buffer.from(body ?? '', 'base64url').toString()) as object;
    const changed = Buffer.from(JSON.stringify({ ...claims, roles: ['admin'] })).toString('base64url');
    expect(await evaluate(`verify('${head}.${changed}.${signature}')`)).toEqual({
      failed: 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
    });
  });

  it('keeps its own token: signs in, and refreshes or signs in again after a 401', async () => {
    const asked = `introspectAs(${JSON.stringify(ADMIN)}, process.env.ACCESS)`;
    const broken = (refresh: string) =>
      `(async () => { session = { access_token: 'x', refresh_token: ${refresh} }; return ${asked}; })()`;
    for (const expression of [asked, broken('process.env.OWN_REFRESH'), broken("'spent'")]) {
      expect(await evaluate(expression)).toMatchObject({ active: true });
    }
  });

  it('treats text that is longer than a form may be as inactive', async () => {
    expect(await evaluate(`introspect('x'.repeat(20_000), process.env.ACCESS)`)).toEqual({ active: false });
  });

  it('notices by introspection that a session has ended', async () => {
    const { token } = await signIn(issuer, ADMIN.email, ADMIN.password);
    const asked = `introspect('${token}', process.env.ACCESS)`;
    expect(await evaluate(asked)).toMatchObject({ active: true, permissions: expect.any(Array) });
    await fetch(`${issuer}/api/auth/revoke`, { method: 'POST', body: new URLSearchParams({ token }) });
    expect(await evaluate(asked)).toEqual({ active: false });
  });
});
