import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** A server that speaks just enough of PostgreSQL's protocol to report an old version. */
export class OldPostgres {
  private constructor(private readonly server: Server) {}

  static async start(version: string, number: string): Promise<OldPostgres> {
    const server = createServer((socket) => speak(socket, [number, version]));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new OldPostgres(server);
  }

  get url(): string {
    return `postgres://somebody:secret@127.0.0.1:${(this.server.address() as AddressInfo).port}/gatehouse`;
  }

  async stop(): Promise<void> {
    this.server.close();
    await once(this.server, 'close');
  }
}

const READY = message('Z', Buffer.from('I'));

function speak(socket: Socket, row: readonly string[]): void {
  let greeted = false;
  socket.on('error', () => socket.destroy());
  socket.on('data', (data) => {
    if (!greeted) {
      greeted = true;
      socket.write(Buffer.concat([message('R', int32(0)), READY]));
    } else if (data.toString('latin1', 0, 1) === 'Q') {
      socket.write(
        Buffer.concat([description(['number', 'version']), values(row), command('SELECT 1'), READY]),
      );
    } else socket.end();
  });
}

/** Encodes a message: type, length including itself, content (PostgreSQL protocol, 54.7). */
function message(type: string, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from(type), int32(content.length + 4), content]);
}

const TEXT_TYPE = 25;
const description = (names: readonly string[]): Buffer => {
  const fields = names.flatMap((name) => [
    text(name),
    int32(0),
    int16(0),
    int32(TEXT_TYPE),
    int16(-1),
    int32(-1),
    int16(0),
  ]);
  return message('T', Buffer.concat([int16(names.length), ...fields]));
};
const values = (row: readonly string[]): Buffer => {
  const cells = row.flatMap((value) => [int32(Buffer.byteLength(value)), Buffer.from(value)]);
  return message('D', Buffer.concat([int16(row.length), ...cells]));
};
const command = (tag: string): Buffer => message('C', text(tag));
const text = (value: string): Buffer => Buffer.from(`${value}\0`);

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}
