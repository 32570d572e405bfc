import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { foldCase, foldSearch, hasControlCharacters } from '../../../src/common/text.js';
import { SearchKeyFillService } from '../../../src/modules/users/listing/search-key-fill.service.js';
import { userSortKeys } from '../../../src/modules/users/listing/user-sort-keys.js';
import { runExport } from '../../support/builders/exports.js';
import { HeldLock } from '../../support/database/held-lock.js';
import { TestApp } from '../../support/app/test-app.js';
import { until } from '../../support/app/until.js';
import { signUp, type UserBody } from '../../support/builders/users.js';

let app: TestApp;
beforeAll(async () => {
  app = await TestApp.create();
});
afterAll(() => app.close());

const TRIGGER = 'keep_search_key_complete';
/** The number of rows in five batches of the fill. */
const ROWS = 2500;

const found = async (search: string): Promise<string[]> => {
  const query = new URLSearchParams({ search, limit: '100', sort: 'email' }).toString();
  const answer = await app.as(app.admin, 'get', `/api/users?${query}`).expect(200);
  return (answer.body as UserBody[]).map(({ email }) => email);
};
const exportOf = (search: string, after = '') =>
  runExport({
    url: app.url,
    user: app.admin,
    path: `/api/export/users?format=ndjson&${new URLSearchParams({ search, ...(after && { after }) }).toString()}`,
  });

/** Inserts users like an instance of the previous release, which does not know the compatible form. */
async function insertAsBefore(users: readonly { name: string; email: string }[]): Promise<void> {
  const keys = users.map(({ name, email }) => userSortKeys(name, email));
  await app.database.query(
    `INSERT INTO users (id, email, email_key, name, name_key, search_key, roles)
     SELECT gen_random_uuid(), email, email, name, name_key, search_key, ARRAY['user']
     FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS given (email, name, name_key, search_key)`,
    [
      users.map(({ email }) => email),
      users.map(({ name }) => name),
      keys.map(({ nameKey }) => nameKey),
      keys.map(({ searchKey }) => searchKey),
    ],
  );
}

/** Stores users as they were before the migration, and keeps their keys unfilled until `fill`. */
async function storeBeforeMigration(users: readonly { name: string; email: string }[]): Promise<void> {
  await app.database.query('UPDATE search_key_fill SET finished_at = clock_timestamp()');
  await app.database.query(`ALTER TABLE users DISABLE TRIGGER ${TRIGGER}`);
  try {
    await insertAsBefore(users);
  } finally {
    await app.database.query(`ALTER TABLE users ENABLE TRIGGER ${TRIGGER}`);
  }
}

const startAnew = () =>
  app.database.query(
    `UPDATE search_key_fill SET after_id = '00000000-0000-0000-0000-000000000000', finished_at = NULL`,
  );
const run = () => app.nest.get(SearchKeyFillService).run();
const isFinished = async () =>
  (await app.database.query('SELECT FROM search_key_fill WHERE finished_at IS NOT NULL')).length === 1;
/** Runs the fill until it is finished, because the service's own run may hold the lock. */
const fill = () =>
  until(async () => {
    await run();
    return isFinished();
  });
const countPartial = async () =>
  (await app.database.query('SELECT FROM users WHERE search_key_is_partial(search_key)')).length;

