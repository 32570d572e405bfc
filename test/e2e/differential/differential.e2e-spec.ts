/**
 * Replays over a thousand requests against the current build and compares the answers with those of the build
 * that `recorded/` was made from: the status line, every header, the body, the lines in the log, the entries in
 * the audit log and the requests in the metrics.
 *
 * A difference that is wanted belongs into wanted-differences.ts, with its reason. `RECORD=1` overwrites the
 * recording instead, for new requests:
 *
 *     RECORD=1 npm run -s jest -- --selectProjects e2e --testPathPatterns test/e2e/differential
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Document, operationsOf } from '../../support/docs/openapi-document.js';
import { NEW_OPERATIONS, recordedStatuses, UNRECORDED } from './coverage.js';
import { formatRecording, readRecording, type Recording, withWantedDifferences } from './recording.js';
import { ReplayedService } from './replayed-service.js';
import { groups } from './script/all-groups.js';
import type { Group } from './step.types.js';
import { type WantedDifference, wantedDifferences } from './wanted-differences.js';

const isRecording = process.env['RECORD'] === '1';
const fileOf = ({ name }: Group): string => fileURLToPath(new URL(`recorded/${name}.txt`, import.meta.url));

describe('the answers of the recorded build', () => {
  const services = new Map<Group['service'], ReplayedService>();
  const used = new Set<WantedDifference>();
  let document: Document;

  beforeAll(async () => {
    if (isRecording && process.env['CI'])
      throw new Error('RECORD=1 is refused in CI: it would accept any answer');
    const start = async (name: Group['service']) =>
      void services.set(name, await ReplayedService.start(name));
    const started = await Promise.allSettled([start('open'), start('strict')]);
    for (const each of started) if (each.status === 'rejected') throw each.reason;
    document = JSON.parse((await services.get('open')?.read('/openapi.json')) ?? '') as Document;
  });
  afterAll(() => Promise.all([...services.values()].map((each) => each.stop())));

  it.each(groups.map((group) => [group.name, group] as const))(
    'about %s are unchanged',
    async (name, group) => {
      const actual = (await services.get(group.service)?.replay(group)) as Recording;
      if (isRecording) writeFileSync(fileOf(group), formatRecording(actual));
      const recorded = withWantedDifferences(readRecording(fileOf(group)), name, wantedDifferences, used);
      const titles = [...new Set([...recorded.keys(), ...actual.keys()])];
      const differing = titles.filter((title) => recorded.get(title) !== actual.get(title));
      const shown = (from: Recording) =>
        differing.map((title) => `=== ${title}\n${from.get(title) ?? '(not sent)'}`).join('\n\n');
      expect(shown(actual)).toBe(shown(recorded));
    },
  );

  it('need every wanted difference', () => {
    expect(wantedDifferences.filter((each) => !used.has(each))).toEqual([]);
  });

  it('include every operation with every refusal that it documents', () => {
    const seen = recordedStatuses(
      groups.map((group) => readRecording(fileOf(group))),
      document,
    );
    const known = operationsOf(document).filter(([name]) => !NEW_OPERATIONS.includes(name));
    const missing = known.flatMap(([name, { responses }]) =>
      Object.keys(responses)
        // The limit refuses every operation alike; the group “limits” shows it.
        .filter((status) => Number(status) < 500 && status !== '429' && !seen.get(name)?.has(status))
        .map((status) => `${name} ${status}`),
    );
    expect(missing.toSorted()).toEqual(Object.keys(UNRECORDED).toSorted());
    const all = new Set([...seen.values()].flatMap((statuses) => [...statuses]));
    expect(['500', '503', '504'].filter((status) => !all.has(status))).toEqual([]);
  });
});
