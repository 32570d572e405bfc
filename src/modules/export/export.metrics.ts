import { Injectable } from '@nestjs/common';
import { InjectMetric, makeCounterProvider, makeGaugeProvider } from '@willsoto/nestjs-prometheus';
import { Counter, Gauge } from 'prom-client';

const OPEN = 'exports_open';
const STARTED = 'exports_started_total';
const ROWS = 'export_rows_total';
const KINDS = ['users', 'audit'] as const;

/** Counts the exports of this instance and what they send. */
@Injectable()
export class ExportMetrics {
  constructor(
    @InjectMetric(OPEN) private readonly open: Gauge,
    @InjectMetric(STARTED) private readonly starts: Counter,
    @InjectMetric(ROWS) private readonly rows: Counter,
  ) {
    for (const kind of KINDS) for (const start of ['new', 'resumed']) starts.inc({ kind, start }, 0);
  }

  showOpen(exports: number): void {
    this.open.set(exports);
  }

  started(kind: (typeof KINDS)[number], start: 'new' | 'resumed'): void {
    this.starts.inc({ kind, start });
  }

  sent(rows: number): void {
    this.rows.inc(rows);
  }
}

export const exportMetrics = [
  ExportMetrics,
  makeGaugeProvider({ name: OPEN, help: 'Exports that this instance is sending' }),
  makeCounterProvider({
    name: STARTED,
    help: 'Exports that began, or went on after a break',
    labelNames: ['kind', 'start'],
  }),
  makeCounterProvider({ name: ROWS, help: 'Rows sent by exports' }),
];
