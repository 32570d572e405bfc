import { Injectable } from '@nestjs/common';
import { FlagsRepository } from '../../platform/feature-flags/flags.repository.js';
import { FlagWriter } from './flag.writer.js';

/** Removes erased users from the settings of flags. */
@Injectable()
export class FlagErasureService {
  constructor(
    private readonly repository: FlagsRepository,
    private readonly writer: FlagWriter,
  ) {}

  /** Removes the user from every flag that lists them, within a unit of work. Each change has its event and audit entry. */
  async forgetUser(userId: string): Promise<void> {
    for (const flag of await this.repository.findListingForUpdate(userId)) {
      const allowUserIds = flag.allowUserIds.filter((id) => id !== userId);
      await this.writer.write(flag, { ...flag, allowUserIds });
    }
  }
}
