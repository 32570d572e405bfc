import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { getSystemErrorMessage, parseArgs } from 'node:util';
import { DamagedHeadError, type HeadFile, parseHeadFile } from '../modules/audit/proofs/head-file.js';
import { keySetOf } from '../modules/audit/proofs/key-set.js';
import { readAuditLogFile } from '../modules/audit/proofs/audit-log-file.js';
import { type AuditVerdict, verifyAuditLog } from '../modules/audit/proofs/verify-audit-log.js';

const USAGE = 'npm run audit:verify -- <file> [--head <file>]';
const INVALID = 1;
const UNREADABLE = 2;

/**
 * `npm run audit:verify`: verifies an exported audit log without a database. Exits with 0 (valid), 1
 * (invalid) or 2 (cannot read).
 */
try {
  const { positionals, values } = parseArgs({
    allowPositionals: true,
    options: { head: { type: 'string' } },
  });
  const [path] = positionals;
  if (path === undefined || positionals.length > 1) throw new Error(`usage: ${USAGE}`);
  const head = values.head === undefined ? null : await readHead(values.head);
  const { keys, retentions, blocks } = await readAuditLogFile(createReadStream(path));
  // Trusts the key of the kept head if it has one, because the author of the file chose the keys in it.
  const trusted = keySetOf(head?.key ? [head.key] : keys);
  const verdict = await verifyAuditLog(blocks, { keys: trusted, retentions, ...(head && { head }) });
  process.stdout.write(`${report(verdict, head)}\n`);
  if (!verdict.valid) process.exitCode = INVALID;
} catch (error) {
  process.stderr.write(`${describe(error)}\n`);
  process.exitCode = UNREADABLE;
}

/** Names the file of an error of the file system, as the command-line client does. */
function describe(error: unknown): string {
  const { errno, path, message = String(error) } = (error ?? {}) as Partial<NodeJS.ErrnoException>;
  return errno === undefined || path === undefined ? message : `${path}: ${getSystemErrorMessage(errno)}`;
}

async function readHead(path: string): Promise<HeadFile> {
  const text = await readFile(path, 'utf8');
  try {
    return parseHeadFile(text);
  } catch (cause) {
    if (cause instanceof DamagedHeadError) throw new Error(`${path}: ${cause.message}`, { cause });
    throw new Error(`${path} is not a response of GET /api/audit/seals/latest`, { cause });
  }
}

function report({ firstFault, ...verdict }: AuditVerdict, head: HeadFile | null): string {
  const gone = verdict.dropped > 0 ? ` and ${verdict.dropped} entries dropped by retention` : '';
  const read = `${verdict.seals} seals over ${verdict.entries} entries${gone}`;
  if (firstFault) {
    const { kind, entryId, message } = firstFault;
    return `INVALID: ${kind}: ${message}${entryId === undefined ? '' : ` (entry ${entryId})`}\n${read} before it are valid`;
  }
  return [
    `VALID: ${read}`,
    `Not covered: ${verdict.unsealed} entries after the last seal`,
    head
      ? `Not covered: ${verdict.sealsAfterHead} seals after the kept head ${head.number}; more may have been removed`
      : 'Not covered: without a head (--head), a removed end of the log goes undetected',
    ...(head?.key ? [] : ['The keys come from the file itself; compare them with keys stored elsewhere']),
  ].join('\n');
}
