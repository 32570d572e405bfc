import { createServer, type Server } from 'node:net';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';

/** A mail server that speaks just enough of RFC 5321 to receive mails, and keeps them. */
export class SmtpSink {
  readonly mails: string[] = [];

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {}

  /** Starts the server. It refuses the first `failures` mails temporarily (451). */
  static async listen(failures = 0): Promise<SmtpSink> {
    let refusals = failures;
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      let data: string[] | null = null;
      const say = (line: string) => socket.write(`${line}\r\n`);
      say('220 sink');
      createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY }).on('line', (line) => {
        if (data && line !== '.') data.push(line);
        else if (data) {
          sink.mails.push(data.join('\n'));
          data = null;
          say('250 taken');
        } else if (/^(?:EHLO|HELO|MAIL|RCPT|RSET|NOOP)/i.test(line)) {
          const refused = /^RCPT/i.test(line) && refusals > 0;
          if (refused) refusals--;
          // Repeats the address, as real servers do.
          say(refused ? `451 4.2.1 ${line.slice(8)} try again` : '250 sink');
        } else if (/^DATA/i.test(line)) {
          data = [];
          say('354 go on');
        } else {
          say('221 bye');
          socket.end();
        }
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const sink = new SmtpSink(server, `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`);
    return sink;
  }

  close(): void {
    this.server.close();
  }
}
