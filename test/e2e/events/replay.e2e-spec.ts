import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { TestApp } from '../../support/app/test-app.js';
import { read, signUp } from '../../support/builders/users.js';

type Step =
  | { readonly kind: 'update'; readonly body: { name?: string; status?: string } }
  | { readonly kind: 'roles'; readonly roles: readonly string[] }
  | { readonly kind: 'delete' }
  | { readonly kind: 'restore' };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('update' as const),
    body: fc.record(
      {
        name: fc.constantFrom('Ada', 'Grace', 'Žofie', '李'),
        status: fc.constantFrom('active', 'disabled'),
      },
      { requiredKeys: [] },
    ),
  }),
  fc.record({
    kind: fc.constant('roles' as const),
    roles: fc.uniqueArray(fc.constantFrom('user', 'premium', 'auditor'), { minLength: 1 }),
  }),
  fc.constant({ kind: 'delete' as const }),
  fc.constant({ kind: 'restore' as const }),
);
/** The steps in sequence, each with its concurrent requests. */
const life = fc.array(fc.array(step, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 6 });

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

function take(id: string, each: Step) {
  const path = `/api/users/${id}`;
  if (each.kind === 'update') return app.as(app.admin, 'patch', path).send(each.body);
  if (each.kind === 'delete') return app.as(app.admin, 'delete', path);
  if (each.kind === 'restore') return app.as(app.admin, 'post', `${path}/restore`);
  return app.as(app.admin, 'put', `${path}/roles`).set('If-Match', '*').send({ roles: each.roles });
}

describe('the events of a user', () => {
  it("replay to the user's row, one per version, whatever happened and however much at once", async () => {
    let lives = 0;
    await fc.assert(
      fc.asyncProperty(life, async (steps) => {
        const { id } = await signUp(app, 'Born', `life-${++lives}@replay.example`);
        for (const atOnce of steps) {
          const answers = await Promise.all(atOnce.map((each) => take(id, each)));
          // 409 is the response to a change that the user's current state does not allow.
          for (const { status } of answers) expect([200, 204, 409]).toContain(status);
        }
        const row = await read(app, id);
        const replayed = await app
          .as(app.admin, 'get', `/api/users/${id}`)
          .query({ at: new Date(Date.now() + 60_000).toISOString() });
        expect(replayed.body).toEqual({ ...row, last_login_at: null });
        const versions = await app.database.query<{ version: number }>(
          'SELECT stream_version AS version FROM events WHERE stream = $1 ORDER BY epoch, xid, seq',
          [id],
        );
        expect(versions.map(({ version }) => version)).toEqual(
          Array.from({ length: row.version }, (_, index) => index + 1),
        );
      }),
      { numRuns: 15 },
    );
  });
});
