import { Injectable } from '@nestjs/common';
import type { Config } from '../../config/config.js';
import { InjectConfig } from '../../config/config.module.js';
import { DEFAULT_LOCALE, findLanguage } from '../../common/locale.js';
import { HtmlTemplate, MailTemplate, type MailTemplateName, type MailValues } from './mail-template.js';
import { loadTemplates, type TemplateFiles } from './read-templates.js';

/** The parts of a mail that come from its template. */
export interface WrittenMail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

/** Writes mails in the language of their recipient, from the shipped templates and those of the operator. */
@Injectable()
export class MailTemplates {
  private readonly files: TemplateFiles;
  /** The languages in which at least one mail exists. */
  readonly languages: readonly string[];

  /** @throws ConfigError when `MAIL_TEMPLATES_DIR` holds anything but valid templates */
  constructor(@InjectConfig() { MAIL_TEMPLATES_DIR }: Config) {
    const { files, languages } = loadTemplates(MAIL_TEMPLATES_DIR);
    this.files = files;
    this.languages = languages;
  }

  /** Writes the mail in the language that fits the locale best, or in English if it has no translation. */
  write(name: MailTemplateName, locale: string, values: MailValues): WrittenMail {
    const written = this.languages.filter((language) => this.files.has(`${language}/${name}.txt`));
    const language = findLanguage(locale, written) ?? DEFAULT_LOCALE;
    const template = new MailTemplate(this.files.get(`${language}/${name}.txt`) ?? '');
    const subject = template.subjectWith(values);
    const own = this.files.get(`${language}/${name}.html`);
    const html =
      own === undefined
        ? new HtmlTemplate(this.files.get('layout.html') ?? '').with(
            { language, subject, product: values.product, url: values.url },
            template.htmlWith(values),
          )
        : new HtmlTemplate(own).with({ language, subject, ...values });
    return { subject, text: template.textWith(values), html };
  }
}
