import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
  type webcrypto,
} from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { SigningKeysService } from '../../../src/modules/auth/signing-keys/signing-keys.service.js';
import { newId } from '../../../src/common/ids.js';
import { respelled } from '../../support/builders/sessions.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { NOBODY } from '../../support/builders/users.js';

type Part = Record<string, unknown>;
type Jwk = webcrypto.JsonWebKey & { readonly kid: string };

const encode = (part: unknown): string => Buffer.from(JSON.stringify(part)).toString('base64url');
const decode = (part = ''): Part => JSON.parse(Buffer.from(part, 'base64url').toString()) as Part;

const es256 = (key: KeyObject) => (input: string) =>
  sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');

describe('access tokens', () => {
  let app: TestApp;
  let user: TestUser;
  let header: Part;
  let claims: Part;
  let ours: KeyObject;
  let jwks: Jwk[];
  const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  beforeAll(async () => {
    app = await TestApp.create();
    user = await app.createUser(['user', 'premium']);
    const [first, second] = user.token.split('.');
    header = decode(first);
    claims = decode(second);
    // Forges tokens with the service's own key, to show that each claim is checked and not only the
    // signature.
    ours = app.nest.get(SigningKeysService).signingKey('access').privateKey;
    jwks = ((await app.request('get', '/.well-known/jwks.json')).body as { keys: Jwk[] }).keys;
  });
  afterAll(() => app.close());

  const me = (authorization: string) =>
    app.request('get', '/api/users/me').set('Authorization', authorization);
  const token = (head: Part, body: Part, signature: (input: string) => string = es256(ours)): string => {
    const input = `${encode({ ...header, ...head })}.${encode({ ...claims, ...body })}`;
    return `${input}.${signature(input)}`;
  };
  const expectInvalid = async (forged: string) => {
    const answer = await me(`Bearer ${forged}`);
    expect(answer.status).toBe(401);
    expect(answer.get('WWW-Authenticate')).toBe('Bearer error="invalid_token"');
    expect(answer.body).toMatchObject({ error: { code: 'UNAUTHORIZED' } });
    expect(answer.get('Cache-Control')).toBe('no-store');
  };
  const now = () => Math.floor(Date.now() / 1000);

  it('have the header and the claims of the contract', () => {
    expect(header).toEqual({ alg: 'ES256', typ: 'at+jwt', kid: jwks[0]?.kid });
    const uuid = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(claims).toEqual({
      sub: user.id,
      email: user.email,
      email_verified: false,
      client_id: 'gatehouse',
      roles: expect.arrayContaining(['user', 'premium']),
      exp: Number(claims['iat']) + 900,
      iat: expect.any(Number),
      jti: uuid,
      sid: uuid,
      iss: 'http://localhost:3000',
      aud: 'gatehouse:api',
    });
    expect(claims['roles']).toHaveLength(2);
    expect(Math.abs(Number(claims['iat']) - now())).toBeLessThan(60);
  });

  it('can be verified with the published keys, which contain nothing private', async () => {
    const answer = await app.request('get', '/.well-known/jwks.json');
    expect(answer.status).toBe(200);
    expect(jwks.length).toBeGreaterThan(0);
    for (const key of jwks) {
      expect(key).toMatchObject({ kty: 'EC', crv: 'P-256', use: 'sig', alg: 'ES256' });
      expect(Object.keys(key).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y']);
    }
    const key = jwks.find(({ kid }) => kid === header['kid']) ?? {};
    const [first, second, signature] = user.token.split('.');
    const publicKey = {
      key: createPublicKey({ key, format: 'jwk' }),
      dsaEncoding: 'ieee-p1363',
    } as const;
    const holds = (input: string) =>
      verify('sha256', Buffer.from(input), publicKey, Buffer.from(signature ?? '', 'base64url'));
    expect(holds(`${first}.${second}`)).toBe(true);
    expect(holds(`${first}.${encode({ ...claims, sub: NOBODY })}`)).toBe(false);
  });

  it('are accepted with the scheme in any case', async () => {
    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'Bearer ']) {
      expect([scheme, (await me(`${scheme} ${user.token}`)).status]).toEqual([scheme, 200]);
    }
  });

  it('are read only from the Authorization header', async () => {
    const places = [
      app.request('get', `/api/users/me?access_token=${user.token}`),
      app.request('get', '/api/users/me').set('Cookie', `access_token=${user.token}`),
      app.request('get', '/api/users/me').set('X-Access-Token', user.token),
      app.request('patch', '/api/users/me').send({ access_token: user.token }),
      me(`Basic ${user.token}`),
      me(user.token),
    ];
    for (const place of places) {
      const answer = await place;
      expect([answer.status, answer.get('WWW-Authenticate')]).toEqual([401, 'Bearer']);
    }
  });

  it('forged with our own key are accepted without changes, so each change below is what fails', async () => {
    const answer = await me(`Bearer ${token({}, {})}`);
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({ id: user.id });
  });

  it.each([
    ['nothing', ''],
    ['no token at all', 'abc'],
    ['only two parts', 'e30.e30'],
    ['four parts', 'e30.e30.e30.e30'],
    ['empty parts', '..'],
    ['a header that is no object', 'bnVsbA.e30.AAAA'],
  ])('are refused in the form: %s', (_, text) => expectInvalid(text));

  it('are refused when a part is spelled differently in base64url, even after a successful check', async () => {
    const signature = es256(ours);
    // Trailing spaces in the JSON give each part a last character with unused bits.
    const padded = (part: Part): string => {
      const text = JSON.stringify(part);
      return Buffer.from(text.padEnd(text.length + (text.length % 3 === 0 ? 1 : 0))).toString('base64url');
    };
    const signed = (input: string) => `${input}.${signature(input)}`;
    const [head, body] = [padded(header), padded(claims)];
    const valid = signed(`${head}.${body}`);
    expect((await me(`Bearer ${valid}`)).status).toBe(200);
    await expectInvalid(respelled(valid));
    await expectInvalid(signed(`${respelled(head)}.${body}`));
    await expectInvalid(signed(`${head}.${respelled(body)}`));
  });

  it.each([
    ['of another issuer', { iss: 'http://localhost:3001' }],
    ['without an issuer', { iss: undefined }],
    ['for another audience', { aud: 'gatehouse:refresh' }],
    ['for several other audiences', { aud: ['a', 'b'] }],
    ['without an audience', { aud: undefined }],
    ['without a user', { sub: undefined }],
    ['with a user that is not an id', { sub: 'admin' }],
    ['with a user that is a list', { sub: [NOBODY] }],
    ['of a user that does not exist', { sub: NOBODY }],
    ['without a session', { sid: undefined }],
    ['without an expiry', { exp: undefined }],
    ['whose expiry is text', { exp: '9999999999' }],
  ])('are refused %s', (_, change) => expectInvalid(token({}, change)));

  it('are refused from the second of their expiry, and before their start', async () => {
    await expectInvalid(token({}, { exp: now() - 1 }));
    await expectInvalid(token({}, { exp: now() }));
    await expectInvalid(token({}, { exp: 0 }));
    await expectInvalid(token({}, { nbf: now() + 60 }));
    expect((await me(`Bearer ${token({}, { exp: now() + 60, nbf: now() - 60 })}`)).status).toBe(200);
  });

  it.each([
    ['JWT', { typ: 'JWT' }],
    ['that of a refresh token', { typ: 'rt+jwt' }],
    ['none', { typ: undefined }],
    ['a list', { typ: ['at+jwt'] }],
  ])('are refused with the type: %s', (_, change) => expectInvalid(token(change, {})));

  it('are refused without a signature, whatever the header says', async () => {
    for (const alg of ['none', 'None', 'NONE', '', 'ES256', undefined]) {
      await expectInvalid(token({ alg }, {}, () => ''));
    }
  });

  it('are refused when signed with the public key as an HMAC secret', async () => {
    const publicKey = createPublicKey(ours);
    const secrets = [
      publicKey.export({ type: 'spki', format: 'pem' }),
      publicKey.export({ type: 'spki', format: 'der' }),
      JSON.stringify(jwks[0]),
    ];
    for (const secret of secrets) {
      const hmac = (input: string) => createHmac('sha256', secret).update(input).digest('base64url');
      await expectInvalid(token({ alg: 'HS256' }, {}, hmac));
      await expectInvalid(token({ alg: 'ES256' }, {}, hmac));
    }
  });

  it('are refused when signed by another key, whatever the header says', async () => {
    const jwk = { ...stranger.publicKey.export({ format: 'jwk' }), kid: 'theirs', use: 'sig', alg: 'ES256' };
    const signature = es256(stranger.privateKey);
    for (const head of [
      {},
      { kid: 'theirs' },
      { kid: undefined },
      { kid: '../../../dev/null' },
      { kid: '__proto__' },
      { kid: [header['kid']] },
      { jwk },
      { jwk, kid: 'theirs' },
      { jku: 'https://attacker.example/jwks.json' },
      { jku: 'https://attacker.example/jwks.json', kid: 'theirs' },
      { x5u: 'https://attacker.example/chain.pem', x5c: ['AAAA'] },
    ]) {
      await expectInvalid(token(head, {}, signature));
    }
  });

  it('are refused without the id of our key, even if our key signed them', async () => {
    for (const kid of [undefined, 'another', '', `${String(header['kid'])} `]) {
      await expectInvalid(token({ kid }, {}));
    }
  });

  it('are refused after any change to the signed content', async () => {
    const [first, second, signature] = user.token.split('.');
    await expectInvalid(`${first}.${encode({ ...claims, sub: app.admin.id })}.${signature}`);
    await expectInvalid(`${first}.${encode({ ...claims, exp: now() + 9999 })}.${signature}`);
    await expectInvalid(`${encode({ ...header, x: 1 })}.${second}.${signature}`);
    await expectInvalid(`${first}.${second}.${signature?.slice(0, -4)}AAAA`);
    await expectInvalid(`${first}.${second}.${Buffer.alloc(64).toString('base64url')}`);
  });

  it('give the rights of the user, not those of their claims', async () => {
    const boasting = token({}, { roles: ['admin'], permissions: ['users:read'], jti: newId() });
    expect((await me(`Bearer ${boasting}`)).status).toBe(200);
    const answer = await app.request('get', '/api/users').set('Authorization', `Bearer ${boasting}`);
    expect(answer.status).toBe(403);
  });
});
