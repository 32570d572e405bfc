import { Injectable, Logger, type OnApplicationBootstrap } from '@nestjs/common';
import type { Config } from '../../../config/config.js';
import { InjectConfig } from '../../../config/config.module.js';
import { SqlRunner } from '../sql.runner.js';

const POWERS = `
  SELECT current_user AS role, r.rolsuper AS superuser,
         (SELECT count(*)::integer FROM pg_class c
          WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
            AND pg_has_role(c.relowner, 'MEMBER')) AS owned
  FROM pg_roles r WHERE r.rolname = current_user`;

interface Powers {
  readonly role: string;
  readonly superuser: boolean;
  readonly owned: number;
}

/**
 * Logs a warning at start, in production, when the service could change tables that it may only append to.
 */
@Injectable()
export class ServiceRoleChecker implements OnApplicationBootstrap {
  private readonly logger = new Logger(ServiceRoleChecker.name);

  constructor(
    @InjectConfig() private readonly config: Config,
    private readonly sql: SqlRunner,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    if (this.config.NODE_ENV !== 'production') return;
    const powers = await this.sql.maybeOne<Powers>(POWERS);
    if (!powers || (!powers.superuser && powers.owned === 0)) return;
    const { role, superuser, owned } = powers;
    this.logger.warn(
      `DATABASE_URL's role "${role}" ${superuser ? 'is a superuser' : `owns ${owned} tables`}: triggers alone keep it from ` +
        'changing the history. Point DATABASE_URL to a role that owns nothing, and MIGRATION_DATABASE_URL to the owner (see docs/operations/database-roles.md)',
    );
  }
}
