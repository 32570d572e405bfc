// "Nest as documented": the packages that the service uses, put together as the documentation of each one shows.
//
// Nest (validation, serialization, compression, authentication), TypeORM, passport-jwt, @nestjs/throttler,
// nestjs-pino and @willsoto/nestjs-prometheus. Policies, audit, events, ETags and time limits are not part of it.

import {
  ClassSerializerInterceptor,
  Controller,
  Get,
  Injectable,
  Module,
  NotFoundException,
  Req,
  UseGuards,
  UseInterceptors,
  ValidationPipe,
} from '@nestjs/common';
import { APP_GUARD, NestFactory } from '@nestjs/core';
import { AuthGuard, PassportModule, PassportStrategy } from '@nestjs/passport';
import { SkipThrottle, ThrottlerGuard, ThrottlerModule } from '@nestjs/throttler';
import { InjectRepository, TypeOrmModule } from '@nestjs/typeorm';
import { InjectMetric, makeCounterProvider, PrometheusModule } from '@willsoto/nestjs-prometheus';
import { Exclude } from 'class-transformer';
import compression from 'compression';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Request } from 'express';
import { Logger, LoggerModule } from 'nestjs-pino';
import { ExtractJwt, Strategy } from 'passport-jwt';
import { Counter } from 'prom-client';
import { Column, Entity, PrimaryColumn, Repository } from 'typeorm';

@Entity('users')
class User {
  @PrimaryColumn('uuid')
  id: string;
  @Column('text')
  email: string;
  @Column('text')
  name: string;
  @Column('text')
  locale: string;
  @Exclude()
  @Column('text', { name: 'password_hash', nullable: true })
  passwordHash: string | null;
  @Column('text')
  status: string;
  @Column('text', { array: true })
  roles: string[];
  @Column('boolean', { name: 'email_verified' })
  emailVerified: boolean;
  @Column('integer')
  version: number;
  @Column('timestamptz', { name: 'last_login_at', nullable: true })
  lastLoginAt: Date | null;
  @Column('timestamptz', { name: 'created_at' })
  createdAt: Date;
  @Column('timestamptz', { name: 'updated_at' })
  updatedAt: Date;
}

interface Claims {
  readonly sub: string;
}

@Injectable()
class JwtStrategy extends PassportStrategy(Strategy) {
  constructor() {
    super({
      jwtFromRequest: ExtractJwt.fromAuthHeaderAsBearerToken(),
      ignoreExpiration: false,
      secretOrKey: process.env['JWT_SECRET'] ?? '',
      algorithms: ['HS256'],
    });
  }

  validate(claims: Claims): { userId: string } {
    return { userId: claims.sub };
  }
}

@Injectable()
class JwtAuthGuard extends AuthGuard('jwt') {}

@Injectable()
class UsersService {
  constructor(@InjectRepository(User) private readonly users: Repository<User>) {}

  findOne(id: string): Promise<User | null> {
    return this.users.findOneBy({ id });
  }
}

@Controller()
class AppController {
  constructor(
    private readonly users: UsersService,
    @InjectMetric('me_total') private readonly reads: Counter,
  ) {}

  @Get('ping')
  @SkipThrottle()
  ping(): { status: string } {
    return { status: 'ok' };
  }

  @Get('me')
  @UseGuards(JwtAuthGuard)
  @UseInterceptors(ClassSerializerInterceptor)
  async me(@Req() request: Request & { user: { userId: string } }): Promise<User> {
    this.reads.inc();
    const user = await this.users.findOne(request.user.userId);
    if (user === null) throw new NotFoundException();
    return user;
  }
}

@Module({
  imports: [
    LoggerModule.forRoot(),
    TypeOrmModule.forRoot({
      type: 'postgres',
      url: process.env['DATABASE_URL'] ?? '',
      entities: [User],
      poolSize: 10,
    }),
    TypeOrmModule.forFeature([User]),
    PassportModule,
    // Counts every request of a caller, but is too high to refuse one. The storage reads all hits of the last `ttl`
    // for each request, so a longer one would measure the rate of the benchmark.
    ThrottlerModule.forRoot({
      throttlers: [{ ttl: 1_000, limit: 100_000 }],
      getTracker: ({ headers, ip }) => (headers as Request['headers']).authorization ?? String(ip),
    }),
    PrometheusModule.register(),
  ],
  controllers: [AppController],
  providers: [
    UsersService,
    JwtStrategy,
    makeCounterProvider({ name: 'me_total', help: 'Reads of the own user' }),
    { provide: APP_GUARD, useClass: ThrottlerGuard },
  ],
})
class AppModule {}

const app = await NestFactory.create(AppModule, { bufferLogs: true });
app.useLogger(app.get(Logger));
app.use(compression());
app.useGlobalPipes(new ValidationPipe({ whitelist: true, transform: true }));
app.enableShutdownHooks();
await app.listen(0, '127.0.0.1');
const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
process.stdout.write(`listening on http://127.0.0.1:${port}\n`);
