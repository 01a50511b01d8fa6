/**
 * Whole numbers as statements take them: as text, so that a statement is the same one whatever the size of the number.
 */

/** The number without its fraction, from 0 up to what is exact; `otherwise` when there is none. */
export const whole = (value: number | undefined, otherwise: number): string =>
  String(Math.trunc(Math.min(Math.max(value ?? otherwise, 0), Number.MAX_SAFE_INTEGER)) || 0)
