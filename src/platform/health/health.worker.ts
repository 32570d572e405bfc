import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { parentPort, workerData } from 'node:worker_threads';
import { AppError } from '../../common/errors/app.error.js';
import { errorEnvelope } from '../../common/errors/error-body.js';
import { newId } from '../../common/ids.js';
import { EDGE_HEADERS } from '../../common/http/edge-headers.js';
import type { MetricsText } from '../metrics/metrics.registry.js';
import { assertMetricsToken } from '../metrics/metrics-token.js';
import type { FromWorker, ToWorker, WorkerSettings } from './health.listener.js';
import { healthReport, isHealthPath, type HealthState, NOT_STARTED, upIf } from './health-report.js';

/** A main thread that is silent for longer than this is not ready. */
const NOT_READY_AFTER_MS = 3000;
/** A main thread that is silent for longer than this hangs, and a restart helps. */
const DEAD_AFTER_MS = 15_000;
const METRICS_TIMEOUT_MS = 5000;
const HEAD_TIMEOUT_MS = 10_000;
const MAX_CONNECTIONS = 500;
const DOWN = upIf(false);

/** The listener of HEALTH_PORT. It has its own thread, so that it answers however busy the main thread is. */
const settings = workerData as WorkerSettings;
const main = parentPort;
if (!main) throw new Error('the health listener runs in a worker thread');
let state: HealthState = NOT_STARTED;
let heardAt = performance.now();
let metrics: Promise<MetricsText> | null = null;
let onMetrics: (metrics: MetricsText) => void = () => {};

const post = (message: FromWorker): void => main.postMessage(message);

main.on('message', (message: ToWorker) => {
  heardAt = performance.now();
  if (message.kind === 'state') state = message.state;
  else onMetrics(message);
});

const server = createServer(
  { headersTimeout: HEAD_TIMEOUT_MS, requestTimeout: HEAD_TIMEOUT_MS, connectionsCheckingInterval: 1000 },
  (request, response) => void answer(request, response),
);
server.maxConnections = MAX_CONNECTIONS;
server.once('error', (error: NodeJS.ErrnoException) => {
  post({ kind: 'failed', message: error.message });
});
server.listen(settings.port, settings.host, () => post({ kind: 'listening' }));

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const requestId = newId();
  for (const [name, value] of EDGE_HEADERS) response.setHeader(name, value);
  response.setHeader('Cache-Control', 'no-store').setHeader('X-Request-Id', requestId);
  try {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      throw new AppError('METHOD_NOT_ALLOWED', { headers: { Allow: 'GET, HEAD' } });
    }
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    if (path === '/metrics') await answerMetrics(request, response);
    else answerHealth(path, response);
  } catch (error) {
    const known = error instanceof AppError ? error : new AppError('INTERNAL_ERROR');
    for (const [name, value] of Object.entries(known.headers)) response.setHeader(name, value);
    send(response, known.status, JSON.stringify(errorEnvelope(known, requestId)));
  }
}

function answerHealth(path: string, response: ServerResponse): void {
  if (!isHealthPath(path)) throw new AppError('NOT_FOUND');
  const silentMs = performance.now() - heardAt;
  const hangs = silentMs > DEAD_AFTER_MS && path === '/health/live';
  const serving = silentMs > NOT_READY_AFTER_MS ? DOWN : state.serving;
  const report = healthReport(path, { ...state, serving });
  const shown = hangs ? { ...report, status: 'error' } : report;
  send(response, shown.status === 'ok' ? 200 : 503, JSON.stringify(shown));
}

async function answerMetrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
  assertMetricsToken(request.headers.authorization, settings.metricsToken);
  metrics ??= readMetrics().finally(() => (metrics = null));
  const { contentType, text } = await metrics;
  send(response, 200, text, contentType);
}

/** Reads the metrics from the main thread, which has the registry. Concurrent requests share the result. */
function readMetrics(): Promise<MetricsText> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new AppError('OVERLOADED')), METRICS_TIMEOUT_MS);
    onMetrics = (read) => {
      clearTimeout(timer);
      resolve(read);
    };
    post({ kind: 'metrics' });
  });
}

function send(
  response: ServerResponse,
  status: number,
  body: string,
  contentType = 'application/json; charset=utf-8',
): void {
  response.writeHead(status, { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body) });
  response.end(body);
}
