// Runs in a page before its own scripts: tells of its errors, and gives it the stream it fetches.
"use strict";
{
  const outer = window.parent.streamtape;
  addEventListener("error", (event) => outer.failed(event.error ?? event.message));
  addEventListener("unhandledrejection", (event) => outer.failed(event.reason));

  // Frames come by the screen's clock: only who asked for one is worth the wait.
  const really = window.requestAnimationFrame.bind(window);
  const cancelReally = window.cancelAnimationFrame.bind(window);
  const frames = outer.frames;
  window.requestAnimationFrame = (callback) => {
    const id = really((time) => {
      frames.delete(id);
      callback(time);
    });
    frames.add(id);
    return id;
  };
  window.requestAnimationFrame.really = really;
  window.cancelAnimationFrame = (id) => {
    frames.delete(id);
    cancelReally(id);
  };

  /** A body each piece of which is one read, as soon as it is given. */
  function given(signal) {
    let stopped = false;
    const body = new ReadableStream({
      start(controller) {
        for (const piece of outer.early.splice(0)) controller.enqueue(piece);
        outer.given = {
          feed(piece) {
            if (!stopped) controller.enqueue(piece);
          },
          close() {
            if (!stopped) controller.close();
            stopped = true;
          },
        };
        signal?.addEventListener("abort", () => {
          stopped = true;
          controller.error(signal.reason);
        });
      },
      cancel() {
        stopped = true;
      },
    });
    return new Response(body, { headers: { "content-type": "text/event-stream" } });
  }

  if (outer.stream !== null) {
    const fetchReally = window.fetch;
    window.fetch = async (resource, options) => {
      const url = new URL(resource?.url ?? resource, document.baseURI);
      if (url.pathname !== outer.stream) return fetchReally(resource, options);
      const signal = options?.signal ?? resource?.signal;
      signal?.throwIfAborted();
      return given(signal);
    };
  }
}
