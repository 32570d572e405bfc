import { Body, Controller, Get, Put } from '@nestjs/common';
import { ApiOkResponse, ApiTags } from '@nestjs/swagger';
import { Requires } from '../../common/authorization/policy.decorator.js';
import { LogLevelDto } from './dto/log-level.dto.js';
import { LogLevelResponse } from './dto/log-level.response.js';
import { OperationsInfoResponse } from './dto/operations-info.response.js';
import { OperationsService } from './operations.service.js';

@ApiTags('operations')
@Controller('api/operations')
export class OperationsController {
  constructor(private readonly operations: OperationsService) {}

  /** Returns the versions, the instances that live, and the lengths and lags of all queues. */
  @Get('info')
  @Requires('operations:manage')
  @ApiOkResponse({ type: OperationsInfoResponse })
  readOperationsInfo(): Promise<OperationsInfoResponse> {
    return this.operations.readInfo();
  }

  /** Changes the log level of the instance that answers, until it restarts. */
  @Put('log-level')
  @Requires('operations:manage')
  @ApiOkResponse({ type: LogLevelResponse })
  setLogLevel(@Body() { level }: LogLevelDto): Promise<LogLevelResponse> {
    return this.operations.setLogLevel(level);
  }
}
