import { globSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import type { Permission } from '../../src/common/authorization/permissions.js';
import { auditActions } from '../../src/modules/audit-actions.js';
import { permissions } from '../../src/modules/permissions.js';
import { type AuditAction, platformAuditActions } from '../../src/platform/audit-trail/audit-actions.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Returns every string in the arrays that the files export. */
async function declaredIn(pattern: string): Promise<string[]> {
  const found: string[] = [];
  for (const file of globSync(pattern, { cwd: ROOT })) {
    const exported = (await import(pathToFileURL(`${ROOT}${file}`).href)) as Record<
      string,
      readonly string[]
    >;
    found.push(...Object.values(exported).flat());
  }
  return found.toSorted();
}

describe('the names that features declare', () => {
  it('are all among the permissions, once', async () => {
    expect(await declaredIn('src/modules/*/*.permissions.ts')).toEqual(permissions.toSorted());
    expect(new Set(permissions).size).toBe(permissions.length);
  });

  it('are all among the audit actions, once', async () => {
    const declared = await declaredIn('src/modules/*/*.audit-actions.ts');
    expect([...declared, ...platformAuditActions].toSorted()).toEqual(auditActions.toSorted());
    expect(new Set(auditActions).size).toBe(auditActions.length);
  });

  it('do not compile when they are misspelt', () => {
    // @ts-expect-error -- no feature declares this permission
    const permission: Permission = 'users:raed';
    // @ts-expect-error -- no feature declares this audit action
    const action: AuditAction = 'user.updat';
    expect([permission, action]).not.toContain(undefined);
  });
});
