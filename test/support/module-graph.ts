import type { DynamicModule, Type } from '@nestjs/common';

type Kind = 'controllers' | 'providers';

/** Returns everything of one kind that a module adds to the application, including its imports. */
export async function declaredIn(root: unknown, kind: Kind): Promise<Set<unknown>> {
  const found = new Set<unknown>();
  await collect(root, kind, found, new Set());
  return found;
}

async function collect(given: unknown, kind: Kind, found: Set<unknown>, seen: Set<unknown>): Promise<void> {
  const module = (await given) as DynamicModule | Type;
  if (seen.has(module)) return;
  seen.add(module);
  const dynamic: DynamicModule = typeof module === 'function' ? { module } : module;
  const declared = (name: Kind | 'imports') => [
    ...((Reflect.getMetadata(name, dynamic.module) ?? []) as unknown[]),
    ...(dynamic[name] ?? []),
  ];
  for (const each of declared(kind)) found.add(each);
  for (const next of declared('imports')) await collect(next, kind, found, seen);
}
