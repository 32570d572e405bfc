import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Instance } from '../support/app/instance.js';
import { ADMIN, PASSWORD } from '../support/app/test-app.js';
import { TestDatabase } from '../support/database/test-database.js';
import { freePort } from '../support/http/free-port.js';

/** The time in ms for two programs of their own, a generator and a compiler, on a busy machine. */
const GENERATION_TIMEOUT_MS = 120_000;
/** Short, so that the tour outlives an access token. */
const ACCESS_TOKEN_SECONDS = 2;
const GUIDE = 'docs/guides/generated-clients.md';
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
    ACCESS_TOKEN_TTL_SECONDS: String(ACCESS_TOKEN_SECONDS),
  };
  instance = await Instance.start({ env });
});
afterAll(async () => {
  await instance?.stop();
  await database?.drop();
  if (root) await rm(root, { recursive: true });
});

/** Returns the text of a section of the guide. */
async function readSection(title: string): Promise<string> {
  const [, text = ''] =
    new RegExp(`^## ${title}\\n(.*?)(?=^## |(?![^]))`, 'ms').exec(await readFile(GUIDE, 'utf8')) ?? [];
  return text.replaceAll('http://localhost:3000', instance.url);
}

/** Returns the files that a section shows: the code blocks whose first line names a file. */
const filesOf = (section: string): [name: string, text: string][] =>
  [...section.matchAll(/^```\w+\n\/\/ (\S+)\n(.*?)^```$/gms)].map(([, name = '', code = '']) => [name, code]);

/** Returns the commands that a section shows. */
const commandsOf = (section: string): string[] =>
  [...section.matchAll(/^```sh\n(.*?)^```$/gms)].flatMap(([, lines = '']) => lines.trim().split('\n'));

interface Manifest {
  readonly version: string;
  readonly bin: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/**
 * Puts the packages of an `npm i -D` into a project without asking a registry. They are copied, because a generator
 * looks for the project above its own files, and a link would lead it to this one.
 * @throws when the command names a version that is not the tested one
 */
async function install(folder: string, packages: readonly string[]): Promise<void> {
  const modules = join(folder, 'node_modules');
  await mkdir(join(modules, '.bin'), { recursive: true });
  for (const each of packages) {
    const [, name = '', version = ''] = /^(.+)@(.+)$/.exec(each) ?? [];
    const manifest = JSON.parse(
      await readFile(join('node_modules', name, 'package.json'), 'utf8'),
    ) as Manifest;
    if (!`${manifest.version}.`.startsWith(`${version}.`))
      throw new Error(`the guide installs ${each}, the tested version is ${manifest.version}`);
    const own = resolve('node_modules', name, 'node_modules');
    const filter = (source: string) => resolve(source) !== own;
    await cp(join('node_modules', name), join(modules, name), { recursive: true, filter });
    for (const [command, file] of Object.entries(manifest.bin))
      await symlink(join('..', name, file), join(modules, '.bin', command));
    for (const dependency of Object.keys(manifest.dependencies ?? {})) {
      await mkdir(dirname(join(modules, dependency)), { recursive: true });
      const nested = join(own, dependency);
      const found = existsSync(nested) ? nested : resolve('node_modules', dependency);
      await symlink(found, join(modules, dependency));
    }
  }
}

/** Runs a program in a folder with the Node.js of this process. @throws with its output when it fails */
async function run(folder: string, program: string, ...args: readonly string[]): Promise<string> {
  const path = [dirname(process.execPath), process.env['PATH']].join(delimiter);
  // npx would install what the project lacks.
  const env = { PATH: path, HOME: folder, npm_config_offline: 'true' };
  try {
    const options = { cwd: folder, env, maxBuffer: 16 * 1024 * 1024 };
    return (await promisify(execFile)(program, args, options)).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    throw new Error(`${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

interface Generator {
  readonly section: string;
  readonly person: string;
}

const generators: readonly Generator[] = [
  { section: 'hey-api', person: 'ada' },
  { section: 'orval', person: 'grace' },
];

/** Makes a project with the files and commands of the guide, and a tour of the service as its program. */
async function makeProject({ section, person }: Generator): Promise<string> {
  const folder = await mkdtemp(join(root, `${section}-`));
  const rows = [1, 2].map((n) => ({ email: `${person}-${n}@imported.example`, name: `Imported ${n}` }));
  const people = {
    ADA: { email: `${person}@clients.example`, password: PASSWORD },
    ADMIN,
    ROWS: rows,
    ACCESS_TOKEN_MS: 1000 * ACCESS_TOKEN_SECONDS,
  };
  const text = await readSection(section);
  const all = {
    'package.json': '{ "type": "module" }',
    'tsconfig.json': JSON.stringify(TSCONFIG),
    'people.ts': Object.entries(people)
      .map(([name, value]) => `export const ${name} = ${JSON.stringify(value)};\n`)
      .join(''),
    ...Object.fromEntries([...filesOf(text), ...filesOf(await readSection('Pages and files'))]),
  };
  for (const [name, content] of Object.entries(all)) await writeFile(join(folder, name), content);
  await copyFile(`test/support/clients/${section}.tour.ts`, join(folder, 'tour.ts'));
  const [first = '', ...commands] = commandsOf(text);
  await install(folder, first.replace('npm i -D ', '').split(' '));
  for (const command of commands) await run(folder, 'sh', '-c', command);
  return folder;
}

describe.each(generators)('the client that $section generates from the document', (generator) => {
  it(
    'compiles under tsc --strict with the code of the guide, and runs a tour of the service',
    async () => {
      const folder = await makeProject(generator);
      await run(folder, process.execPath, COMPILER, '--project', 'tsconfig.json');
      const told = JSON.parse(await run(folder, process.execPath, 'out/tour.js')) as {
        readonly emails: readonly string[];
        readonly total: string;
      };
      const email = `${generator.person}@clients.example`;
      expect(told).toEqual({
        me: email,
        name: 'Ada Lovelace',
        code: 'CONFLICT',
        fields: ['email'],
        refused: expect.stringMatching(/^Error: FORBIDDEN: /),
        refusedExport: expect.stringMatching(/^(?:FORBIDDEN|Error: SSE failed: 403 Forbidden)$/),
        imported: 2,
        unchanged: 'Error: the response has the status 304 and no data',
        renewed: [email, email],
        emails: expect.any(Array),
        total: expect.stringMatching(/^\d+$/),
        exported: expect.arrayContaining([
          ADMIN.email,
          email,
          `${generator.person}-1@imported.example`,
          `${generator.person}-2@imported.example`,
        ]),
      });
      expect(told.emails).toHaveLength(Number(told.total));
    },
    GENERATION_TIMEOUT_MS,
  );
});
