import { announce } from './banner.js';
import { createApp } from './bootstrap.js';
import { Erasures } from './modules/users/erasures.js';
import { FirstAdministrator } from './modules/users/first-administrator.js';
import { migrate } from './platform/database/migrate.js';
import type { OpenDatabase } from './platform/database/open-database.js';
import type { HealthListener } from './platform/health/health-listener.js';
import { Readiness } from './platform/health/readiness.js';
import { logWhatNobodyCaught } from './platform/lifecycle/last-resort.js';
import { Lifecycle } from './platform/lifecycle/lifecycle.js';
import { stopOnSignals } from './platform/lifecycle/shutdown.js';
import { releaseStartMemory } from './platform/lifecycle/start-memory.js';
import { ServiceLogger } from './platform/logging/service-logger.js';
import { MetricsRegistry } from './platform/metrics/metrics-registry.js';

/** From a database that is open to a service that answers; `onServing` when it can stop in order. */
export async function serve(
  { config, close }: OpenDatabase,
  health: HealthListener | null,
  onServing: () => void,
): Promise<void> {
  await migrate(config);
  const app = await createApp(config);
  try {
    await app.init();
    await app.get(Erasures).repeat();
    const administrator = await app.get(FirstAdministrator).ensure();
    // Before anybody can be kept waiting by it.
    releaseStartMemory();
    await app.listen(config.PORT, config.HOST);
    onServing();
    // Until here the log was held back (see createApp); without this it would be for ever.
    app.flushLogs();
    logWhatNobodyCaught(app.get(ServiceLogger));
    stopOnSignals(app, config, close);
    app.get(Lifecycle).serve();
    health?.follow({ readiness: app.get(Readiness), metrics: app.get(MetricsRegistry) });
    announce({ config, address: await app.getUrl(), administrator });
  } catch (error) {
    // Its connections must be gone before the embedded server stops.
    await app.close();
    throw error;
  }
}
