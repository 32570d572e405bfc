import type { Response } from 'express';
import type { Answer } from '../http/answers/prepare-answer.js';

/** The changes a handler makes to a response before it is sent, so that they can be stored or undone. */
export class AnswerDraft {
  private readonly before: ReadonlyMap<string, string | string[]>;
  private readonly status: number;

  constructor(private readonly response: Response) {
    this.before = headersOf(response);
    this.status = response.statusCode;
  }

  /** Returns the response with that value as its body: JSON, or none. */
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

  /**
   * Undoes the handler's changes. Does nothing when the request timed out and the response is already being
   * sent.
   */
  discard(): void {
    if (this.response.headersSent) return;
    for (const name of this.response.getHeaderNames()) this.response.removeHeader(name);
    for (const [name, header] of this.before) this.response.setHeader(name, header);
    this.response.status(this.status);
  }
}

/** Returns the headers under their names as they were written. */
function headersOf(response: Response): Map<string, string | string[]> {
  const names = (response as Response & { getRawHeaderNames(): string[] }).getRawHeaderNames();
  return new Map(
    names.map((name) => {
      const header = response.getHeader(name) ?? '';
      return [name, typeof header === 'number' ? String(header) : header];
    }),
  );
}
