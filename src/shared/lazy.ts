/** A value, a promise of it, or a function that returns either. */
type Lazy<T> = T | Promise<T> | (() => T) | (() => Promise<T>);

export async function resolve<T>(value: Lazy<T>): Promise<T> {
  return value instanceof Function ? value() : value;
}
