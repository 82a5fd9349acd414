// Prints the events of a stream, one JSON line each. By default it reads as the standard says; each
// word on the command line after the address is a mistake that released readers have made.
const [url, ...mistakes] = process.argv.slice(2);
const has = (mistake) => mistakes.includes(mistake);

const response = await fetch(url);
if (!response.ok) {
  console.error(`error: status ${response.status}`);
  process.exit(1);
}
const shared = new TextDecoder("utf-8", { ignoreBOM: has("bom") });
let pending = "";
let skipLineFeed = false;
let data = [];
let type = "";

function line(text) {
  if (text === "") {
    if (data.length > 0) console.log(JSON.stringify({ type: type || "message", data: data.join("\n") }));
    data = [];
    type = "";
    return;
  }
  const colon = text.indexOf(":");
  const name = colon < 0 ? text : text.slice(0, colon);
  const value = colon < 0 ? "" : text.slice(colon + 1).replace(/^ /, "");
  if (name === "data") data.push(value);
  if (name === "event") type = value;
}

function feed(text) {
  if (text === "") return;
  pending += skipLineFeed && text.startsWith("\n") && !has("crlf") ? text.slice(1) : text;
  skipLineFeed = false;
  // A loop that waits for more at a trailing CR never gets on.
  while (has("hang") && pending.endsWith("\r")) pending = pending.slice();
  if (has("early")) {
    // `split` leaves an empty string behind a line end that ends the chunk.
    const lines = pending.split(/\r\n|\r|\n/);
    pending = /[\r\n]$/.test(pending) ? "" : lines.pop();
    lines.forEach(line);
    return;
  }
  for (;;) {
    const found = /\r\n|\r|\n/.exec(pending);
    if (found === null) return;
    const rest = pending.slice(found.index + found[0].length);
    if (found[0] === "\r" && rest === "") skipLineFeed = true;
    const text = pending.slice(0, found.index);
    pending = rest;
    line(text);
  }
}

for await (const chunk of response.body) {
  feed(has("utf8") ? new TextDecoder().decode(chunk) : shared.decode(chunk, { stream: true }));
}
