/** One authenticated application connection, as the engine sees it. */
export interface AppPort {
  /** Sends one frame: a leader line and, after CRLF, a SIP message. */
  send(leader: string, message?: Buffer): void;
}

/**
 * Which application takes new requests of which method: a multiset, served round robin.
 * A connection that registers a verb twice gets twice its share, as in drachtio-server.
 */
export class AppRoutes {
  readonly #routes = new Map<string, { readonly apps: AppPort[]; next: number }>();
  readonly #connected = new Set<AppPort>();
  /** Most registrations per verb; more are acknowledged and ignored. */
  static readonly entriesMax = 1000;
  static readonly verbsMax = 100;

  get hasApp(): boolean {
    return this.#connected.size > 0;
  }

  connect(app: AppPort): void {
    this.#connected.add(app);
  }

  add(app: AppPort, verb: string): void {
    let route = this.#routes.get(verb);
    if (route === undefined) {
      if (this.#routes.size >= AppRoutes.verbsMax) return;
      route = { apps: [], next: 0 };
      this.#routes.set(verb, route);
    }
    if (route.apps.length < AppRoutes.entriesMax) route.apps.push(app);
  }

  remove(app: AppPort, verb: string): void {
    const route = this.#routes.get(verb);
    if (route === undefined) return;
    route.apps.splice(0, route.apps.length, ...route.apps.filter((known) => known !== app));
    if (route.apps.length === 0) this.#routes.delete(verb);
  }

  disconnect(app: AppPort): void {
    this.#connected.delete(app);
    for (const verb of this.#routes.keys()) this.remove(app, verb);
  }

  next(method: string): AppPort | undefined {
    const route = this.#routes.get(method.toLowerCase());
    if (route === undefined) return undefined;
    const app = route.apps[route.next % route.apps.length];
    route.next = (route.next + 1) % route.apps.length;
    return app;
  }

  /** Methods that some application takes, in upper case. */
  methods(): string[] {
    return [...this.#routes.keys()]
      .filter((verb) => !verb.includes(':'))
      .map((verb) => verb.toUpperCase());
  }
}
