export interface CookieOptions {
  readonly maxAgeSeconds: number;
  readonly path: string;
  /** Only over https: set it whenever our own address is one. */
  readonly isSecure: boolean;
}

/** The last value of that name, null when there is none. */
export function cookieIn(header: string | undefined, name: string): string | null {
  const found = (header ?? '')
    .split(';')
    .map((pair) => pair.trim())
    .findLast((pair) => pair.startsWith(`${name}=`));
  return found === undefined ? null : found.slice(name.length + 1);
}

/** A cookie that scripts cannot read and other sites cannot send. Value: letters and digits. */
export function setCookie(name: string, value: string, options: CookieOptions): string {
  const { maxAgeSeconds, path, isSecure } = options;
  const parts = [`${name}=${value}`, `Max-Age=${maxAgeSeconds}`, `Path=${path}`];
  return [...parts, 'HttpOnly', 'SameSite=Strict', ...(isSecure ? ['Secure'] : [])].join('; ');
}
