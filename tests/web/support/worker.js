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
  worker.onmessage = ({ data: [message, answer, ...buffers] }) => {
    if (message === 'Ready') return listens();
    const [[kind, body]] = Object.entries(message);
    if (kind === 'Notice') notices.push(body.text);
    if (kind === 'Progress') progress.push(body.progress);
    if (kind === 'Panic') fail(body.text);
    const asked = waiting.get(body.id);
    if (kind === 'Done') asked?.done({ answer, buffers });
    if (kind === 'Failed') asked?.fail(new Error(body.failure.Error ?? JSON.stringify(body.failure)));
    if (kind === 'Done' || kind === 'Failed') waiting.delete(body.id);
    return undefined;
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
        worker.postMessage([{ Ask: { id, request } }, ...buffers], buffers);
      });
    },
    cancel: (id) => worker.postMessage([{ Cancel: { id } }]),
  };
};
