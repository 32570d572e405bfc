import type { Response } from 'express';
import type { Answer } from '../http/answer.js';

/** What a handler adds to an answer that is not sent yet, so that it can be kept, or taken back. */
export class AnswerDraft {
  private readonly before: ReadonlyMap<string, string | string[]>;
  private readonly status: number;

  constructor(private readonly response: Response) {
    this.before = headersOf(response);
    this.status = response.statusCode;
  }

  /** The answer with that value as its body: JSON, or none. */
  finish(value: unknown): Answer {
    const { statusCode: status } = this.response;
    const headers: Record<string, string | string[]> = {};
    for (const [name, header] of headersOf(this.response)) {
      if (String(this.before.get(name)) !== String(header)) headers[name] = header;
    }
    if (value === undefined || value === null) return { status, headers, body: null };
    headers['Content-Type'] = 'application/json; charset=utf-8';
    return { status, headers, body: JSON.stringify(value) };
  }

  /** As if the handler had not run. Nothing when its time was over, and the answer is on its way. */
  takeBack(): void {
    if (this.response.headersSent) return;
    for (const name of this.response.getHeaderNames()) this.response.removeHeader(name);
    for (const [name, header] of this.before) this.response.setHeader(name, header);
    this.response.status(this.status);
  }
}

/** By their names as they were written. */
function headersOf(response: Response): Map<string, string | string[]> {
  const names = (response as Response & { getRawHeaderNames(): string[] }).getRawHeaderNames();
  return new Map(
    names.map((name) => {
      const header = response.getHeader(name) ?? '';
      return [name, typeof header === 'number' ? String(header) : header];
    }),
  );
}
