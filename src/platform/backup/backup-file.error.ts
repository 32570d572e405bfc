/** A fault of a backup file. Its message says what is wrong and contains no secret. */
export class BackupFileError extends Error {
  override readonly name = 'BackupFileError';

  /** @param path the file, if its name already stands in the message */
  constructor(
    message: string,
    private readonly path: string | null = null,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }

  /** Returns the error with the file's name in its message. Any other error stays as it is. */
  static in(path: string, error: unknown): unknown {
    if (!(error instanceof BackupFileError) || error.path !== null) return error;
    return new BackupFileError(`${path} ${error.message}`, path, { cause: error });
  }
}
