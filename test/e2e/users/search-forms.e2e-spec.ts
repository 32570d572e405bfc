import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { TestApp } from '../../support/app/test-app.js';
import { signUp, type UserBody } from '../../support/builders/users.js';

/** Pairs of a stored name and a search that finds it only in its compatible form. */
const FORMS = [
  ['ＡＤＡ Ｌｏｖｅｌａｃｅ', 'ada love'],
  ['Eﬃe Oﬀenbach', 'effie offen'],
  ['ℌ𝔢𝔩𝔤𝔞 ᴬ\u0301rnadóttir', 'helga árna'],
  ['ｶﾞﾘﾚｵ ガリレイ', 'ガリレオ'],
  ['Henry Ⅷ Tudor', 'viii'],
  ['IŞIK Ａyşe', 'ışık aYŞE'],
  ['Ann\u00a0Ｌee', 'ann lee'],
] as const;

describe('a search among users stored in another form', () => {
  let app: TestApp;
  const users: UserBody[] = [];
  beforeAll(async () => {
    app = await TestApp.create();
    for (const [i, [name]] of FORMS.entries()) users.push(await signUp(app, name, `form-${i}@forms.example`));
  });
  afterAll(() => app.close());

  const found = async (search: string): Promise<string[]> => {
    const query = new URLSearchParams({ search, limit: '100' }).toString();
    const answer = await app.as(app.admin, 'get', `/api/users?${query}`).expect(200);
    return (answer.body as UserBody[]).map(({ email }) => email);
  };
  const exported = async (search: string): Promise<string> => {
    const query = new URLSearchParams({ search, format: 'ndjson', fields: 'email' }).toString();
    return (await app.as(app.admin, 'get', `/api/export/users?${query}`).buffer(true)).text;
  };

  it.each(FORMS.map(([name, plain], i) => ({ name, plain, email: `form-${i}@forms.example` })))(
    'finds $name by $plain and by itself in lists and exports',
    async ({ name, plain, email }) => {
      for (const search of [plain, name, name.toLowerCase(), name.normalize('NFKC')]) {
        expect([search, await found(search)]).toEqual([search, [email]]);
        expect([search, await exported(search)]).toEqual([search, expect.stringContaining(email)]);
      }
    },
  );

  it('finds part of an address in full-width letters, and two letters of a ligature', async () => {
    const { email } = await signUp(app, 'Wide Address', 'Ｗide.ＱＺ@ｗｉｄｅ.example');
    for (const search of ['wide.qz@wi', 'qz', 'ｑｚ', 'ＷＩＤＥ.ex']) {
      expect([search, await found(search)]).toEqual([search, [email]]);
    }
    await signUp(app, 'ﬆ\u2082 ﬆ', 'pair@forms.example');
    expect(await found('t2')).toEqual(['pair@forms.example']);
  });
});