describe('the fill of search keys', () => {
  it('completes keys stored before the migration and changes nothing else that clients see', async () => {
    await storeBeforeMigration([
      { name: 'Ｗｉｌｈｅｌｍｉｎａ', email: 'wide@fill.example' },
      { name: 'ıŞIL Wilhelmina', email: 'turkish@fill.example' },
      { name: 'Wilhelmina Ünal', email: 'plain@fill.example' },
    ]);
    // Until its key is filled, a name is found only as typed.
    expect(await found('ｗｉｌｈｅｌｍ')).toContain('wide@fill.example');
    expect(await found('IŞIL')).toEqual(['turkish@fill.example']);
    expect(await found('wilhelm')).toEqual(['plain@fill.example', 'turkish@fill.example']);
    const whole = await exportOf('wilhelm');
    expect(whole.text).toContain('wide@fill.example');

    const state = async () => ({
      users: await app.database.query(
        `SELECT to_jsonb(users) - 'search_key' AS row FROM users WHERE email LIKE '%fill.example' ORDER BY id`,
      ),
      histories: await app.database.query(
        `SELECT (SELECT count(*) FROM user_images) AS images, (SELECT count(*) FROM events) AS events,
                (SELECT count(*) FROM audit_entries) AS entries`,
      ),
    });
    const [row] = await app.database.query<{ id: string }>(
      `SELECT id FROM users WHERE email = 'wide@fill.example'`,
    );
    const readOne = () => app.as(app.admin, 'get', `/api/users/${row?.id}`);
    const before = { ...(await state()), tag: (await readOne()).get('ETag') };
    await startAnew();
    await fill();
    expect({ ...(await state()), tag: (await readOne()).get('ETag') }).toEqual(before);

    expect(await countPartial()).toBe(0);
    const everybody = ['plain@fill.example', 'turkish@fill.example', 'wide@fill.example'];
    expect(await found('wilhelm')).toEqual(everybody);
    expect(await found('ｗｉｌｈｅｌｍ')).toEqual(everybody);
    const cursor = String(whole.headers['x-export-cursor']);
    expect((await exportOf('wilhelm', cursor)).text).toBe(whole.text);
  });

  it('stops at a locked row, keeps its progress, and resumes there', async () => {
    const users = Array.from({ length: ROWS }, (_, i) => ({
      name: `Ｒｏｗ ${i}`,
      email: `row-${i}@locked.example`,
    }));
    await storeBeforeMigration(users);
    const rows = await app.database.query<{ id: string }>('SELECT id FROM users ORDER BY id');
    // Only a few rows, because the fill does not lock a row whose key is already complete.
    const locked = rows.slice(1500, 1510).map(({ id }) => id);
    const lock = await HeldLock.take(app.database.url, 'SELECT FROM users WHERE id = ANY ($1) FOR UPDATE', [
      locked,
    ]);
    try {
      await startAnew();
      const progress = () => app.database.query('SELECT after_id, finished_at FROM search_key_fill');
      // The service's own run may hold the lock. This run then leaves the batch to it.
      await until(async () => {
        await run();
        const [row] = await progress();
        return row?.['after_id'] === rows[1499]?.id;
      });
      await run();
      expect(await progress()).toEqual([{ after_id: rows[1499]?.id, finished_at: null }]);
      const [left] = await app.database.query<Record<string, number>>(
        `SELECT count(*) FILTER (WHERE search_key_is_partial(search_key) AND id <= $1)::integer AS before,
                count(*) FILTER (WHERE NOT search_key_is_partial(search_key) AND id > $1)::integer AS after
         FROM users WHERE email LIKE '%@locked.example'`,
        [rows[1499]?.id],
      );
      expect(left).toEqual({ before: 0, after: 0 });
      // A request changes a row that the fill has not reached, and the trigger completes its key.
      const free = rows[1600]?.id;
      const change = app.as(app.admin, 'patch', `/api/users/${free}`).set('If-Match', '*');
      await change.send({ name: 'Ｃｈａｎｇｅｄ' }).expect(200);
      expect(await found('changed')).toHaveLength(1);
    } finally {
      await lock.release();
    }
    await fill();
    expect(await countPartial()).toBe(0);
    const [{ count } = { count: 0 }] = await app.database.query<{ count: number }>(
      `SELECT count(*)::integer FROM users WHERE name LIKE 'Ｒｏｗ 1%'`,
    );
    const answer = await app.as(app.admin, 'get', '/api/users?search=row%201&limit=1&total=exact');
    expect(answer.get('X-Total-Count')).toBe(String(count));
  });

  it('is not needed for rows that an instance of the previous release writes in the meantime', async () => {
    await fill();
    await insertAsBefore([{ name: 'Ｏｌｄ Ｉｎｓｔａｎｃｅ', email: 'inserted@before.example' }]);
    expect(await found('old inst')).toEqual(['inserted@before.example']);
    const { id, email } = await signUp(app, 'Anybody', 'updated@before.example');
    await app.database.query(
      'UPDATE users SET name = $2, search_key = $3, version = version + 1 WHERE id = $1',
      [id, 'ﬁrst', userSortKeys('ﬁrst', email).searchKey],
    );
    expect(await found('FIRST')).toEqual([email]);
    // Such an instance still finds the completed keys by its own terms.
    const likeBefore = (part: string) =>
      app.database.query('SELECT email FROM users WHERE search_key LIKE $1', [`%${foldCase(part)}%`]);
    expect(await likeBefore('ﬁRST')).toEqual([{ email }]);
    expect(await likeBefore('ｏｌｄ Ｉｎ')).toEqual([{ email: 'inserted@before.example' }]);
    expect(await countPartial()).toBe(0);
  });
});

describe('the database', () => {
  const letter = fc.constantFrom(...Array.from('aZiIıİʼnﬁﬃＩｉℌℑᴬᴵⅧΣςσϹϲǅẞßÅå\u2126\u212aｶガﾞ字㍻½豈'));
  const mark = fc.constantFrom('\u0307', '\u0323', '\u0301', '\u0331', '\u0345', '\u3099');
  /**
   * Code point ranges to which no Unicode version after that of PostgreSQL 16 has added a character with a
   * compatible form. Names and addresses have no control characters, and two line breaks mark a completed key.
   */
  const codePoint = fc.oneof(fc.integer({ min: 1, max: 0xa7bf }), fc.integer({ min: 0xf900, max: 0xfffd }));
  const permitted = codePoint
    .map((point) => String.fromCodePoint(point))
    .filter((given) => !hasControlCharacters(given));
  const old = fc.string({ unit: permitted, maxLength: 12 });
  const text = fc.oneof(fc.string({ unit: fc.oneof(letter, mark), maxLength: 12 }), old);

  interface Form {
    readonly form: string;
    readonly partial: boolean;
  }
  const formsOf = (folded: readonly string[]) =>
    app.database.query<Form>(
      `SELECT search_form(folded) AS form, search_key_is_partial(folded) AS partial
       FROM unnest($1::text[]) WITH ORDINALITY AS given (folded, place) ORDER BY place`,
      [folded],
    );

  it('folds any text for search like the service', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { minLength: 100, maxLength: 200 }), async (texts) => {
        const expected = texts.map((given) => ({
          form: foldSearch(given),
          partial: foldSearch(given) !== foldCase(given),
        }));
        expect(await formsOf(texts.map(foldCase))).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  it('folds every single character like the service', async () => {
    const characters = Array.from({ length: 0x11_0000 - 1 }, (_, i) => i + 1)
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .map((code) => String.fromCodePoint(code))
      .filter((character) => foldSearch(character) !== foldCase(character));
    expect(characters.length).toBeGreaterThan(3000);
    const forms = await formsOf(characters.map(foldCase));
    // PostgreSQL may have an older Unicode version, which leaves unknown characters unchanged.
    const known = characters.filter((_, i) => forms[i]?.partial);
    expect(known.length).toBeGreaterThan(characters.length * 0.98);
    expect(forms.filter(({ partial }) => partial)).toEqual(
      known.map((character) => ({ form: foldSearch(character), partial: true })),
    );
  });
});
