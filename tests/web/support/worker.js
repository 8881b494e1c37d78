// A compute worker asked directly, past the page: what tests and benchmarks use. Runs in the page;
// the messages are those of app/src/protocol.

globalThis.startWorker = (address = './worker_loader.js') => {
  const worker = new Worker(address);
  const waiting = new Map();
  const notices = [];
  const progress = [];
  let last = 0;
  let listens;
  let broken;
  const ready = new Promise((done, fail) => {
    listens = done;
    broken = fail;
  });
  ready.catch(() => {});
  const fail = (text) => {
    broken(new Error(text));
    for (const { fail } of waiting.values()) fail(new Error(text));
    waiting.clear();
  };
  worker.onerror = (event) => fail(event.message || 'the worker did not load');
  worker.onmessage = ({ data: [kind, id, body, ...buffers] }) => {
    if (kind === 'ready') listens();
    if (kind === 'notice') notices.push(body);
    if (kind === 'progress') progress.push(body);
    if (kind === 'panic') fail(body);
    const asked = waiting.get(id);
    if (kind === 'done') asked?.done({ answer: body, buffers });
    if (kind === 'failed') asked?.fail(new Error(body.Error ?? JSON.stringify(body)));
    if (kind === 'done' || kind === 'failed') waiting.delete(id);
  };
  return {
    worker,
    notices,
    progress,
    /** Asks; `buffers` are handed over. Answers `{ answer, buffers }`. */
    async ask(request, buffers = []) {
      await ready;
      last += 1;
      const id = last;
      return new Promise((done, fail) => {
        waiting.set(id, { done, fail });
        worker.postMessage(['ask', id, request, ...buffers], buffers);
      });
    },
    cancel: (id) => worker.postMessage(['cancel', id]),
  };
};
