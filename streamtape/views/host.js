// The outer page: asks streamtape what to do, does it to the page in its frame, and reports.
"use strict";

const control = new URL(".", document.currentScript.src);

/** What the page in the frame sees of this one; see page.js. */
const streamtape = (window.streamtape = {});
let frame = null;

function begin(stream) {
  // What is fetched at the path `stream` is `given` to the page; `early` comes before it fetches.
  Object.assign(streamtape, { stream, given: null, early: [], errors: [], frames: new Set() });
}
begin(null);

function told(error) {
  if (error?.message === undefined) return { message: String(error) };
  return { message: `${error.name}: ${error.message}`, stack: String(error.stack ?? "") };
}
streamtape.failed = (error) => streamtape.errors.push(told(error));

/** Bytes come in Base64, as nothing else in JSON is bytes. */
function made(argument) {
  if (typeof argument?.base64 !== "string") return argument;
  const text = atob(argument.base64);
  return frame.contentWindow.Uint8Array.from(text, (one) => one.charCodeAt(0));
}

/** When the page has done what is due now, and what it had put off until it is drawn next. */
async function settled() {
  if (streamtape.frames.size > 0)
    await new Promise((drawn) => frame.contentWindow.requestAnimationFrame.really(drawn));
  await scheduler.postTask(() => {}, { priority: "background" });
}

streamtape.give = (piece) => {
  if (piece.length === 0) return; // no read is empty
  if (streamtape.given) streamtape.given.feed(piece);
  else streamtape.early.push(piece);
};
streamtape.endStream = () => {
  if (!streamtape.given) throw new Error(`the page has not fetched ${streamtape.stream}`);
  streamtape.given.close();
};

function forget() {
  localStorage.clear();
  sessionStorage.clear();
  for (const cookie of document.cookie.split(";"))
    document.cookie = `${cookie.split("=")[0]}=; max-age=0; path=/`;
}

const commands = {
  async open({ url, stream, size }) {
    commands.close();
    forget();
    begin(stream);
    frame = document.createElement("iframe");
    [frame.width, frame.height] = size;
    const loaded = new Promise((done) => frame.addEventListener("load", done));
    frame.src = url;
    document.body.append(frame);
    await loaded;
    if (frame.contentDocument === null) throw new Error(`${url} could not be loaded`);
    const [{ responseStatus }] = frame.contentWindow.performance.getEntriesByType("navigation");
    if (responseStatus >= 400) {
      const text = frame.contentDocument.body?.textContent.slice(0, 500);
      throw new Error(`${url} came with the status ${responseStatus}: ${text}`);
    }
    await settled();
  },
  async call({ source, args, settle }) {
    const page = frame.contentWindow;
    const value = await page.eval(`(${source}\n)`)(...args.map(made));
    if (settle) await settled();
    return value;
  },
  close() {
    frame?.remove();
    frame = null;
  },
};

async function answer(command) {
  let value = null;
  try {
    value = (await commands[command.do](command)) ?? null;
  } catch (error) {
    streamtape.failed(error);
  }
  return { value, errors: streamtape.errors.splice(0) };
}

async function main() {
  let reply = null;
  for (;;) {
    let body;
    try {
      body = JSON.stringify(reply);
    } catch (error) {
      body = JSON.stringify({ value: null, errors: [told(error)] });
    }
    const response = await fetch(new URL("next", control), { method: "POST", body });
    const command = await response.json();
    reply = command === null ? null : await answer(command);
  }
}
main();
