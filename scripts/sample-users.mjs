// Creates sample users inside the database, for `npm run seed`, `npm run dev` and the benchmarks.
//
// SQL only joins parts together (a name is "first last", an address "first.last<number>@domain"). Every part
// comes with its derived forms, computed here by the service's own functions, so that derived columns equal
// those the service would write. This holds because the parts meet at a blank, a dot, a digit or an "@",
// across which no characters compose.

import { canonicalEmail } from '../dist/src/common/email-address.js';
import { foldCase } from '../dist/src/common/text.js';
import { FIRST_NAMES, LAST_NAMES } from './sample-names.mjs';

/** The password of every sample user; such users do not belong in production. */
export const SAMPLE_PASSWORD = 'correct horse battery staple';

const DOMAINS = [
  'example.com',
  'example.org',
  'example.net',
  'Mail.Example',
  'team.example',
  'Bücher.example',
];
const ROWS_PER_BATCH = 10_000;

/** Returns `first` as a name, and as part of an address in the forms that a row needs. */
const namePart = (name) => {
  const local = name.replaceAll(/[^\p{L}\p{M}\p{N}-]/gu, '');
  return {
    name,
    name_folded: foldCase(name),
    local,
    local_canonical: canonicalEmail(`${local}@example.com`).split('@')[0],
    local_folded: foldCase(local),
  };
};

const domainPart = (domain) => ({
  domain,
  domain_canonical: canonicalEmail(`a@${domain}`).slice(2),
  domain_folded: foldCase(domain),
});

const PARTS = JSON.stringify({
  first: FIRST_NAMES.map(namePart),
  last: LAST_NAMES.map(namePart),
  domain: DOMAINS.map(domainPart),
});

const PREPARE = `
  CREATE TEMPORARY TABLE IF NOT EXISTS sample_parts AS
  SELECT list.key AS kind, (part.place - 1)::integer AS place, part.value AS part
  FROM jsonb_each($1::jsonb) AS list, jsonb_array_elements(list.value) WITH ORDINALITY AS part (value, place)`;

/**
 * Inserts a batch. IDs are UUIDv7: 48 bits of time, then the bits of a random UUIDv4 with its version raised
 * from 4 to 7. Times rise with the numbers, so IDs and created_at have the same order. A product of random
 * numbers makes names at the head of a list far more frequent than those at its end, as in real data.
 */
const INSERT = `
  WITH drawn AS MATERIALIZED (
    SELECT n,
           floor(random() * random() * $5)::integer AS first,
           floor(random() * random() * $6)::integer AS last,
           floor(random() * random() * $7)::integer AS domain,
           random() AS role, random() AS state, random() AS login, random() AS spread,
           floor($3::float8 + (n - $1 + random()) * $4::float8)::bigint AS created_ms
    FROM generate_series($1::bigint, $2::bigint) AS n
  ), made AS (
    SELECT drawn.*, to_timestamp(created_ms / 1000.0)::timestamptz(3) AS created_at,
           f.part AS f, l.part AS l, d.part AS d
    FROM drawn
    JOIN sample_parts f ON f.kind = 'first' AND f.place = drawn.first
    JOIN sample_parts l ON l.kind = 'last' AND l.place = drawn.last
    JOIN sample_parts d ON d.kind = 'domain' AND d.place = drawn.domain
  )
  INSERT INTO users (id, name, name_key, email, email_key, search_key, password_hash, roles, email_verified, disabled,
                     deleted_at, last_login_at, created_at, updated_at)
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
                  PLACING substring(int8send(created_ms) FROM 3) FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid,
         concat(f->>'name', ' ', l->>'name'),
         concat(f->>'name_folded', ' ', l->>'name_folded'),
         concat(f->>'local', '.', l->>'local', n, '@', d->>'domain'),
         concat(f->>'local_canonical', '.', l->>'local_canonical', n, '@', d->>'domain_canonical'),
         concat(f->>'name_folded', ' ', l->>'name_folded', E'\\n',
                f->>'local_folded', '.', l->>'local_folded', n, '@', d->>'domain_folded'),
         $8,
         CASE WHEN n % 2000 = 7 THEN ARRAY['auditor', 'user'] WHEN role < 0.01 THEN ARRAY['premium', 'user']
              ELSE ARRAY['user'] END,
         state < 0.9,
         state < 0.01,
         -- A running service erases users 30 days after their deletion.
         CASE WHEN state >= 0.99 THEN greatest(created_at, now() - interval '29 days' * spread) END,
         CASE WHEN login < 0.7 THEN created_at + (now() - created_at) * spread END,
         created_at, created_at
  FROM made
  ORDER BY n`;

/**
 * Selects the highest number in the addresses of earlier runs, so that no number repeats. Their numbers follow a name.
 * A longer number, such as a time in milliseconds, belongs to other users, and so does one after a hyphen.
 */
const LAST_NUMBER = `
  SELECT coalesce(max(substring(email_key FROM '[^\\d-](\\d{1,10})@[^@]*\\mexample(?:\\.\\w+)?$')::bigint), 0) AS last FROM users`;

const SPAN_MS = 2 * 365 * 86_400_000;

/**
 * Adds `users` sample users, one transaction per batch, so that memory stays bounded and a killed run
 * leaves complete batches. Their times are spread over the past two years.
 */
export async function addSampleUsers(client, { users, passwordHash, progress = () => {} }) {
  // Batches lost in a crash are as easy to recreate as a lost run. A long pending list saves half of the
  // trigram work.
  await client.query(`SET synchronous_commit = off; SET gin_pending_list_limit = '32MB'`);
  await client.query(PREPARE, [PARTS]);
  const { rows } = await client.query(LAST_NUMBER);
  const first = Number(rows[0].last) + 1;
  const stepMs = SPAN_MS / users;
  const startMs = Date.now() - SPAN_MS;
  for (let done = 0; done < users;) {
    const count = Math.min(ROWS_PER_BATCH, users - done);
    const from = first + done;
    const lists = [FIRST_NAMES.length, LAST_NAMES.length, DOMAINS.length];
    await client.query(INSERT, [
      from,
      from + count - 1,
      startMs + done * stepMs,
      stepMs,
      ...lists,
      passwordHash,
    ]);
    done += count;
    progress(done);
  }
  await client.query('RESET synchronous_commit; RESET gin_pending_list_limit; DROP TABLE sample_parts');
}
