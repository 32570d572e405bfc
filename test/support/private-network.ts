import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './http/free-port.js';

const RELAY = join(import.meta.dirname, 'relay.mjs');
/** The ports inside the namespace, where no other program uses any. */
const DATABASE_PORT = 5432;
const SERVICE_PORT = 3000;
const NEW = ['--map-root-user', '--net', '--'];
const FIREWALL = 'ip link set lo up && iptables -A INPUT -p tcp --dport 1 -j DROP';

/** The reason why a network with its own firewall cannot be created here; null when it can. */
export function noPrivateNetwork(): string | null {
  try {
    execFileSync('unshare', [...NEW, 'sh', '-c', `${FIREWALL} && ss -Htn`], { stdio: 'ignore' });
    return null;
  } catch {
    return 'this needs Linux, unshare, iptables, ss and the right to create namespaces';
  }
}

/**
 * A network namespace in which an instance reaches its database over TCP. A firewall between them can drop
 * packets as a broken path does, without refusing anything. Socket files lead in and out.
 */
export class PrivateNetwork {
  private constructor(
    private readonly inside: ChildProcess,
    private readonly outside: ChildProcess,
    private readonly folder: string,
    /** The outside address of the service that listens inside. */
    readonly serviceUrl: string,
  ) {}

  /** Creates a network around the server at that address. */
  static async around(databaseUrl: string): Promise<PrivateNetwork> {
    const folder = await mkdtemp(join(tmpdir(), 'gatehouse-network-'));
    const [database, service] = [join(folder, 'database'), join(folder, 'service')];
    const port = await freePort();
    const relay = (...endpoints: (string | number)[]) =>
      [process.execPath, RELAY, ...endpoints].map((word) => `'${word}'`).join(' ');
    const inner = relay(DATABASE_PORT, database, service, SERVICE_PORT);
    const outer = relay(database, new URL(databaseUrl).port || '5432', port, service);
    const inside = await started('unshare', [...NEW, 'sh', '-c', `ip link set lo up && exec ${inner}`]);
    const outside = await started('sh', ['-c', `exec ${outer}`]);
    return new PrivateNetwork(inside, outside, folder, `http://127.0.0.1:${port}`);
  }

  /** The command prefix that runs a command inside. */
  get under(): readonly string[] {
    return ['nsenter', `--target=${this.pid}`, '--user', '--net', '--preserve-credentials', '--'];
  }

  /** Returns the environment of an instance that runs inside. */
  through(addresses: Readonly<Record<string, string>>): Record<string, string> {
    const inner = Object.entries(addresses).map(([name, address]) => {
      const url = new URL(address);
      url.host = `127.0.0.1:${DATABASE_PORT}`;
      return [name, url.href] as const;
    });
    return { ...Object.fromEntries(inner), PORT: String(SERVICE_PORT) };
  }

  /** Drops every packet between the service and its database. */
  dropAll(): void {
    for (const direction of ['--dport', '--sport'])
      this.run('iptables', '-A', 'INPUT', '-p', 'tcp', direction, String(DATABASE_PORT), '-j', 'DROP');
  }

  /** Drops the packets of all current connections, like a firewall that has forgotten them. */
  dropPresent(): void {
    const connections = this.run('ss', '-Htn', 'state', 'established', 'dport', '=', `:${DATABASE_PORT}`);
    for (const [, port = ''] of connections.matchAll(/:(\d+)\s+\S+:5432\b/g))
      for (const direction of ['--dport', '--sport'])
        this.run('iptables', '-A', 'INPUT', '-p', 'tcp', direction, port, '-j', 'DROP');
  }

  /** Lets all packets pass again. */
  restore(): void {
    this.run('iptables', '-F', 'INPUT');
  }

  async close(): Promise<void> {
    for (const each of [this.inside, this.outside]) {
      const ended = once(each, 'exit');
      each.kill('SIGKILL');
      await ended;
    }
    await rm(this.folder, { recursive: true, force: true });
  }

  private run(...command: string[]): string {
    const [first = '', ...rest] = [...this.under, ...command];
    return execFileSync(first, rest, { encoding: 'utf8' });
  }

  private get pid(): number {
    return this.inside.pid ?? 0;
  }
}

async function started(command: string, parameters: string[]): Promise<ChildProcess> {
  const child = spawn(command, parameters, { stdio: ['ignore', 'pipe', 'inherit'] });
  let said = '';
  for await (const chunk of child.stdout) {
    said += String(chunk);
    if (said.split('ready').length === 3) return child;
  }
  throw new Error(`the relay ended: ${said}`);
}
