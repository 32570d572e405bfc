import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { newId } from '../../../src/common/ids.js';
import { ImportStaging } from '../../../src/modules/user-imports/import-staging.service.js';
import {
  countUsersAt,
  CSV,
  imported,
  JSON_ARRAY,
  NDJSON,
  people,
  sendFile,
} from '../../support/builders/imports.js';
import { type JobBody, jobEnded } from '../../support/builders/jobs.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app?.close());

const pieces = (where: string) => app.database.query(`SELECT 1 FROM import_pieces WHERE ${where}`);

describe('an import', () => {
  it('reads JSON arrays, other delimiters, UTF-16 and gzip', async () => {
    const rows = (domain: string) => people(1100, domain);
    const array = JSON.stringify(rows('array.form.example'), null, 2);
    const tabs = [
      'NAME\tEmail',
      ...rows('tabs.form.example').map(({ email, name }) => `${name}\t${email}`),
    ].join('\r\n');
    const semicolons = rows('packed.form.example').map(({ email, name }) => `"${email}";${name}`);
    const packed = gzipSync(['eMail;Name', ...semicolons].join('\n'));
    expect((await imported(app, JSON_ARRAY, array)).job).toMatchObject({ total: 1100, done: 1100 });
    const utf16 = Buffer.from(`\ufeff${tabs}`, 'utf16le');
    expect((await imported(app, `${CSV}; charset=utf-16`, utf16)).job).toMatchObject({
      total: 1100,
      done: 1100,
    });
    const answer = await sendFile(app, CSV, packed).set('Content-Encoding', 'gzip');
    expect(answer.status).toBe(202);
    expect(await jobEnded(app, (answer.body as JobBody).id)).toMatchObject({ total: 1100, done: 1100 });
    expect(await countUsersAt(app, 'packed.form.example')).toBe(1100);
    // Without new planner statistics, lists and exports would say for a minute that there are few users.
    const estimate = async () =>
      Number((await app.as(app.admin, 'get', '/api/users?total=estimate')).headers['x-total-estimate']);
    await until(async () => (await estimate()) > 2000);
  });

  it('refuses gzip that expands too far or is broken, and keeps nothing of it', async () => {
    const line = `${JSON.stringify({ email: 'bomb@bomb.example', name: 'B' })}\n`;
    const bomb = gzipSync(line.repeat(400_000));
    const send = (body: Buffer) => sendFile(app, NDJSON, body).set('Content-Encoding', 'gzip');
    expect((await send(bomb)).body).toMatchObject({ error: { code: 'PAYLOAD_TOO_LARGE' } });
    for (const body of [Buffer.from(line), gzipSync(line).subarray(0, -3)])
      expect((await send(body)).body).toMatchObject({
        error: { code: 'VALIDATION_ERROR', message: 'body must be valid gzip' },
      });
    expect(await pieces('status IS NULL')).toEqual([]);
  });

  it('refuses a body beyond 1 GiB and keeps nothing of it', async () => {
    const part = Buffer.alloc(2 ** 20, 'x');
    let parts = 0;
    async function* body() {
      for (; parts < 1030; parts++) yield part;
    }
    await expect(app.nest.get(ImportStaging).stage(newId(), body(), NDJSON)).rejects.toMatchObject({
      code: 'PAYLOAD_TOO_LARGE',
      message: 'An import may contain at most 1 GiB. Split the file',
    });
    expect(parts).toBe(1024);
    expect(await pieces('status IS NULL')).toEqual([]);
  });

  it('names a user without a name by the address', async () => {
    const { results } = await imported(app, CSV, 'email\nada.l@named.example');
    const [row] = await app.database.query('SELECT name FROM users WHERE id = $1', [results[0]?.id]);
    expect(row).toEqual({ name: 'ada.l' });
  });
});
