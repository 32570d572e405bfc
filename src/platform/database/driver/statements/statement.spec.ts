import { describe, expect, it } from '@jest/globals';
import { isRead, mayWaitForLocks, operationOf } from './statement.js';

describe('operationOf', () => {
  it.each([
    ['SELECT 1', 'select'],
    ['  select "id" FROM "users"', 'select'],
    ['\n UPDATE "users" SET "name" = $1', 'update'],
    ['INSERT INTO users DEFAULT VALUES', 'insert'],
    ['DELETE FROM users', 'delete'],
    ['COPY (SELECT 1) TO STDOUT', 'copy'],
    ['WITH spent AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM spent', 'select'],
    ['START TRANSACTION', 'other'],
    ['COMMIT', 'other'],
    ['LOCK TABLE t', 'other'],
    ['selection', 'other'],
    ['', 'other'],
    ['constructor', 'other'],
    ['__proto__', 'other'],
  ])('%j: %s', (text, operation) => {
    expect(operationOf(text)).toBe(operation);
  });
});

describe('isRead', () => {
  it.each([
    ['SELECT name FROM users WHERE id = $1', true],
    ['\n  select\n count(*)\nfrom users', true],
    ['SELECT 1 FROM users FOR UPDATE', false],
    ['SELECT 1 FROM users FOR NO KEY UPDATE OF users', false],
    ['SELECT 1 FROM users ORDER BY id FOR KEY SHARE SKIP LOCKED', false],
    ['SELECT 1 FROM users\nFOR SHARE', false],
    ['SELECT sample_accounts_anew()', false],
    ['SELECT pg_notify($1, $2) FROM users', false],
    [`SELECT nextval ('s') FROM users`, false],
    ['SELECT * FROM begin_epoch()', false],
    ['SELECT * FROM make_audit_partition($1) AS made', false],
    ['SELECT sample_accounts_anew() FROM users', false],
    [`SELECT set_config('a.b', id::text, false) FROM users`, false],
    ['SELECT pg_terminate_backend(pid) FROM pg_stat_activity', false],
    ['SELECT id INTO copies FROM users', false],
    ['WITH gone AS (DELETE FROM users RETURNING id) SELECT id FROM gone', false],
    ['UPDATE users SET name = $1', false],
    ['COPY (SELECT id FROM users) TO STDOUT', false],
    ['START TRANSACTION', false],
    ['COMMIT', false],
    ['', false],
  ])('%j: %s', (text, read) => {
    expect(isRead(text)).toBe(read);
  });
});

describe('mayWaitForLocks', () => {
  it.each([
    ['UPDATE users SET name = $1', true],
    ['INSERT INTO users VALUES ($1) ON CONFLICT DO NOTHING', true],
    ['WITH gone AS (DELETE FROM users RETURNING id) SELECT id FROM gone', true],
    ['SELECT 1 FROM users FOR SHARE', true],
    ['LOCK TABLE users', true],
    ['SELECT pg_advisory_xact_lock($1)', true],
    ['SELECT pg_try_advisory_xact_lock($1)', false],
    ['SELECT updated_at FROM users', false],
    ['COMMIT', false],
  ])('%j: %s', (text, waits) => {
    expect(mayWaitForLocks(text)).toBe(waits);
  });
});
