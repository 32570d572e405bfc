import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, it } from '@jest/globals';
import type { Permission } from '../../src/common/authorization/permissions.js';
import { auditActions } from '../../src/modules/audit-actions.js';
import { permissions } from '../../src/modules/permissions.js';
import {
  type AuditAction,
  type AuditReason,
  platformAuditActions,
} from '../../src/platform/audit-log/audit.types.js';

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
    // @ts-expect-error -- no feature declares this reason
    const reason: AuditReason = 'wrong_pasword';
    expect([permission, action, reason]).not.toContain(undefined);
  });

  it('appear nowhere in platform and common, and neither does a route of a feature', () => {
    const examples = [
      "Requires('users:read')",
      "action: 'user.update'",
      'const IGNORED = /^\\/api\\/auth\\//;',
      'const STREAMED = /^\\/(?:docs|api\\/export)\\//;',
    ];
    expect(examples.map(namesFeature)).toEqual([true, true, true, true]);
    const files = globSync('src/{platform,common}/**/*.ts', { cwd: ROOT });
    expect(files.length).toBeGreaterThan(0);
    expect(files.filter((path) => namesFeature(readFileSync(`${ROOT}${path}`, 'utf8')))).toEqual([]);
  });
});

const NAMES = [...permissions, ...auditActions].filter(
  (name) => !platformAuditActions.some((each) => each === name),
);

/** Returns whether the text, without its comments, spells a name that features declare or a path below `/api`. */
function namesFeature(text: string): boolean {
  const code = text.replaceAll(/\/\*[\s\S]*?\*\//g, '').replaceAll(/(^|\s)\/\/.*$/gm, '$1');
  return NAMES.some((name) => code.includes(`'${name}'`)) || /\bapi\\?\/\w/.test(code);
}

/** Returns the POST handlers in a controller's text that do not say what they do with an Idempotency-Key. */
function undeclaredPosts(text: string): string[] {
  const use = /@(?:Repeatable|KeyDecidesAlone|IgnoresIdempotencyKey)\(\)/;
  const [head = '', body = ''] = text.split(/^export class .*$/m);
  if (use.test(head.slice(head.lastIndexOf('\n\n')))) return [];
  // A handler follows its decorators, and an empty line ends it.
  return body.split('\n\n').filter((member) => /^ {2}@Post\(/m.test(member) && !use.test(member));
}

describe('a POST', () => {
  it('says what it does with an Idempotency-Key', () => {
    const controllers = globSync('src/**/*.controller.ts', { cwd: ROOT });
    const texts = controllers.map((file) => readFileSync(`${ROOT}${file}`, 'utf8'));
    expect(texts.filter((text) => text.includes('@Post(')).length).toBeGreaterThan(5);
    expect(texts.flatMap(undeclaredPosts)).toEqual([]);
  });

  it('is seen not to say it', () => {
    const member = `  @Post('x')\n  @Public()\n  x(): void {}\n`;
    expect(undeclaredPosts(`\n\n@Controller('a')\nexport class A {\n${member}}`)).toHaveLength(1);
    expect(
      undeclaredPosts(`\n\n@IgnoresIdempotencyKey()\n@Controller('a')\nexport class A {\n${member}}`),
    ).toEqual([]);
    const repeatable = member.replace('@Public()', '@Repeatable()');
    expect(undeclaredPosts(`\n\n@Controller('a')\nexport class A {\n${repeatable}}`)).toEqual([]);
  });
});
