import { Injectable, type OnModuleInit } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { AuditTrail } from '../../platform/audit-trail/audit-trail.js';
import { OnDomainEvent } from '../../platform/events/domain-events.js';
import { JobRunner } from '../../platform/jobs/job-runner.js';
import { Jobs } from '../../platform/jobs/jobs.js';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { type Mail, Mailer } from '../../platform/mail/mailer.js';
import { type UserEvent, userEventTypes } from '../users/events/user-events.js';
import { UsersService } from '../users/users.service.js';
import { type MailTemplate, renderMail } from './mail-templates.js';
import { OneTimeTokensRepository, type Purpose } from './one-time-tokens.repository.js';

const SEND = 'mail.send';
const REQUESTED = 'auth.mail-requested';

/** With whom it is for: nothing goes to an account that was erased meanwhile. */
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

/** The mails of accounts: each is a job, written in the transaction of what it is about. */
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
   * Somebody asks for a mail to an address. Whether an account has it is found out by the job, so
   * that the asker learns nothing, from the answer or from how long it takes.
   */
  async request(purpose: Requested['purpose'], email: string): Promise<void> {
    await this.jobs.enqueue(REQUESTED, { purpose, email });
  }

  /**
   * Mails a token for `email`, unless the account was sent enough of them lately. It dies with the session `sessionId`.
   * @returns whether it did
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
    // No name: whoever signs up with a stranger's address would choose words that we mail to it.
    const mail = renderMail(template, user.email, { url: this.config.PUBLIC_URL, ...values });
    await this.jobs.enqueue(SEND, { ...mail, userId: user.id });
  }

  @OnDomainEvent(userEventTypes.created)
  async greet({ userId }: UserEvent): Promise<void> {
    const user = await this.users.findActive(userId);
    if (user) await this.sendToken('verify-email', user, user.email);
  }

  @OnDomainEvent(userEventTypes.passwordChanged)
  async tellOfNewPassword({ userId }: UserEvent): Promise<void> {
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
      // What was asked for before a break dies with it, also while it waits in the queue.
      if (await this.users.hasBrokenSince(user.id, askedAt)) return;
      if (purpose === 'verify-email' && user.emailVerified) return;
      await this.sendToken(purpose, user, user.email);
      if (purpose === 'reset-password') {
        await this.audit.record({ action: 'auth.password_forgot', target: { type: 'user', id: user.id } });
      }
    });
  }
}
