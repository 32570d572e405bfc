import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { InjectMetric } from '@willsoto/nestjs-prometheus';
import { Counter } from 'prom-client';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { createFolder } from '../../common/create-folder.js';
import { newId } from '../../common/ids.js';
import { tracing } from '../telemetry/tracing.js';
import { MAILS } from '../metrics/metric-names.js';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  /** Absent in mails that an earlier version of the service queued. */
  readonly html?: string;
}

type Deliver = (mail: Mail) => Promise<void>;

const SMTP_TIMEOUT_MS = 10_000;
/** The number of mails kept for tests; older ones are dropped. */
const MAX_IN_MEMORY = 1000;

/**
 * Sends mail by SMTP. Without `SMTP_URL` it writes files that a mail program opens; in tests it keeps mails
 * in memory.
 */
@Injectable()
export class Mailer implements OnModuleDestroy {
  /** The sent mails; filled only in tests. */
  readonly sent: Mail[] = [];
  private readonly deliver: Deliver;
  private close: () => void = () => {};

  constructor(
    @InjectConfig() private readonly config: Config,
    @InjectMetric(MAILS) private readonly attempts: Counter,
  ) {
    for (const outcome of ['sent', 'failed']) attempts.inc({ outcome }, 0);
    if (config.SMTP_URL !== undefined) this.deliver = this.smtpTransport(config.SMTP_URL);
    else if (config.NODE_ENV === 'test' && config.MAIL_DIR === undefined) this.deliver = this.memoryTransport;
    else {
      this.deliver = this.fileTransport(config.MAIL_DIR ?? join(config.DATA_DIR, 'mail'));
      if (config.NODE_ENV === 'production') {
        new Logger(Mailer.name).warn('Mails are not delivered: without SMTP_URL they are written to files');
      }
    }
  }

  /**
   * Sends a mail. The task that sends it retries after a failure.
   * @throws Error, without any address, when the mail was not accepted
   */
  async send(mail: Mail): Promise<void> {
    try {
      await tracing.inSpan({ name: 'send mail', kind: 'client' }, () => this.deliver(mail));
      this.attempts.inc({ outcome: 'sent' });
    } catch (error) {
      this.attempts.inc({ outcome: 'failed' });
      throw withoutRecipients(error);
    }
  }

  onModuleDestroy(): void {
    this.close();
  }

  private smtpTransport(url: string): Deliver {
    const timeouts = {
      connectionTimeout: SMTP_TIMEOUT_MS,
      greetingTimeout: SMTP_TIMEOUT_MS,
      socketTimeout: SMTP_TIMEOUT_MS,
    };
    const open = async () => (await loadNodemailer()).createTransport({ url, ...timeouts });
    let transport: ReturnType<typeof open> | null = null;
    this.close = () => void transport?.then((opened) => opened.close()).catch(() => {});
    return async (mail) => {
      transport ??= open();
      await (await transport).sendMail({ from: this.sender, ...mail });
    };
  }

  /** Writes one `.eml` file per mail. The file is complete from the moment it appears. */
  private fileTransport(folder: string): Deliver {
    const options = { streamTransport: true, buffer: true, newline: 'windows' } as const;
    return async (mail) => {
      const nodemailer = await loadNodemailer();
      const transport = nodemailer.createTransport(options);
      const { message } = await transport.sendMail({ from: this.sender, ...mail });
      await createFolder(folder);
      const file = join(folder, `${newId()}.eml`);
      await writeFile(`${file}.part`, message, { mode: 0o600 });
      await rename(`${file}.part`, file);
    };
  }

  private readonly memoryTransport: Deliver = async (mail) => {
    this.sent.push(mail);
    if (this.sent.length > MAX_IN_MEMORY) this.sent.shift();
  };

  private get sender(): { readonly name: string; readonly address: string } {
    const { MAIL_FROM, PRODUCT_NAME, PUBLIC_URL } = this.config;
    return {
      name: MAIL_FROM?.name ?? PRODUCT_NAME,
      address: MAIL_FROM?.address ?? `no-reply@${new URL(PUBLIC_URL).hostname}`,
    };
  }
}

/** Loads the library with the first mail, because the start needs nothing of it. */
async function loadNodemailer() {
  return (await import('nodemailer')).default;
}

/**
 * Removes addresses from an error, because servers repeat the address they refuse and the error is stored and
 * logged.
 */
function withoutRecipients(error: unknown): Error {
  const { code, responseCode } = error as { code?: unknown; responseCode?: unknown };
  const facts = [code, responseCode].filter((fact) => typeof fact === 'string' || typeof fact === 'number');
  return new Error(`the mail was not accepted (${facts.join(' ') || 'no reason given'})`);
}
