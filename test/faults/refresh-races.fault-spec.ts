import { Agent, type IncomingHttpHeaders, request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Instance } from '../support/app/instance.js';
import { claimsOf, logIn, type Pair } from '../support/builders/sessions.js';
import { ADMIN } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import { startTwo } from '../support/app/two-instances.js';
import { patiently } from '../support/http/patiently.js';

const RACES = Number(process.env['REFRESH_RACES'] ?? 10_000);
const SESSIONS = 20;
const CALLERS = 4;
/** The longest setting, so that a caller who is told to come back later still does so within it. */
const GRACE_SECONDS = 60;

/** Runs races: several callers, spread over two processes, present one refresh token concurrently. */
describe(`${RACES} refresh races on two instances`, () => {
  let database: TestDatabase;
  let instances: Instance[];
  const agent = new Agent({ keepAlive: true });
  const seen = { answers: 0, overloaded: 0, forks: 0, byStatus: new Map<number, number>() };

  beforeAll(async () => {
    database = await TestDatabase.create();
    instances = await startTwo(database, {
      // Spent tokens are deleted after the request timeout; this test must count each of them.
      REQUEST_TIMEOUT_MS: '600000',
      REFRESH_GRACE_SECONDS: String(GRACE_SECONDS),
    });
  }, 120_000);
  afterAll(async () => {
    agent.destroy();
    await Promise.all(instances.map((instance) => instance.stop()));
    await database.drop();
  });

  interface Presented {
    readonly status: number;
    readonly headers: IncomingHttpHeaders;
    readonly body: unknown;
  }

  /** Presents a token over a keep-alive connection, because new connections would be most of the work. */
  function presentOnce(instance: number, token: string): Promise<Presented> {
    const body = JSON.stringify({ refresh_token: token });
    return new Promise((resolve, reject) => {
      const request = httpRequest(`${instances[instance % 2]?.url}/api/auth/refresh`, {
        method: 'POST',
        agent,
        headers: { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) },
      });
      request.on('error', reject);
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('error', reject);
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const { statusCode: status = 0, headers } = response;
          if (status === 503) seen.overloaded++;
          resolve({ status, headers, body: JSON.parse(Buffer.concat(chunks).toString()) });
        });
      });
      request.end(body);
    });
  }

  const present = async (instance: number, token: string): Promise<{ status: number; pair: Pair }> => {
    const { status, body } = await patiently(() => presentOnce(instance, token));
    return { status, pair: body as Pair };
  };

  it('fork no session, and report no theft', async () => {
    const started = performance.now();
    /**
     * Runs races one after another along one session. Every third race also presents the previous token,
     * within its grace period.
     */
    async function family(
      races: number,
      session: number,
      first: string,
    ): Promise<{ sid: string; last: string }> {
      let token = first;
      let before: string | null = null;
      for (let race = 0; race < races; race++) {
        const late = before !== null && race % 3 === 0 ? [present(race, before)] : [];
        const racing = Array.from({ length: CALLERS }, (_, caller) => present(race + caller, token));
        const answers = await Promise.all([...racing, ...late]);
        for (const { status } of answers) {
          seen.answers++;
          seen.byStatus.set(status, (seen.byStatus.get(status) ?? 0) + 1);
        }
        const given = answers.slice(0, CALLERS).filter(({ status }) => status === 200);
        const successors = new Set(given.map(({ pair }) => claimsOf(pair.refresh_token).jti));
        if (successors.size !== 1) seen.forks++;
        for (const { status, pair } of answers.slice(CALLERS)) {
          if (status === 200 && claimsOf(pair.refresh_token).jti !== claimsOf(token).jti) seen.forks++;
        }
        const next = given[0]?.pair.refresh_token;
        if (next === undefined) throw new Error(`race ${race} of session ${session} gave nobody a token`);
        before = token;
        token = next;
      }
      return { sid: claimsOf(token).sid, last: claimsOf(token).jti };
    }

    const races = Math.floor(RACES / SESSIONS);
    // Sequential, because many concurrent sign-ins to one user look like guessing.
    const firsts: string[] = [];
    for (let i = 0; i < SESSIONS; i++) {
      firsts.push((await logIn(instances[i % 2]?.url ?? '', ADMIN.email, ADMIN.password)).refresh_token);
    }
    const families = await Promise.all(firsts.map((first, i) => family(races, i, first)));

    const rows = await database.query<{
      sid: string;
      live: string[];
      tokens: number;
      successors: number;
      chained: number;
    }>(
      `SELECT s.id AS sid, array_agg(t.jti) FILTER (WHERE t.spent_at IS NULL) AS live,
              count(*)::integer AS tokens, count(DISTINCT t.successor)::integer AS successors,
              count(n.jti)::integer AS chained
       FROM sessions s JOIN refresh_tokens t ON t.session_id = s.id
       LEFT JOIN refresh_tokens n ON n.jti = t.successor AND n.session_id = t.session_id
       WHERE s.id = ANY ($1) GROUP BY s.id`,
      [families.map(({ sid }) => sid)],
    );
    const seconds = (performance.now() - started) / 1000;
    process.stdout.write(
      `${races * SESSIONS} races in ${SESSIONS} sessions, ${seen.answers} answers ${JSON.stringify(
        Object.fromEntries(seen.byStatus),
      )} after ${seen.overloaded} refusals in ${seconds.toFixed(1)} s; forks ${seen.forks}; sessions alive ${rows.length}, ` +
        `live tokens ${rows.map(({ live }) => live?.length ?? 0).join()}; ` +
        `tokens ${rows.reduce((sum, { tokens }) => sum + tokens, 0)}\n`,
    );

    expect(seen.forks).toBe(0);
    expect([...seen.byStatus.keys()]).toEqual([200]);
    // No session was ended as stolen, each has one live token, and no chain has a second branch.
    const expected = families.map(({ sid, last }) => ({
      sid,
      live: [last],
      tokens: races + 1,
      successors: races,
      chained: races,
    }));
    const inOrder = (list: { sid: string }[]) => list.toSorted((a, b) => (a.sid < b.sid ? -1 : 1));
    expect(inOrder(rows)).toEqual(inOrder(expected));
  }, 1_800_000);
});
