/** The description of a flag in the help. */
export interface FlagText {
  /** The name of the value. */
  readonly value?: string;
  readonly help: string;
}

/** A flag of the command line. A name has one meaning in every command that declares it. */
interface Flag extends FlagText {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  readonly multiple?: true;
}

/** All flags. A command takes those that it declares, and refuses the others. */
export const FLAGS = {
  url: {
    type: 'string',
    value: 'URL',
    help: 'address of the service; default GATEHOUSE_URL, then that of the last login, then http://127.0.0.1:3000',
  },
  email: {
    type: 'string',
    value: 'ADDRESS',
    help: 'sign in as this user for this command; requires GATEHOUSE_PASSWORD',
  },
  help: { type: 'boolean', short: 'h', help: 'print this help' },
  version: { type: 'boolean', help: 'print the version of this client' },
  output: { type: 'string', short: 'o', value: 'FILE', help: 'write to FILE; "-" is standard output' },
  format: { type: 'string', value: 'FORMAT', help: 'format of the file; default that of its name' },
  fields: { type: 'string', value: 'A,B', help: 'export only these fields' },
  filter: { type: 'string', multiple: true, value: 'NAME=VALUE', help: 'filter of the API; may be repeated' },
  restart: { type: 'boolean', help: 'discard the part of the file that is already there' },
  'firebase-params': {
    type: 'string',
    value: 'FILE',
    help: 'password hash parameters of a Firebase project; the users come from `firebase auth:export --format=json`',
  },
  'on-conflict': {
    type: 'string',
    value: 'fail|skip|update',
    help: 'what happens to a row whose address exists; default fail',
  },
  wait: { type: 'boolean', help: 'wait for the end of the job (default); --no-wait returns at once' },
  head: { type: 'string', value: 'FILE', help: 'verify that the log contains the head saved in FILE' },
  'save-head': { type: 'string', value: 'FILE', help: 'save the current head to FILE' },
  limit: { type: 'string', value: 'N', help: 'maximum number of rows; default 20' },
  cursor: { type: 'string', value: 'CURSOR', help: 'begin at this cursor, which the previous page printed' },
  actor: { type: 'string', value: 'USER', help: 'only entries of this user, by id or address' },
  target: {
    type: 'string',
    value: 'TARGET',
    help: 'only entries about this user, by id or address, or another id',
  },
  action: { type: 'string', value: 'A,B', help: 'only entries of these actions' },
  ip: { type: 'string', value: 'ADDRESS', help: 'only entries of requests from this IP address' },
  role: { type: 'string', value: 'NAME', help: 'role to grant or revoke' },
  locale: { type: 'string', value: 'TAG', help: 'language of the mails to the user, such as de' },
  verified: {
    type: 'boolean',
    help: 'mark the address as confirmed; --no-verified marks it as not confirmed',
  },
  'dry-run': { type: 'boolean', help: 'change nothing, and say what would happen' },
  yes: { type: 'boolean', short: 'y', help: 'do not ask for a confirmation' },
  json: { type: 'boolean', help: 'print one JSON object per line' },
} as const satisfies Readonly<Record<string, Flag>>;

export type FlagName = keyof typeof FLAGS;

/** The values of all flags. A flag that was not given is undefined. */
export type FlagValues = {
  readonly [Name in FlagName]?:
    | ((typeof FLAGS)[Name] extends { readonly multiple: true }
        ? readonly string[]
        : (typeof FLAGS)[Name] extends { readonly type: 'boolean' }
          ? boolean
          : string)
    | undefined;
};

/** The flags that every command takes. */
export const COMMON_FLAGS = ['url', 'email', 'help'] as const satisfies readonly FlagName[];
