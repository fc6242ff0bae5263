/** A transfer both ways over a link: everything written arrives, both ends close. */
import type { TcpConnection } from '../src/index.ts';
import { B_IP, type Link } from './link.ts';

export interface Result {
  readonly isComplete: boolean;
  readonly client: TcpConnection;
  readonly server: TcpConnection | undefined;
  readonly toServer: Uint8Array;
  readonly toClient: Uint8Array;
}

/** Reads and writes one end in pieces of `piece` bytes; closes when everything is queued. */
class End {
  readonly received: Uint8Array[] = [];
  #at = 0;
  #isClosed = false;
  readonly #data: Uint8Array;
  readonly #piece: number;

  constructor(data: Uint8Array, piece: number) {
    this.#data = data;
    this.#piece = piece;
  }

  pump(connection: TcpConnection): void {
    for (let bytes = connection.read(); bytes.length > 0; bytes = connection.read()) this.received.push(bytes);
    while (this.#at < this.#data.length) {
      const piece = this.#data.subarray(this.#at, this.#at + this.#piece);
      if (!connection.write(piece)) return;
      this.#at += piece.length;
    }
    if (this.#isClosed) return;
    this.#isClosed = true;
    connection.close();
  }

  get all(): Uint8Array {
    const all = new Uint8Array(this.received.reduce((sum, bytes) => sum + bytes.length, 0));
    let at = 0;
    for (const bytes of this.received) {
      all.set(bytes, at);
      at += bytes.length;
    }
    return all;
  }
}

export function transfer(
  link: Link,
  up: Uint8Array,
  down: Uint8Array,
  { piece = 16384, within = 3_600_000 }: { piece?: number; within?: number } = {},
): Result {
  const listener = link.b.tcp.listen(80);
  const client = link.a.tcp.connect(B_IP, 80);
  const clientEnd = new End(up, piece);
  const serverEnd = new End(down, piece);
  let server: TcpConnection | undefined;
  const isComplete = link.run(within, () => {
    server ??= listener.accept();
    clientEnd.pump(client);
    if (server !== undefined) serverEnd.pump(server);
    return client.finished && server?.finished === true;
  });
  return { isComplete, client, server, toServer: serverEnd.all, toClient: clientEnd.all };
}
