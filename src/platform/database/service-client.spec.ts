import { describe, expect, it } from '@jest/globals';
import { operationOf } from './service-client.js';

describe('operationOf', () => {
  it.each([
    ['SELECT 1', 'select'],
    ['select 1', 'select'],
    ['\n  SELECT 1', 'select'],
    ['WITH x AS (SELECT 1) SELECT * FROM x', 'select'],
    ['INSERT INTO t VALUES (1)', 'insert'],
    ['UPDATE t SET a = 1', 'update'],
    ['DELETE FROM t', 'delete'],
    ['COPY t TO STDOUT', 'copy'],
    ['START TRANSACTION', 'other'],
    ['COMMIT', 'other'],
    ['ROLLBACK', 'other'],
    ['LOCK TABLE t', 'other'],
    ['selection', 'other'],
    ['', 'other'],
    ['constructor', 'other'],
    ['__proto__', 'other'],
  ])('%j is %s', (text, operation) => {
    expect(operationOf(text)).toBe(operation);
  });
});
