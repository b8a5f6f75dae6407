/** Yields results in the items' order, `limit` at a time. After an error it only waits for what runs. */
export async function* mapInOrder<Item, Result>(
  items: AsyncIterable<Item>,
  limit: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const running: Promise<PromiseSettledResult<Result>>[] = [];
  const next = async (): Promise<Result | undefined> => {
    const settled = await running.shift();
    if (settled?.status === "rejected") throw settled.reason;
    return settled?.value;
  };
  try {
    for await (const item of items) {
      running.push(Promise.allSettled([work(item)]).then(([settled]) => settled));
      if (running.length < limit) continue;
      const result = await next();
      if (result !== undefined) yield result;
    }
    while (running.length > 0) {
      const result = await next();
      if (result !== undefined) yield result;
    }
  } finally {
    await Promise.all(running);
  }
}
