// Runs a published engine.io-client against a server: messages both ways, then an end.
//
// node client.cjs PACKAGE URL TRANSPORTS END
//   END  "close": the client closes when all has come back; "wait": the server does
//
// Prints one JSON document: what happened.
"use strict";

const [packageName, url, transports, end] = process.argv.slice(2);
const engine = require(packageName);
const Socket = engine.Socket || engine;

const COUNT = 200;
const LARGE = 20000;

const socket = new Socket(url, {
  transports: transports.split(","),
  // As soon as possible, so that messages are under way meanwhile.
  forceBase64: false,
});
const seen = { id: null, transports: [], texts: 0, bytes: 0, order: true, upgraded: false };
let greeted = false;

const message = (number) =>
  number % 10 === 9
    ? Buffer.alloc(number === COUNT - 1 ? LARGE : number, number)
    : `${number}€ line\nbreak \\n`;

const equal = (data, number) => {
  const sent = message(number);
  if (typeof sent === "string") return data === sent;
  return typeof data !== "string" && Buffer.compare(sent, Buffer.from(data)) === 0;
};

socket.binaryType = "arraybuffer";
let next = 0;
let sent = 0;

const finished = () => next === COUNT && (transports !== "polling,websocket" || seen.upgraded);
let ending = false;
const check = () => {
  if (finished() && !ending) {
    ending = true;
    if (end === "close") socket.close();
    else socket.send("end");
  }
};

// Spread over the upgrade.
const pump = () => {
  for (let burst = 0; burst < 5 && sent < COUNT; burst += 1) {
    socket.send(message(sent));
    sent += 1;
  }
  if (sent < COUNT) setTimeout(pump, 4);
};

socket.on("open", () => {
  seen.id = socket.id;
  seen.transports.push(socket.transport.name);
  pump();
});
socket.on("upgrade", (transport) => {
  seen.upgraded = true;
  seen.transports.push(transport.name);
  // Later: who closes it in here waits for ever for the end of this upgrade.
  setImmediate(check);
});
socket.on("message", (data) => {
  if (!greeted) {
    greeted = data === "hi";
    return;
  }
  if (!equal(data, next)) seen.order = false;
  if (typeof data === "string") seen.texts += 1;
  else seen.bytes += 1;
  next += 1;
  check();
});
socket.on("error", (error) => {
  seen.error = String(error.message || error);
});
// The process ends by itself, once the last request has been answered.
socket.on("close", (reason) => {
  console.log(JSON.stringify({ ...seen, greeted, reason }));
});
