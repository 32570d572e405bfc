import { Injectable, type OnModuleInit } from '@nestjs/common';
import { AppError } from '../../../common/errors/app.error.js';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { AuditLog } from '../../../platform/audit-log/audit-log.service.js';
import { TaskWorker } from '../../../platform/queue/task.worker.js';
import { TaskQueue } from '../../../platform/queue/task.queue.js';
import { UnitOfWork } from '../../../platform/database/transactions/unit-of-work.js';
import { type Mail, Mailer } from '../../../platform/mail/mailer.service.js';
import type { MailTemplateName } from '../../../platform/mail/mail-template.js';
import { MailTemplates } from '../../../platform/mail/mail-templates.service.js';
import type { UserFacts } from '../../users/events/user.event.js';
import { UsersService } from '../../users/users.service.js';
import { OneTimeTokensRepository } from './one-time-tokens.repository.js';
import type { TokenPurpose } from './one-time-token.entity.js';

const SEND_TASK = 'mail.send';
const MAIL_REQUESTED_TASK = 'auth.mail-requested';

type MailLink = 'MAIL_LINK_VERIFY' | 'MAIL_LINK_RESET' | 'MAIL_LINK_INVITE';

/** The variables that may name the page of the front end for a token, in order of preference. */
const LINKS: Readonly<Record<TokenPurpose, readonly MailLink[]>> = {
  'verify-email': ['MAIL_LINK_VERIFY'],
  'change-email': ['MAIL_LINK_VERIFY'],
  'reset-password': ['MAIL_LINK_RESET'],
  'set-password': ['MAIL_LINK_RESET'],
  invitation: ['MAIL_LINK_INVITE', 'MAIL_LINK_RESET'],
};

/** A mail with the user that it is for. A user who was erased meanwhile gets no mail. */
interface UserMail extends Mail {
  readonly userId: string;
}

interface MailRequest {
  readonly purpose: 'verify-email' | 'reset-password';
  readonly email: string;
}

/** The recipient of a mail. */
interface Recipient {
  readonly id: string;
  readonly email: string;
  readonly locale: string;
}

/** Enqueues the mails to users. Each mail is a task that commits together with the change that it reports. */
@Injectable()
export class UserMailsService implements OnModuleInit {
  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly users: UsersService,
    private readonly tokens: OneTimeTokensRepository,
    private readonly queue: TaskQueue,
    private readonly worker: TaskWorker,
    private readonly templates: MailTemplates,
    private readonly mailer: Mailer,
    private readonly unitOfWork: UnitOfWork,
    private readonly audit: AuditLog,
  ) {}

  onModuleInit(): void {
    this.worker.register(SEND_TASK, (mail) => this.deliver(mail as UserMail));
    this.worker.register(MAIL_REQUESTED_TASK, (request, { enqueuedAt }) =>
      this.handleRequest(request as MailRequest, enqueuedAt),
    );
  }

  /**
   * Enqueues a request for a mail to an address. The task looks up the user, so neither the response nor its
   * timing reveals that one exists.
   */
  async enqueueRequest(purpose: MailRequest['purpose'], email: string): Promise<void> {
    await this.queue.enqueue(MAIL_REQUESTED_TASK, { purpose, email });
  }

  /**
   * Mails a token for `email`, unless the user has reached the hourly limit. The token becomes invalid when
   * the session `sessionId` ends.
   * @returns whether the token was mailed
   */
  async sendToken(
    purpose: TokenPurpose,
    user: Recipient,
    email: string,
    sessionId: string | null = null,
  ): Promise<boolean> {
    const token = await this.tokens.issue({ purpose, userId: user.id, email, sessionId });
    if (token === null) return false;
    await this.enqueue(purpose, { ...user, email }, { token, link: this.linkFor(purpose, token) });
    return true;
  }

  /** Returns the refusal for a user who has reached the hourly limit of these mails. */
  async tooMany(purpose: TokenPurpose, userId: string, message: string): Promise<AppError> {
    const seconds = await this.tokens.secondsUntilNext(userId, purpose);
    return new AppError('RATE_LIMITED', { message, headers: { 'Retry-After': String(seconds) } });
  }

  /** Mails a notice, which has no token and no link. */
  async sendNotice(name: MailTemplateName, user: Recipient): Promise<void> {
    await this.enqueue(name, user, { token: null, link: null });
  }

  async sendVerification(user: Recipient): Promise<void> {
    await this.sendToken('verify-email', user, user.email);
  }

  /**
   * Tells the former address that an administrator has changed it, unless the new one reaches the same mailbox. Mails
   * the new one a code to confirm it, unless it is confirmed.
   */
  async notifyEmailChanged(id: string, before: UserFacts | null, after: UserFacts): Promise<void> {
    if (before && before.emailKey !== after.emailKey)
      await this.sendNotice('email-changed', { id, ...before });
    if (!after.emailVerified) await this.sendVerification({ id, ...after });
  }

  async notifyPasswordChanged(userId: string): Promise<void> {
    const user = await this.users.findActive(userId);
    if (user) await this.sendNotice('password-changed', user);
  }

  /**
   * Writes the mail at once, because an instance of an earlier version may send it. The mail omits the user's
   * name. Otherwise anyone could sign up with a stranger's address and choose words that we mail to it.
   */
  private async enqueue(
    name: MailTemplateName,
    { id, email, locale }: Recipient,
    values: { readonly token: string | null; readonly link: string | null },
  ): Promise<void> {
    const { PRODUCT_NAME: product, PUBLIC_URL: url } = this.config;
    const mail = this.templates.write(name, locale, { product, url, ...values });
    await this.queue.enqueue(SEND_TASK, { ...mail, to: email, userId: id });
  }

  private linkFor(purpose: TokenPurpose, token: string): string | null {
    const template = LINKS[purpose].map((name) => this.config[name]).find((link) => link !== undefined);
    return template?.replaceAll('{token}', encodeURIComponent(token)) ?? null;
  }

  private async deliver({ userId, ...mail }: UserMail): Promise<void> {
    if (await this.users.exists(userId)) await this.mailer.send(mail);
  }

  private async handleRequest({ purpose, email }: MailRequest, askedAt: Date): Promise<void> {
    await this.unitOfWork.run(async () => {
      const found = await this.users.findByEmail(email);
      const user = found && (await this.users.lockActive(found.id));
      if (!user || user.emailKey !== found.emailKey) return;
      // A disable, delete or credential change cancels requests made before it, even if they still wait in
      // the queue.
      if (await this.users.hasSecurityBreakSince(user.id, askedAt)) return;
      if (purpose === 'verify-email' && user.emailVerified) return;
      await this.sendToken(purpose, user, user.email);
      if (purpose === 'reset-password') {
        await this.audit.record({ action: 'auth.password_forgot', target: { type: 'user', id: user.id } });
      }
    });
  }
}
