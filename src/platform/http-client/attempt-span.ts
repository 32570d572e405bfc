import { traceContext } from '../../common/context/trace-context.js';
import type { Attributes } from '../telemetry/recorded-span.js';
import { tracing } from '../telemetry/tracing.js';
import type { OutboundOutcome } from './outbound-outcome.js';

/** The parts of a request that its span shows. */
interface Target {
  readonly method: string;
  readonly url: string;
}

const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** Sends a request in a span of its own, which the receiver finds as the parent, if the current trace is recorded. */
export async function inAttemptSpan(
  target: Target,
  send: () => Promise<OutboundOutcome>,
): Promise<OutboundOutcome> {
  const span = tracing
    .active()
    ?.startChild({ name: target.method, kind: 'client', attributes: attributesOf(target) });
  if (!span) return send();
  const outcome = await traceContext.run(span, send);
  if (!outcome.ok) span.end({ failure: outcome.failure });
  else {
    const { status } = outcome;
    span.end({
      attributes: { 'http.response.status_code': status },
      failure: status >= 400 ? String(status) : undefined,
    });
  }
  return outcome;
}

/** The path and the query of a URL may be secret, so the span names only the host. */
function attributesOf({ method, url }: Target): Attributes {
  const parsed = URL.parse(url);
  if (parsed === null) return { 'http.request.method': method };
  const { protocol, hostname, port } = parsed;
  return {
    'http.request.method': method,
    'url.scheme': protocol.slice(0, -1),
    'server.address': hostname,
    'server.port': port === '' ? (DEFAULT_PORTS[protocol] ?? 0) : Number(port),
  };
}
