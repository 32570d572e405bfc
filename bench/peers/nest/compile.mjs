// Compiles `app.ts`: Node.js strips types, but does not know decorators.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

/** Below node_modules, so that the packages are found and nothing of it is committed. */
const FOLDER = join(import.meta.dirname, '../../../node_modules/.cache/gatehouse-bench');

/** Compiles the peer and returns the path of the module. */
export function compileNestPeer() {
  const { outputText } = ts.transpileModule(readFileSync(join(import.meta.dirname, 'app.ts'), 'utf8'), {
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2024,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      useDefineForClassFields: false,
      esModuleInterop: true,
    },
  });
  mkdirSync(FOLDER, { recursive: true });
  const path = join(FOLDER, 'nest-as-documented.mjs');
  writeFileSync(path, outputText);
  return path;
}
