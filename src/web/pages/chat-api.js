/**
 * What the server refused, in words for whoever reads them.
 */
export class Refusal extends Error {
  /**
   * @param {string} code
   * @param {string} message
   * @param {number | null} retryAfterSeconds
   */
  constructor(code, message, retryAfterSeconds) {
    super(message);
    this.code = code;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** @typedef {{ id: string, role: 'user' | 'assistant', content: string }} ChatMessage */
/** @typedef {{ valid: true, require_email: boolean, agent_name: string, message_length_max: number }} ValidLink */
/** @typedef {{ valid: false, reason: string }} InvalidLink */

/** The public chat API, for one link. The session is a cookie that scripts cannot see. */
export class ChatApi {
  /** @param {string} token */
  constructor(token) {
    this.token = token;
  }

  /** @returns {Promise<ValidLink | InvalidLink>} */
  async link() {
    return (await this.#ask('GET', `link/${this.#path}`)).json();
  }

  /** @returns {Promise<{ messages: ChatMessage[], replying: boolean }>} */
  async history() {
    return (await this.#ask('GET', `history/${this.#path}`)).json();
  }

  async startAnew() {
    await this.#ask('DELETE', `session/${this.#path}`);
  }

  /** @param {string} email */
  async requestCode(email) {
    await this.#ask('POST', 'verify/request', { token: this.token, email });
  }

  /**
   * @param {string} email
   * @param {string} code
   */
  async confirmCode(email, code) {
    await this.#ask('POST', 'verify/confirm', { token: this.token, email, code });
  }

  /**
   * Sends a message and gives the events of its reply. Throws `Refusal`.
   * @param {string} message
   * @returns {AsyncGenerator<{ name: string, data: any }>}
   */
  async *send(message) {
    const response = await this.#ask(
      'POST',
      `chat/${this.#path}`,
      { message },
      'text/event-stream',
    );
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true, value: '' };
      if (done) return;
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) {
        const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
        if (name === undefined || data === undefined) continue;
        const event = { name, data: JSON.parse(data) };
        if (name === 'error') throw new Refusal(event.data.code, event.data.detail, null);
        yield event;
      }
    }
  }

  get #path() {
    return encodeURIComponent(this.token);
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {object} [body]
   * @param {string} [accept]
   */
  async #ask(method, path, body, accept = 'application/json') {
    /** @type {Record<string, string>} */
    const headers = { accept };
    if (body !== undefined) headers['content-type'] = 'application/json';
    const payload = body === undefined ? null : JSON.stringify(body);
    const url = `/api/public/${path}`;
    const response = await fetch(url, { method, headers, body: payload, cache: 'no-store' }).catch(
      () => {
        throw new Refusal('OFFLINE', 'No connection. Check your network and try again.', null);
      },
    );
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({}));
    const wait = Number(response.headers.get('retry-after'));
    const message = typeof problem.detail === 'string' ? problem.detail : 'Something went wrong.';
    throw new Refusal(String(problem.code), message, wait > 0 ? wait : null);
  }
}
