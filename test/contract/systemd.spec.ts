import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ALLOCATOR_SETTINGS, NODE_FLAGS } from '../../scripts/node-flags.mjs';
import { type Variable, variables } from '../../src/config/config.schema.js';
import { wherePossible } from '../support/app/where-possible.js';

const UNIT = 'deploy/systemd/gatehouse.service';
/** The highest exposure, in tenths of 10, that `systemd-analyze security` may find. */
const MAX_EXPOSURE = 15;
/** The time by which a forced stop may exceed SHUTDOWN_DEADLINE_MS (shutdown.ts). */
const AFTER_DEADLINE_MS = 5000;

const text = readFileSync(UNIT, 'utf8');
const table: Readonly<Record<string, Variable>> = variables;

/** Returns the values of a setting, in order. */
const valuesOf = (name: string): string[] =>
  [...text.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value ?? '');
const environment = Object.fromEntries(
  valuesOf('Environment')
    .flatMap((line) => line.split(' '))
    .map((pair) => pair.split('=', 2) as [string, string]),
);
const credentials = valuesOf('LoadCredential').map((line) => line.split(':')[0] ?? '');

describe('the systemd unit', () => {
  it('starts the built service in production, with the flags of `npm start`', () => {
    const command = `/opt/gatehouse/node_modules/.bin/node ${NODE_FLAGS.join(' ')} dist/src/main.js`;
    expect(valuesOf('ExecStart')).toEqual([command]);
    expect(environment).toMatchObject({ NODE_ENV: 'production', ...ALLOCATOR_SETTINGS });
  });

  it('keeps its data in the folder that only the service may write to', () => {
    expect(environment['DATA_DIR']).toBe(`/var/lib/${valuesOf('StateDirectory').join()}`);
    expect([valuesOf('ProtectSystem'), valuesOf('DynamicUser')]).toEqual([['strict'], ['yes']]);
  });

  it('reads every secret from a credential, and sets only known variables', () => {
    const files = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'));
    expect(files.map(([, path]) => path.replace('%d/', '')).toSorted()).toEqual(credentials.toSorted());
    for (const [name] of files) expect(table[name.replace(/_FILE$/, '')]).toMatchObject({ secret: true });
    const others = Object.keys(environment).filter((name) => !/_FILE$|^MALLOC_/.test(name));
    expect(others.filter((name) => table[name] === undefined || table[name].secret)).toEqual([]);
    const required = Object.keys(table).filter((name) => table[name]?.production === null);
    expect(files.map(([name]) => name)).toEqual(
      expect.arrayContaining(['DATABASE_URL_FILE', ...required.map((name) => `${name}_FILE`)]),
    );
    expect(text).not.toMatch(/:\/\/[^\s/@]*@/);
  });

  it('waits longer for a stop than the service takes', () => {
    const deadlineMs = Number(variables.SHUTDOWN_DEADLINE_MS.default);
    expect(Number(valuesOf('TimeoutStopSec')) * 1000).toBeGreaterThanOrEqual(deadlineMs + AFTER_DEADLINE_MS);
    expect([valuesOf('KillSignal'), valuesOf('Restart')]).toEqual([['SIGTERM'], ['on-failure']]);
  });
});

const missing = spawnSync('systemd-analyze', ['--version']).error ? 'systemd-analyze is not installed' : null;
wherePossible(missing, 'the systemd unit in the eyes of systemd', () => {
  let folder: string;
  let path: string;
  beforeAll(() => {
    folder = mkdtempSync(`${tmpdir()}/gatehouse-unit-`);
    path = `${folder}/gatehouse.service`;
    // The program must exist for the check.
    writeFileSync(path, text.replaceAll('/opt/gatehouse', process.cwd()));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const analyze = (...args: string[]) => spawnSync('systemd-analyze', args, { encoding: 'utf8' });

  it('has no unknown setting and no fault', () => {
    const { status, stderr } = analyze('verify', path);
    expect({ status, complaints: stderr.split('\n').filter((line) => line.includes(path)) }).toEqual({
      status: 0,
      complaints: [],
    });
  });

  it('leaves little of the system within reach', () => {
    const { status, stdout } = analyze('security', '--offline=true', `--threshold=${MAX_EXPOSURE}`, path);
    expect({ status, stdout }).toEqual({ status: 0, stdout: expect.stringContaining('Overall exposure') });
  });

  it('is seen to have a fault after a misspelt setting', () => {
    writeFileSync(path, text.replaceAll('/opt/gatehouse', process.cwd()).replace('PrivateTmp', 'PrivatTmp'));
    expect(analyze('verify', path).stderr).toMatch(/Unknown key.* 'PrivatTmp'/);
  });
});
