import type { Dispatcher } from 'undici';
import { OutboundFailureError, type OutboundResponse } from './outbound-outcome.js';

export type Answer = Pick<OutboundResponse, 'status' | 'headers' | 'body'>;

/** One request on its way through the library, which calls exactly one of `onResponseEnd` and `onResponseError`. */
export class Attempt implements Dispatcher.DispatchHandler {
  private readonly answered = Promise.withResolvers<Answer>();
  private controller: Dispatcher.DispatchController | null = null;
  private failure: OutboundFailureError | null = null;
  private status = 0;
  private headers: Answer['headers'] = {};
  private readonly pieces: Buffer[] = [];
  private size = 0;

  /** @param release is called once the connection may serve another request */
  constructor(
    private readonly maxBytes: number,
    private readonly release: () => void,
  ) {}

  /** The response. Rejects with the reason why none came, or none that is complete. */
  get answer(): Promise<Answer> {
    return this.answered.promise;
  }

  /** Fails the attempt. Closes its connection, because nothing else ends a response that is on its way. */
  end(failure: OutboundFailureError): void {
    this.failure ??= failure;
    this.answered.reject(this.failure);
    this.controller?.abort(this.failure);
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller;
    if (this.failure) controller.abort(this.failure);
  }

  onResponseStart(_: unknown, status: number, headers: Answer['headers']): void {
    this.status = status;
    this.headers = headers;
  }

  onResponseData(_: unknown, piece: Buffer): void {
    this.size += piece.length;
    if (this.size <= this.maxBytes) this.pieces.push(piece);
    else this.end(new OutboundFailureError('too_large', `The response has more than ${this.maxBytes} bytes`));
  }

  onResponseEnd(): void {
    this.release();
    const { status, headers, pieces } = this;
    this.answered.resolve({ status, headers, body: Buffer.concat(pieces) });
  }

  onResponseError(_: unknown, error: Error): void {
    this.release();
    this.answered.reject(error);
  }
}
