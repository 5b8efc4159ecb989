import { register } from 'node:module';

/** Preloaded by `node --import`: the addon is as if `npm ci` had not been able to build it. */
register(
  `data:text/javascript,${encodeURIComponent(`
    export async function resolve(name, context, next) {
      if (name !== '@discordjs/opus') return next(name, context);
      throw Object.assign(new Error('not installed'), { code: 'ERR_MODULE_NOT_FOUND' });
    }`)}`,
);
