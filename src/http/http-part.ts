import type { AddressInfo } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { createHttpServer, type HttpServerOptions } from './server.ts';
import { serveUpgrades, type UpgradeDoors } from './upgrades.ts';

export interface HttpPartOptions extends Omit<HttpServerOptions, 'publicUrl'> {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Left out: made from host and port once they are known. */
  readonly publicUrl?: string;
  /** Who takes WebSockets, by path. */
  readonly upgrades?: UpgradeDoors;
}

/** The listening server, as a part of the daemon. */
export class HttpPart {
  readonly name = 'http';
  readonly #options: HttpPartOptions;
  #app: FastifyInstance | null = null;
  #url: string | null = null;

  constructor(options: HttpPartOptions) {
    this.#options = options;
  }

  /** Base of every link handed out, without a slash at its end. */
  get publicUrl(): string {
    const { publicUrl, host, port } = this.#options;
    return (publicUrl ?? this.#url ?? urlOf(host, port)).replace(/\/+$/, '');
  }

  async start(): Promise<void> {
    const { host, port, log, upgrades, trustedProxies } = this.#options;
    const app = await createHttpServer({ ...this.#options, publicUrl: () => this.publicUrl });
    serveUpgrades(app.server, upgrades ?? {}, trustedProxies);
    await app.listen({ host, port });
    this.#app = app;
    const address = app.server.address();
    this.#url = urlOf(host, isInfo(address) ? address.port : port);
    log.info({ url: this.#url }, 'http listens');
  }

  /** Lets requests in hand finish; when hurried, cuts them. */
  async stop(hurry: AbortSignal): Promise<void> {
    const app = this.#app;
    if (app === null) return;
    const cut = () => app.server.closeAllConnections();
    if (hurry.aborted) cut();
    else hurry.addEventListener('abort', cut, { once: true });
    try {
      await app.close();
    } finally {
      hurry.removeEventListener('abort', cut);
    }
  }
}

function isInfo(address: string | AddressInfo | null): address is AddressInfo {
  return typeof address === 'object' && address !== null;
}

/** What a person on this machine can open: "every address" is not one. */
function urlOf(host: string, port: number): string {
  const isLocal = ['127.0.0.1', '0.0.0.0', '::', '::1'].includes(host);
  const shown = isLocal ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${shown}:${port}`;
}
