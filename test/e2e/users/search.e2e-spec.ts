import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import pg from 'pg';
import type { Response } from 'supertest';
import { anyTerm, keyContains, keyContainsPairs } from '../../../src/platform/database/search-key.js';
import { TestApp } from '../../support/app/test-app.js';
import { signUp, signUpMany, type UserBody, walk } from '../../support/builders/users.js';

describe('GET /api/users', () => {
  let app: TestApp;
  beforeAll(async () => {
    app = await TestApp.create();
  });
  afterAll(() => app.close());

  const list = (query = ''): Promise<Response> => app.as(app.admin, 'get', `/api/users${query}`);
  const emailsOf = (answer: Response) => (answer.body as UserBody[]).map(({ email }) => email).toSorted();

  describe('search', () => {
    let people: UserBody[];
    beforeAll(async () => {
      people = await signUpMany(app, 5, (i) => `Sought ${i}`, 'sought.example');
      // A role that only these users have, so that the oracle sees nobody else.
      await app.as(app.admin, 'put', '/api/roles/sought').send({ permissions: [] }).expect(200);
      for (const { id } of people) {
        const change = app.as(app.admin, 'put', `/api/users/${id}/roles`).set('If-Match', '*');
        await change.send({ roles: ['sought'] }).expect(200);
      }
    });

    it('finds part of the name or the address in any case, but no text that spans both', async () => {
      await signUp(app, 'Zacharias Quux', 'Under_Score%100@search.example');
      for (const hit of ['ZACHARIAS', 'arias q', 'under_', 'SCORE%2525100', '%25100', 'search.EXAMPLE']) {
        expect(emailsOf(await list(`?search=${hit.replace('%2525', '%25')}`))).toEqual([
          'Under_Score%100@search.example',
        ]);
      }
      for (const miss of [
        'Zachari_s',
        'Zach%25ias',
        'under.score',
        'quuxunder',
        'quux%20under',
        '%25%25',
        '%5C_',
      ]) {
        expect((await list(`?search=${miss}`)).body).toEqual([]);
      }
    });

    it('trims outer white space, also of filters', async () => {
      const { email } = await signUp(app, 'Margaret Hamilton', 'margaret@search.example');
      const filters = '&status=%20active&role=user%20';
      for (const search of ['margaret@search.example%20', '%20Margaret', '+margaret%20hamilton%C2%A0']) {
        expect([search, emailsOf(await list(`?search=${search}`))]).toEqual([search, [email]]);
      }
      expect((await list('?search=margaret%09')).status).toBe(400);
      expect(emailsOf(await list(`?search=margaret@search.example%20${filters}`))).toEqual([email]);
    });

    it('matches every Turkish i with every other, in lists and exports, whichever code wrote the row', async () => {
      const names = ['İSTANBUL Ofisi', 'ıstanbul ofısı', 'Istanbul Ofisi', 'istanbul ofisi'];
      const emails = [];
      for (const [i, name] of names.entries()) {
        emails.push((await signUp(app, name, `ofis-${i}@search.example`)).email);
      }
      for (const search of [
        'İSTANBUL',
        'ıstanbul',
        'ISTANBUL',
        'istanbul',
        'stanbul ofı',
        'İ',
        'ıs',
        'OFİSİ',
      ]) {
        const query = `search=${encodeURIComponent(search)}`;
        const found = emailsOf(await list(`?${query}&limit=100&sort=-created_at`));
        expect([search, emails.filter((email) => found.includes(email))]).toEqual([search, emails]);
        const exported = await app
          .as(app.admin, 'get', `/api/export/users?format=ndjson&fields=email&${query}`)
          .buffer(true);
        expect([search, emails.filter((email) => exported.text.includes(email))]).toEqual([search, emails]);
      }
      const [row] = await app.database.query<{ version: number; search_key: string }>(
        `SELECT version, search_key FROM users WHERE email = 'ofis-0@search.example'`,
      );
      expect(row).toEqual({
        version: 1,
        search_key: 'i\u0307stanbul ofisi\nofis-0@search.example\nistanbul ofisi\nofis-0@search.example',
      });
    });

    it('finds a user by any spelling of the address', async () => {
      const { email } = await signUp(app, 'Idna Lovelace', 'idnX@bücher.example');
      const short = (await signUp(app, 'Short Address', 'ab@é.io')).email;
      const exported = async (query: string) => {
        const path = `/api/export/users?format=ndjson&fields=email&${query}`;
        return (await app.as(app.admin, 'get', path).buffer(true)).text;
      };
      for (const [search, expected] of [
        ['idnX@bücher.example', email],
        ['IDNX@BÜCHER.EXAMPLE', email],
        ['idnx@xn--bcher-kva.example', email],
        ['ｉｄｎＸ@bücher。example', email],
        ['idnX@bu\u0308cher.example', email],
        ['ｌｏｖｅｌａｃｅ', email],
        // Neither form always has a trigram, so the pairs index must admit the other form.
        ['ab@xn--9ca.io', short],
        ['ａｂ@é。io', short],
        ['ａｂ', short],
      ] as const) {
        const query = `search=${encodeURIComponent(search)}`;
        expect([search, emailsOf(await list(`?limit=100&sort=name&${query}`))]).toEqual([
          search,
          expect.arrayContaining([expected]),
        ]);
        expect([search, await exported(query)]).toEqual([search, expect.stringContaining(expected)]);
      }
      const pages = await walk(
        app,
        `/api/users?limit=1&total=exact&search=${encodeURIComponent('ｅｘａｍｐｌｅ')}&role=sought`,
      );
      expect(pages.map(({ id }) => id).toSorted()).toEqual(people.map(({ id }) => id).toSorted());
      expect((await list('?search=idny@xn--bcher-kva.example')).body).toEqual([]);
    });

    it.each([
      ['trigrams', keyContains(`'%stanbul%'`)],
      ['pairs', `${keyContains(`'%is%'`)} AND ${keyContainsPairs(`ARRAY['is']`)}`],
      [
        'trigrams combined with that of addresses',
        anyTerm([keyContains(`'%ist@x.io%'`), keyContains(`'%stanb%'`)], `'ist@x.io'`),
      ],
    ])('has an index of %s for both kinds of rows', async (_, condition) => {
      const client = new pg.Client({ connectionString: app.database.url });
      await client.connect();
      await client.query('SET enable_seqscan = off; SET enable_indexscan = off');
      const { rows } = await client.query<Record<string, string>>(
        `EXPLAIN SELECT id FROM users WHERE ${condition}`,
      );
      await client.end();
      const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
      expect(plan).toMatch(/Bitmap Index Scan on users_search(?:_pairs)? /);
      expect(plan).toContain('Bitmap Index Scan on users_search_turkish_i ');
    });

    it('is ignored when empty, and bounded in length', async () => {
      const total = async (query: string) =>
        (await list(`?total=exact&limit=1${query}`)).get('X-Total-Count');
      expect(await total('&search=')).toBe(await total(''));
      expect((await list(`?search=${'x'.repeat(354)}`)).status).toBe(200);
      expect((await list(`?search=${'x'.repeat(355)}`)).status).toBe(400);
    });

    it.each([
      ['U+0000', '%00'],
      ['a line break, with which a match could span name and address', '%0A'],
      ['invalid UTF-8', '%FF'],
      ['an encoded surrogate', '%ED%A0%80'],
    ])('refuses %s', async (_, search) => {
      expect((await list(`?search=${search}`)).status).toBe(400);
    });

    // Letters whose case mapping has no exceptions in simple Unicode folding, which the oracle uses.
    const letter = fc.constantFrom(...Array.from('aAbBéÉñÑøØσΣςжЖѣѢծԾ字ß😀𐐨𐐀'));
    const sign = fc.constantFrom(...Array.from('%_\\\'"$*?()[]{}^|&=+#/ .-~'));
    const text = fc.string({ unit: fc.oneof(letter, sign), minLength: 1, maxLength: 12 });
    const name = text.map((part) => `x${part}x`);

    it('finds exactly what a plain JavaScript search finds, for any names and any part', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(name, { minLength: 5, maxLength: 5 }),
          fc.nat(4),
          fc.nat(12),
          fc.nat(12),
          fc.option(text),
          fc.boolean(),
          async (names, from, start, length, other, upper) => {
            await Promise.all(
              people.map(({ id }, i) =>
                app.as(app.admin, 'patch', `/api/users/${id}`).send({ name: names[i] }).expect(200),
              ),
            );
            // Half of the searches are parts of a name, because most of them would otherwise find nothing.
            const piece =
              Array.from(names[from] ?? '')
                .slice(start, start + length + 1)
                .join('') || 'x';
            const chosen = other ?? piece;
            const search = upper ? chosen.toLocaleUpperCase('en').replaceAll('SS', 'ß') : chosen;
            const needle = new RegExp(search.trim().replace(/[$()*+./?[\\\]^{|}]/g, '\\$&'), 'iu');
            const expected = people
              .filter(({ email }, i) => needle.test(names[i] ?? '') || needle.test(email))
              .map(({ email }) => email);
            const answer = await list(`?role=sought&search=${encodeURIComponent(search)}`);
            expect(answer.status).toBe(200);
            expect(emailsOf(answer)).toEqual(expected.toSorted());
          },
        ),
        { numRuns: 60 },
      );
    });
  });
});
