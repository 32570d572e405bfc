import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { AuditTrail } from '../../platform/audit-trail/audit-trail.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { Jobs } from '../../platform/jobs/jobs.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { type Mail, Mailer } from '../../platform/mail/mailer.js';
import { UsersService } from '../users/users.service.js';
import { type MailTemplate, renderMail } from './mail-templates.js';
import { OneTimeTokensRepository } from './one-time-tokens.repository.js';
import type { Purpose } from './recovery/one-time-token.entity.js';

const SEND = 'mail.send';
const REQUESTED = 'auth.mail-requested';

/** A mail with the user that it is for. A user who was erased meanwhile gets no mail. */
interface AccountMail extends Mail {
  readonly userId: string;
}

interface Requested {
  readonly purpose: 'verify-email' | 'reset-password';
  readonly email: string;
}

interface Addressee {
  readonly id: string;
  readonly email: string;
}

/** Enqueues the mails to users. Each mail is a task that commits together with the change that it reports. */
@Injectable()
export class AccountMails implements OnModuleInit {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly users: UsersService,
    private readonly tokens: OneTimeTokensRepository,
    private readonly jobs: Jobs,
    private readonly runner: JobRunner,
    private readonly mailer: Mailer,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditTrail,
  ) {}

  onModuleInit(): void {
    this.runner.register(SEND, (mail) => this.deliver(mail as AccountMail));
    this.runner.register(REQUESTED, (request, { enqueuedAt }) =>
      this.answer(request as Requested, enqueuedAt),
    );
  }

  /**
   * Enqueues a request for a mail to an address. The task looks up the user, so neither the response nor its
   * timing reveals that one exists.
   */
  async request(purpose: Requested['purpose'], email: string): Promise<void> {
    await this.jobs.enqueue(REQUESTED, { purpose, email });
  }

  /**
   * Mails a token for `email`, unless the user has reached the hourly limit. The token becomes invalid when
   * the session `sessionId` ends.
   * @returns whether the token was mailed
   */
  async sendToken(
    purpose: Purpose,
    user: Addressee,
    email: string,
    sessionId: string | null = null,
  ): Promise<boolean> {
    const token = await this.tokens.issue({ purpose, userId: user.id, email, sessionId });
    if (token !== null) await this.send(purpose, { ...user, email }, { token });
    return token !== null;
  }

  async send(
    template: MailTemplate,
    user: Addressee,
    values: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    // The mail omits the user's name. Otherwise anyone could sign up with a stranger's address and choose
    // words that we mail to it.
    const mail = renderMail(template, user.email, { url: this.config.PUBLIC_URL, ...values });
    await this.jobs.enqueue(SEND, { ...mail, userId: user.id });
  }

  async greet(userId: string): Promise<void> {
    const user = await this.users.findActive(userId);
    if (user) await this.sendToken('verify-email', user, user.email);
  }

  async tellOfNewPassword(userId: string): Promise<void> {
    const user = await this.users.findActive(userId);
    if (user) await this.send('password-changed', user);
  }

  private async deliver({ userId, ...mail }: AccountMail): Promise<void> {
    if (await this.users.exists(userId)) await this.mailer.send(mail);
  }

  private async answer({ purpose, email }: Requested, askedAt: Date): Promise<void> {
    await this.unitOfWork.run(async () => {
      const found = await this.users.findByEmail(email);
      const user = found && (await this.users.holdActive(found.id));
      if (!user || user.emailKey !== found.emailKey) return;
      // A disable, delete or credential change cancels requests made before it, even if they still wait in
      // the queue.
      if (await this.users.hasBrokenSince(user.id, askedAt)) return;
      if (purpose === 'verify-email' && user.emailVerified) return;
      await this.sendToken(purpose, user, user.email);
      if (purpose === 'reset-password') {
        await this.audit.record({ action: 'auth.password_forgot', target: { type: 'user', id: user.id } });
      }
    });
  }
}
