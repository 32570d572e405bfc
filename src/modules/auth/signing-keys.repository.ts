import { Injectable } from '@nestjs/common';
import { UnitOfWork } from '../../platform/database/unit-of-work.js';
import { SigningKey } from './signing-key.entity.js';

@Injectable()
export class SigningKeysRepository {
  constructor(private readonly unitOfWork: UnitOfWork) {}

  /** Newest first. */
  findAll(): Promise<SigningKey[]> {
    return this.keys.find({ order: { createdAt: 'DESC', kid: 'ASC' } });
  }

  /** Instances that start at once make one key between them: the table is locked until the commit. */
  async lock(): Promise<void> {
    await this.keys.query('LOCK TABLE signing_keys IN SHARE ROW EXCLUSIVE MODE');
  }

  async insert(key: Omit<SigningKey, 'createdAt'>): Promise<void> {
    await this.keys.createQueryBuilder().insert().values(key).execute();
  }

  private get keys() {
    return this.unitOfWork.manager.getRepository(SigningKey);
  }
}
