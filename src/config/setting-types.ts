import { Type } from 'typebox';

/** A setting that is one of a few words. */
export const oneOf = <const Values extends readonly string[]>(values: Values, options: object) =>
  Type.Unsafe<Values[number]>({ type: 'string', enum: [...values], ...options });

/** A setting that is on or off. */
export const flag = (byDefault: boolean, description: string) =>
  Type.Boolean({ default: byDefault, description });

/** A whole number between two bounds, both included. */
export const count = (minimum: number, maximum: number, byDefault: number, description: string) =>
  Type.Integer({ minimum, maximum, default: byDefault, description });
