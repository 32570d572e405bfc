import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { until } from '../app/until.js';

interface WireAttribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string };
}

interface WireSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly status: { readonly code: number };
  readonly attributes: readonly WireAttribute[];
}

interface WireExport {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly WireAttribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly WireSpan[] }[];
  }[];
}

type Values = Readonly<Record<string, string | number>>;

/** A span as the collector gets it. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | null;
  readonly name: string;
  /** 1 internal, 2 server, 3 client, 5 consumer. */
  readonly kind: number;
  readonly failed: boolean;
  readonly attributes: Values;
  readonly resource: Values;
}

const ERROR = 2;
const valuesOf = (attributes: readonly WireAttribute[]): Values =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue ?? Number.NaN)]),
  );

/** A collector on this machine that keeps what it gets by OTLP over HTTP, as JSON. */
export class OtlpReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** The bodies as they came. */
  readonly bodies: string[] = [];
  readonly headers: IncomingHttpHeaders[] = [];
  /** Reads requests and answers none. */
  silent = false;
  private port = 0;

  private constructor(private readonly server: Server) {}

  static async open(): Promise<OtlpReceiver> {
    const server = createServer();
    const receiver = new OtlpReceiver(server);
    server.on('request', (request, response) => {
      const pieces: Buffer[] = [];
      request.on('data', (piece: Buffer) => pieces.push(piece));
      request.on('end', () => {
        const known = request.method === 'POST' && request.url === '/v1/traces';
        if (known) receiver.keep(Buffer.concat(pieces).toString());
        receiver.headers.push(request.headers);
        if (receiver.silent) return;
        response.writeHead(known ? 200 : 404, { 'content-type': 'application/json' }).end('{}');
      });
    });
    await receiver.listen();
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Accepts connections, after `close` on the same port as before. */
  async listen(): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(this.port, '127.0.0.1', resolve));
    this.port = (this.server.address() as AddressInfo).port;
  }

  /** Cuts all connections and refuses new ones. */
  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  spansOf(traceId: string): ReceivedSpan[] {
    return this.spans.filter((span) => span.traceId === traceId);
  }

  /** Waits until the trace has spans of all these names. */
  async holds(traceId: string, names: readonly string[]): Promise<ReceivedSpan[]> {
    const lacking = () => {
      const found = new Set(this.spansOf(traceId).map(({ name }) => name));
      return names.filter((name) => !found.has(name));
    };
    await until(() => lacking().length === 0, 30_000, `spans named ${names.join(', ')}`).catch(
      (error: unknown) => {
        throw new Error(`${String(error)}; missing: ${lacking().join(', ')}`, { cause: error });
      },
    );
    return this.spansOf(traceId);
  }

  private keep(body: string): void {
    this.bodies.push(body);
    for (const { resource, scopeSpans } of (JSON.parse(body) as WireExport).resourceSpans) {
      for (const { spans } of scopeSpans) {
        for (const { traceId, spanId, parentSpanId, name, kind, status, attributes } of spans) {
          this.spans.push({
            traceId,
            spanId,
            parentSpanId: parentSpanId || null,
            name,
            kind,
            failed: status.code === ERROR,
            attributes: valuesOf(attributes),
            resource: valuesOf(resource.attributes),
          });
        }
      }
    }
  }
}
