import { Global, Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { Config } from '../../config/config.js';
import { ConfigModule } from '../../config/config.module.js';
import { AccountKeys } from './account-keys.js';
import { DecoyHashes } from './decoy-hashes.js';
import { KeyedDigest } from './keyed-digest.js';
import { masterKey } from './master-key.js';
import { PasswordHasher } from './password-hasher.js';
import { MASTER_KEY, Sealer } from './sealer.js';
import { UserEncryptionKey } from './user-encryption-key.entity.js';

@Global()
@Module({
  imports: [TypeOrmModule.forFeature([UserEncryptionKey])],
  providers: [
    {
      provide: MASTER_KEY,
      inject: [ConfigModule.token],
      useFactory: (config: Config) => masterKey(config),
    },
    Sealer,
    KeyedDigest,
    DecoyHashes,
    PasswordHasher,
    AccountKeys,
  ],
  exports: [Sealer, KeyedDigest, DecoyHashes, PasswordHasher, AccountKeys],
})
export class CryptoModule {}
