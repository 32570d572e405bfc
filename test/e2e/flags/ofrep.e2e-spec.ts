import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { FlagSnapshots } from '../../../src/platform/feature-flags/flag.snapshots.js';
import { type TestUser, TestApp } from '../../support/app/test-app.js';
import { createUserWith, NOBODY } from '../../support/builders/users.js';
import { type OfrepSchema, ofrepFaults } from '../../support/docs/ofrep-schema.js';

interface FlagBody {
  readonly key: string;
  readonly value: boolean;
  readonly reason: string;
}

describe('OFREP', () => {
  let app: TestApp;
  let manager: TestUser;
  let user: TestUser;
  beforeAll(async () => {
    app = await TestApp.create();
    manager = await createUserWith(app, ['flags:manage']);
    user = await app.createUser();
  });
  afterAll(() => app?.close());
  afterEach(async () => {
    for (const key of ['export', 'import', 'signup']) await set(key, { enabled: true });
  });

  const set = (key: string, body: object) =>
    app.as(manager, 'put', `/api/flags/${key}`).send(body).expect(200);
  const list = async (caller: TestUser) =>
    (await app.as(caller, 'get', '/api/flags').expect(200)).body as FlagBody[];
  const evaluate = (key: string, body: unknown, caller = user) =>
    app.as(caller, 'post', `/ofrep/v1/evaluate/flags${key && `/${key}`}`).send(body as object);
  const contextOf = ({ id }: TestUser) => ({ context: { targetingKey: id, plan: 'free', age: 3 } });

  it('evaluates one flag and all flags, as its schema says', async () => {
    await set('import', { enabled: false });
    await set('export', { enabled: true, rollout_percent: 30 });
    await set('signup', { enabled: true, rollout_percent: 0, allow_user_ids: [user.id] });
    const one = await evaluate('signup', contextOf(user)).expect(200).expect('Cache-Control', 'no-store');
    expect(one.body).toEqual({ key: 'signup', value: true, reason: 'TARGETING_MATCH', variant: 'on' });
    expect(ofrepFaults('evaluationSuccess', one.body)).toEqual([]);
    const all = await evaluate('', contextOf(user)).expect(200).expect('Cache-Control', 'no-store');
    expect(ofrepFaults('bulkEvaluationSuccess', all.body)).toEqual([]);
    const { flags } = all.body as { flags: FlagBody[] };
    expect(flags.map(({ key, reason }) => [key, reason])).toEqual([
      ['breached_passwords', 'STATIC'],
      ['export', 'SPLIT'],
      ['import', 'DISABLED'],
      ['signup', 'TARGETING_MATCH'],
      ['webhooks', 'STATIC'],
    ]);
    // The list shows the same values.
    expect(flags.map(({ key, value }) => [key, value])).toEqual(
      (await list(user)).map(({ key, value }) => [key, value]),
    );
    await evaluate('', contextOf(user))
      .query({ flagConfigEtag: 'a', flagConfigLastModified: '1' })
      .expect(200);
  });

  it('sends no values that the client has', async () => {
    const first = await evaluate('', contextOf(user)).expect(200);
    const tag = first.get('ETag') ?? '';
    expect(tag).toMatch(/^"[^"]+"$/);
    const again = await evaluate('', contextOf(user)).set('If-None-Match', tag).expect(304);
    expect([again.get('ETag'), again.text]).toEqual([tag, '']);
    await set('import', { enabled: false });
    const changed = await evaluate('', contextOf(user)).set('If-None-Match', tag).expect(200);
    expect(changed.get('ETag')).not.toBe(tag);
  });

  it.each<[name: string, key: string, body: unknown, status: number, schema: OfrepSchema, code: string]>([
    [
      'an unknown flag',
      'unknown',
      { context: { targetingKey: NOBODY } },
      404,
      'flagNotFound',
      'FLAG_NOT_FOUND',
    ],
    ['no user', 'signup', { context: {} }, 400, 'evaluationFailure', 'TARGETING_KEY_MISSING'],
    [
      'an empty user',
      'signup',
      { context: { targetingKey: '' } },
      400,
      'evaluationFailure',
      'TARGETING_KEY_MISSING',
    ],
    ['a number', 'signup', { context: { targetingKey: 1 } }, 400, 'evaluationFailure', 'INVALID_CONTEXT'],
    ['no context', 'signup', {}, 400, 'evaluationFailure', 'INVALID_CONTEXT'],
    ['a list', 'signup', { context: [] }, 400, 'evaluationFailure', 'INVALID_CONTEXT'],
    ['another property', 'signup', { context: {}, a: 1 }, 400, 'evaluationFailure', 'PARSE_ERROR'],
    ['no user for all flags', '', { context: {} }, 400, 'bulkEvaluationFailure', 'TARGETING_KEY_MISSING'],
  ])('refuses %s in its own words and in ours', async (_, key, body, status, schema, errorCode) => {
    const answer = await evaluate(key, body);
    expect([answer.status, answer.body]).toMatchObject([
      status,
      { errorCode, error: { request_id: answer.get('X-Request-Id') } },
    ]);
    expect(ofrepFaults(schema, answer.body)).toEqual([]);
    const problem = await evaluate(key, body).set('Accept', 'application/problem+json');
    expect(problem.body).toMatchObject({ status, errorCode });
  });

  it('says so as OFREP does when the service fails', async () => {
    const failing = jest.spyOn(app.nest.get(FlagSnapshots), 'current', 'get').mockImplementation(() => {
      throw new Error('broken on purpose');
    });
    try {
      for (const key of ['signup', '']) {
        const { body } = await evaluate(key, contextOf(user)).expect(500);
        expect(body).toMatchObject({ errorCode: 'GENERAL', error: { code: 'INTERNAL_ERROR' } });
        expect(ofrepFaults('generalErrorResponse', body)).toEqual([]);
        expect(JSON.stringify(body)).not.toContain('broken');
      }
    } finally {
      failing.mockRestore();
    }
  });

  it('refuses a body that is not JSON', async () => {
    const answer = await evaluate('signup', '{').set('Content-Type', 'application/json');
    expect(answer.status).toBe(400);
    expect(ofrepFaults('evaluationFailure', answer.body)).toEqual([]);
  });

  it('evaluates for others only with flags:manage', async () => {
    const refused = await evaluate('signup', contextOf(manager), user);
    expect([refused.status, refused.body]).toMatchObject([403, { error: { code: 'FORBIDDEN' } }]);
    expect((await evaluate('', contextOf(manager), user)).status).toBe(403);
    await evaluate('signup', contextOf(user), manager).expect(200);
    await evaluate('signup', { context: { targetingKey: 'a service' } }, manager).expect(200);
    await evaluate('signup', { context: { targetingKey: user.id.toUpperCase() } }).expect(200);
    expect((await app.request('post', '/ofrep/v1/evaluate/flags').send(contextOf(user))).status).toBe(401);
    expect((await app.as(user, 'get', '/ofrep/v1/evaluate/flags')).status).toBe(405);
  });

  it('has a schema that finds faults', () => {
    expect(ofrepFaults('evaluationSuccess', { key: 'a', reason: 'STATIC', value: true })).toEqual([]);
    for (const wrong of [
      { key: 'a', value: true },
      { key: 'a', reason: 'WHY', value: true },
      { key: 'a', reason: 'STATIC', value: null },
    ])
      expect(ofrepFaults('evaluationSuccess', wrong)).not.toEqual([]);
    expect(ofrepFaults('flagNotFound', { key: 'a', errorCode: 'GENERAL' })).not.toEqual([]);
    expect(ofrepFaults('evaluationFailure', { errorCode: 'GENERAL' })).not.toEqual([]);
    expect(ofrepFaults('bulkEvaluationSuccess', { flags: [{ key: 'a', value: true }] })).not.toEqual([]);
    expect(ofrepFaults('bulkEvaluationFailure', {})).not.toEqual([]);
    expect(ofrepFaults('generalErrorResponse', { errorDetails: {} })).not.toEqual([]);
  });
});
