import { compose, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { FirebaseRows } from './firebase-rows.js';

const PARAMETERS = { signerKey: 'a+/b==', saltSeparator: 'Bw==', rounds: 8, memoryCost: 14 };
const USERS = [
  {
    localId: 'a',
    email: 'ada@example.com',
    emailVerified: true,
    salt: 's==',
    passwordHash: 'h==',
    displayName: 'Ä }"\\',
  },
  { localId: 'anonymous' },
  {
    localId: 'e',
    email: 'eve@example.com',
    disabled: true,
    createdAt: '1500000000123',
    providerUserInfo: [{ photoUrl: '{"' }],
  },
];
const ROWS = [
  {
    email: 'ada@example.com',
    name: 'Ä }"\\',
    password_hash: '$firebase-scrypt$r=8,m=14,sep=Bw==,key=a+/b==$s==$h==',
    email_verified: true,
    status: 'active',
  },
  {
    email: 'eve@example.com',
    name: 'eve',
    email_verified: false,
    status: 'disabled',
    created_at: '2017-07-14T02:40:00.123Z',
  },
];
const FILES = {
  'the file of auth:export': JSON.stringify({ users: USERS }, null, 2),
  'an answer of the API with other keys': JSON.stringify({
    kind: 'a "users": [',
    page: { users: [{}] },
    users: USERS,
    nextPageToken: ']',
  }),
  'a list': `\ufeff${JSON.stringify(USERS)}`,
  'one user a line': USERS.map((user) => JSON.stringify(user)).join('\n'),
};

/** Sends the bytes in pieces of these sizes, and the rest as one. */
async function convert(
  bytes: Buffer,
  sizes: readonly number[],
): Promise<{ rows: unknown[]; skipped: number }> {
  const rows = new FirebaseRows(PARAMETERS);
  let at = 0;
  const pieces = sizes.map((size) => bytes.subarray(at, (at += size)));
  const source = Readable.from([...pieces, bytes.subarray(at)].filter(({ length }) => length > 0));
  const lines = (await text(compose(source, rows))).split('\n').slice(0, -1);
  return { rows: lines.map((line) => JSON.parse(line) as unknown), skipped: rows.skipped };
}

describe('the rows of a Firebase export', () => {
  it.each(Object.entries(FILES))('are the same however the bytes arrive: %s', async (_, file) => {
    const bytes = Buffer.from(file);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat({ max: 300 }), { maxLength: 10 }), async (sizes) => {
        expect(await convert(bytes, sizes)).toEqual({ rows: ROWS, skipped: 1 });
      }),
      { numRuns: 50 },
    );
    expect(await convert(bytes, Array<number>(bytes.length).fill(1))).toEqual({ rows: ROWS, skipped: 1 });
  });

  it('are read or refused from any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: fc.constantFrom(...Array.from('{}[]":,\\ a1')) }), async (file) => {
        try {
          await convert(Buffer.from(file), []);
        } catch (error) {
          expect(String(error)).toMatch(/^Error: (is|has) /);
        }
      }),
    );
  });

  it('end with an error when a user is longer than a row may be', async () => {
    const user = JSON.stringify({ localId: 'a', email: 'a@example.com', displayName: 'x'.repeat(70_000) });
    await expect(convert(Buffer.from(user), [10, 66_000])).rejects.toThrow('a user that is too long');
  });

  const list = JSON.stringify({ users: USERS });
  it.each([
    ['within a user', list.slice(0, -20), 'is incomplete: it ends within a user'],
    ['between two users', list.slice(0, list.indexOf(',{"localId":"e"')), 'the list of users does not end'],
    ['after a comma', '[{"localId":"a"},', 'is incomplete: the list of users does not end'],
    ['before the first user', '{"kind":"x","users":', 'is incomplete: the list of users does not end'],
    ['before the end of the object', list.slice(0, -1), 'is not the JSON of firebase auth:export'],
  ])('are refused from a file that ends %s', async (_, file, fault) => {
    await expect(convert(Buffer.from(file), [])).rejects.toThrow(fault);
  });

  it.each([
    ['nothing', ''],
    ['users of another system', '{"email":"ada@example.com","name":"Ada","password_hash":"$2b$10$x"}'],
    ['another user behind one of Firebase', '[{"localId":"a"},{"uid":"b","email":"b@example.com"}]'],
    ['two exports', `${list}${list}`],
    ['a list of texts', '["ada@example.com"]'],
    ['text between users', '[{"localId":"a"} and {"localId":"b"}]'],
  ])('are refused from a file with %s', async (_, file) => {
    await expect(convert(Buffer.from(file), [])).rejects.toThrow('is not the JSON of firebase auth:export');
  });

  it('are refused from UTF-16', async () => {
    await expect(convert(Buffer.from(`\ufeff${list}`, 'utf16le'), [])).rejects.toThrow('is not UTF-8');
  });
});
