/** Listening on a port the user asked for. */
import { UsageError } from './error.ts';
import type { Gateway } from './gateway.ts';

/** The port. Throws `UsageError` if it cannot be had. */
export async function listenOrRefuse(gateway: Gateway, port: number): Promise<number> {
  try {
    return await gateway.listen(port);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const why = code === 'EADDRINUSE' ? 'it is in use' : code;
    throw new UsageError(`cannot listen on 127.0.0.1:${port}: ${why}; choose another with --port`);
  }
}
