import { Global, Module } from '@nestjs/common';
import { MailTemplates } from './mail-templates.service.js';
import { Mailer } from './mailer.service.js';

@Global()
@Module({ providers: [Mailer, MailTemplates], exports: [Mailer, MailTemplates] })
export class MailModule {}
