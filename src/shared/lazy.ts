/** A value, or a way to it. */
type Lazy<T> = T | Promise<T> | (() => T) | (() => Promise<T>);

/** The value behind a {@link Lazy}. */
export async function resolve<T>(value: Lazy<T>): Promise<T> {
  return value instanceof Function ? value() : value;
}
