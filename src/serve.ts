import { announce } from './banner.js';
import { createApp } from './bootstrap.js';
import { Erasures } from './modules/users/erasures.js';
import { FirstAdministrator } from './modules/users/first-administrator.js';
import { migrate } from './platform/database/migrate.js';
import type { OpenDatabase } from './platform/database/open-database.js';
import { adaptedToPooler } from './platform/database/pooler.js';
import { warnOfUnverifiedServers } from './platform/database/server-identity.js';
import { logWhatNobodyCaught } from './platform/lifecycle/last-resort.js';
import { Lifecycle } from './platform/lifecycle/lifecycle.js';
import { passOnProcessWarnings } from './platform/lifecycle/process-warnings.js';
import { stopOnSignals } from './platform/lifecycle/shutdown.js';
import { releaseStartMemory } from './platform/lifecycle/start-memory.js';
import { startWarnings } from './platform/logging/start-log.js';
import { ServiceLogger } from './platform/logging/service-logger.js';

/** From a database that is open to a service that answers; `onServing` when it can stop in order. */
export async function serve(database: OpenDatabase, onServing: () => void): Promise<void> {
  const { close, embedded } = database;
  const warn = startWarnings(database.config);
  passOnProcessWarnings(warn);
  if (database.config.NODE_ENV === 'production' && !embedded) warnOfUnverifiedServers(database.config, warn);
  await migrate(database.config, warn);
  const config = embedded ? database.config : await adaptedToPooler(database.config, warn);
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
    announce({ config, address: await app.getUrl(), administrator });
  } catch (error) {
    // Its connections must be gone before the embedded server stops.
    await app.close();
    throw error;
  }
}
