import { execFile } from 'node:child_process';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../support/app/instance.js';
import { ADMIN, PASSWORD } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import { freePort } from '../support/http/free-port.js';

/** The time in ms for two programs of their own, a generator and a compiler, on a busy machine. */
const GENERATION_TIMEOUT_MS = 120_000;
const GUIDE = 'docs/guides/generated-clients.md';
const HEY_API = resolve('node_modules/@hey-api/openapi-ts/bin/run.js');
const ORVAL = resolve('node_modules/orval/dist/bin/orval.mjs');
const COMPILER = resolve('node_modules/typescript/bin/tsc');

/** No package has types here, and no declaration is skipped. */
const TSCONFIG = {
  compilerOptions: {
    strict: true,
    skipLibCheck: false,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022', 'dom', 'dom.iterable', 'dom.asynciterable'],
    types: [],
    rootDir: '.',
    outDir: 'out',
  },
};

let database: TestDatabase;
let instance: Instance;
let root: string;
beforeAll(async () => {
  database = await TestDatabase.create();
  root = await mkdtemp(join(tmpdir(), 'gatehouse-clients-'));
  const port = await freePort();
  const env = {
    ...database.addresses,
    PORT: String(port),
    PUBLIC_URL: `http://127.0.0.1:${port}`,
    ADMIN_PASSWORD: ADMIN.password,
  };
  instance = await Instance.start({ env });
});
afterAll(async () => {
  await instance?.stop();
  await database?.drop();
  if (root) await rm(root, { recursive: true });
});

/** Returns the files that a section of the guide shows: the code blocks whose first line names a file. */
async function filesOf(section: string): Promise<[name: string, text: string][]> {
  const guide = await readFile(GUIDE, 'utf8');
  const [, text = ''] = new RegExp(`^## ${section}\\n(.*?)(?=^## )`, 'ms').exec(guide) ?? [];
  return [...text.matchAll(/^```\w+\n\/\/ (\S+)\n(.*?)^```$/gms)].map(([, name = '', code = '']) => [
    name,
    code,
  ]);
}

/** Runs a program of Node.js in a folder. @throws with its output when it fails */
async function run(folder: string, ...args: readonly string[]): Promise<string> {
  const options = { cwd: folder, env: { PATH: process.env['PATH'] }, maxBuffer: 16 * 1024 * 1024 };
  try {
    return (await promisify(execFile)(process.execPath, args, options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

interface Generator {
  readonly section: string;
  readonly person: string;
  /** The files that the guide does not show, because most projects need none of them. */
  readonly files: (folder: string) => Readonly<Record<string, string>>;
  readonly command: readonly string[];
}

const generators: readonly Generator[] = [
  {
    section: 'hey-api',
    person: 'ada',
    // A project finds its own tsconfig.json, from which the generator takes the extension of imports.
    files: (folder) => ({
      'openapi-ts.config.mjs': `export default ${JSON.stringify({
        input: `${instance.url}/openapi.json`,
        output: { path: 'gatehouse', tsConfigPath: join(folder, 'tsconfig.json') },
        logs: { level: 'silent' },
      })}`,
    }),
    command: [HEY_API],
  },
  { section: 'orval', person: 'grace', files: () => ({}), command: [ORVAL] },
];

/** Writes a project as the guide describes it, with a tour of the service as its program. */
async function writeProject({ section, person, files }: Generator): Promise<string> {
  const folder = await mkdtemp(join(root, `${section}-`));
  const rows = [1, 2].map((n) => ({ email: `${person}-${n}@imported.example`, name: `Imported ${n}` }));
  const people = {
    ADA: { email: `${person}@clients.example`, password: PASSWORD },
    ADMIN,
    ROWS: rows,
  };
  const all = {
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify(TSCONFIG),
    'people.ts': Object.entries(people)
      .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};\n`)
      .join(''),
    ...Object.fromEntries(await filesOf(section)),
    ...files(folder),
  };
  for (const [name, text] of Object.entries(all))
    await writeFile(join(folder, name), text.replaceAll('http://localhost:3000', instance.url));
  await copyFile(`test/support/clients/${section}.tour.ts`, join(folder, 'tour.ts'));
  return folder;
}

describe.each(generators)('the client that $section generates from the document', (generator) => {
  it(
    'compiles under tsc --strict with the code of the guide, and runs a tour of the service',
    async () => {
      const folder = await writeProject(generator);
      await run(folder, ...generator.command);
      await run(folder, COMPILER, '--project', 'tsconfig.json');
      const told = JSON.parse(await run(folder, 'out/tour.js')) as { readonly emails: readonly string[] };
      const email = `${generator.person}@clients.example`;
      expect(told).toEqual({
        me: email,
        name: 'Ada Lovelace',
        code: 'CONFLICT',
        fields: ['email'],
        refused: expect.stringMatching(/^Error: FORBIDDEN: /),
        imported: 2,
        emails: expect.any(Array),
        total: expect.stringMatching(/^\d+$/),
        exported: expect.arrayContaining([
          ADMIN.email,
          email,
          `${generator.person}-1@imported.example`,
          `${generator.person}-2@imported.example`,
        ]),
      });
      expect(told.emails).toHaveLength(2);
    },
    GENERATION_TIMEOUT_MS,
  );
});
