/** Returns the wanted text of an exchange, made from the recorded one. */
export type Change = (text: string, title: string) => string;

const PROBES = /^\/(?:health|metrics)(?:\/|$)/;
/** The headers of the first answer, without the usual ones that are missing. */
const HEADERS = /(?<=^< HTTP\/1\.1 .*\n)(?:< [A-Z].*\n)+/m;

const changeHeaders = (text: string, change: (lines: readonly string[]) => readonly string[]): string =>
  text.replace(HEADERS, (block) => {
    const lines = block.trimEnd().split('\n');
    return `${change(lines).toSorted().join('\n')}\n`;
  });

export const addHeader =
  (header: string): Change =>
  (text) =>
    changeHeaders(text, (lines) => [...lines, `< ${header}`]);

export const omitHeader =
  (header: string): Change =>
  (text) =>
    changeHeaders(text, (lines) => lines.filter((line) => line !== `< ${header}`));

/** Replaces a header that has exactly the value. */
export const replaceHeader =
  (recorded: string, wanted: string): Change =>
  (text) =>
    changeHeaders(text, (lines) => lines.map((line) => (line === `< ${recorded}` ? `< ${wanted}` : line)));

/** Returns the method and the path of an exchange. A raw one begins with its request line, others have it as title. */
function requestOf(text: string, title: string): { readonly method: string; readonly path: string } {
  const [, method = '', path = ''] =
    /^> ([A-Z]+) (\S+)/.exec(text) ?? /^([A-Z]+) ([^\s?:]+)/.exec(title) ?? [];
  return { method, path };
}

type Fields = Readonly<Record<string, unknown>>;

function logLine(fields: Fields): string {
  const all = Object.entries({ level: 'info', request_id: '<uuid:1>', ...fields });
  return `log ${JSON.stringify(Object.fromEntries(all.toSorted(([a], [b]) => (a < b ? -1 : 1))))}`;
}

/** Adds a line to the end of the log of an exchange without audit entries. */
export const addLog =
  (fields: Fields): Change =>
  (text) =>
    `${text}\n${logLine(fields)}`;

/** Adds the warning about the preflight of an origin that is not allowed, as the first line of its log. */
export const addCorsWarning: Change = (text) => {
  const [, origin = ''] = /^> Origin: ?(.*)$/m.exec(text) ?? [];
  const msg = 'refused a preflight: add this origin to CORS_ORIGINS to allow its pages';
  const line = logLine({ level: 'warn', context: 'Cors', msg, origin });
  const at = text.search(/^log /m);
  return at < 0 ? `${text}\n${line}` : `${text.slice(0, at)}${line}\n${text.slice(at)}`;
};

/** Adds the line of the access log, which probes do not have. Without `route` the request has none. */
export const addAccessLine =
  (route = 'unmatched'): Change =>
  (text, title) => {
    const { method, path } = requestOf(text, title);
    if (PROBES.test(path)) return text;
    const status = Number(/^< HTTP\/1\.1 (\d{3})/m.exec(text)?.[1]);
    const facts = { method, path, route, status };
    return addLog({ msg: 'request', ip: '127.0.0.1', duration_ms: '<ms>', ...facts })(text, title);
  };

/** Matches the name of a user in all forms in which a status follows. */
const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^( *)"name": (".*"),\n\1"status"/gm, '$1"name": $2,\n$1"locale": "en",\n$1"status"'],
  [
    /^( *)"name": \{\n( *)"from": null,\n *"to": (.*)\n\1\},\n\1"status"/gm,
    '$1"name": {\n$2"from": null,\n$2"to": $3\n$1},\n$1"locale": {\n$2"from": null,\n$2"to": "en"\n$1},\n$1"status"',
  ],
  [/("name":"[^"]*"),"status"/g, '$1,"locale":"en","status"'],
  [/("name":\{"from":null,"to":"[^"]*"\}),"status"/g, '$1,"locale":{"from":null,"to":"en"},"status"'],
  [/^( *)id,email,name,status,/gm, '$1id,email,name,locale,status,'],
  [/^( *<[\w.:]+>,[^,]*,[^,]*),(active|disabled|deleted),/gm, '$1,en,$2,'],
];

/** Replaces text wherever it occurs. */
export const replaceText =
  (recorded: string | RegExp, wanted: string): Change =>
  (text) =>
    text.replaceAll(recorded, wanted);

/** Adds the locale to each user. */
export const addLocale: Change = (text) =>
  NAMES.reduce((changed, [pattern, replacement]) => changed.replace(pattern, replacement), text);

/** Restores the empty line at the end of a body, which a recording omits at the end of an exchange. */
export const addEmptyLine: Change = (text) => `${text}\n`;

/** Adds the addresses beside the ids of the actor and the target of each audit entry, in bodies and lines alike. */
export const addEntryAddresses: Change = (text) =>
  text
    .replace(/(\s*)"session_id"(: ?)(null|"[^"]*")(\s*)\}(?=,\s*"action":)/g, withAddress('session_id'))
    .replace(/(\s*)"id"(: ?)("[^"]*")(\s*)\}(?=,\s*"outcome":)/g, withAddress('id'));

const withAddress =
  (last: string) =>
  (_: string, indent: string, colon: string, value: string, end: string): string =>
    `${indent}"${last}"${colon}${value},${indent}"email"${colon}<address>${end}}`;

/** Adds what the data package of a user has got since, for users whom nothing was delivered about and no flag lists. */
export const addDataParts: Change = (text) =>
  text.replaceAll(
    /(\s*)"audit_entries"(: ?)\[/g,
    (entries: string, indent: string, colon: string) =>
      `${indent}"webhook_deliveries"${colon}[],${indent}"flags"${colon}[],${entries}`,
  );

const JOB = /("id": ?"([^"]*)",)(\s*)("type"(: ?)"users\.\w+",)(?=\s*"status")/g;

/** Adds to each job whether it is a dry run, in bodies and events alike. */
export const addDryRun: Change = (text) =>
  text.replaceAll(
    JOB,
    (_, id: string, name: string, indent: string, type: string, colon: string) =>
      `${id}${indent}${type}${indent}"dry_run"${colon}${name === '<dry.id>'},`,
  );

/** Adds a metric before another one. */
export const addMetric =
  (before: string, [name, type, help]: readonly [name: string, type: string, help: string]): Change =>
  (text) =>
    text.replace(
      new RegExp(`^( *)(?=# HELP ${before} )`, 'm'),
      `$1# HELP ${name} ${help}\n$1# TYPE ${name} ${type}\n$1`,
    );

/** Applies the change only to paths under /api. */
export const underApi =
  (change: Change): Change =>
  (text, title) =>
    /^\/api(?:\/|$)/.test(requestOf(text, title).path) ? change(text, title) : text;

/** Adds `no-store` to a refusal that says nothing about caches. */
export const keepOutOfCaches: Change = (text, title) => {
  const isRefusal = /^< HTTP\/1\.1 4/m.test(text);
  return isRefusal && !HEADERS.exec(text)?.[0].includes('< Cache-Control:')
    ? addHeader('Cache-Control: no-store')(text, title)
    : text;
};

/** Applies the changes in order. */
export const all =
  (...changes: readonly Change[]): Change =>
  (text, title) =>
    changes.reduce((changed, change) => change(changed, title), text);
