// A published client against the server of test_node_client.py.
//
//     node client.mjs PACKAGE PORT MODE [PARSER]
//
// Prints one JSON document: for each scenario null if it went well, "n/a" if the client has not got
// what it is about, or else what went wrong.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const [name, port, mode, parserName] = process.argv.slice(2);
const package_ = require(name);
const io = package_.io || package_;
const version = Number(require(`${name}/package.json`).version.split(".")[0]);
const parser = parserName && require(parserName);
const transports = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
}[mode];
const url = `http://127.0.0.1:${port}`;
const NOT_APPLICABLE = Symbol("n/a");

function open(namespace = "/", { auth, ...options } = {}) {
  // Version 2 has no auth; the server takes the namespace's query for it.
  const credentials = version === 2 ? { query: auth } : { auth };
  return io(url + namespace, {
    transports, forceNew: true, reconnection: false, ...(parser && { parser }), ...credentials,
    ...options,
  });
}

function once(socket, event) {
  return new Promise((resolve) => socket.once(event, (...args) => resolve(args)));
}

// Settles once the socket has joined or been refused.
async function joined(socket) {
  const refusals = version === 2 ? ["connect_error", "error"] : ["connect_error"];
  const failed = refusals.map((event) => once(socket, event));
  const outcome = await Promise.race([once(socket, "connect"), ...failed]);
  if (outcome.length) throw outcome[0];
  return socket;
}

async function connected(namespace, options) {
  const socket = await joined(open(namespace, options));
  if (mode === "upgrade" && socket.io.engine.transport.name === "polling") {
    await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
  }
  return socket;
}

function ask(socket, ...args) {
  return new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer[0])));
}

// Binary data as Buffers, whatever the client's transport made of them.
function plain(value) {
  if (Buffer.isBuffer(value)) return value;
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return Buffer.from(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]));
  }
  return value;
}

const VALUES = [
  "text", "", "é € \u{1f600} \u001e\u0000\n\"\\", 0, 1, -2.5, 2 ** 53 - 1, true, false, null, [], {},
  { a: [{ b: "c" }] }, [1, [2, [3, null]]],
  Buffer.from([0, 1, 255]), Buffer.alloc(0), [Buffer.from("x"), "y", Buffer.from("z")],
  { deep: [Buffer.from("x"), { y: Buffer.from("z") }] }, "x".repeat(200000), Buffer.alloc(100000, 7),
];

const scenarios = {
  async "events of every type come back"() {
    const socket = await connected();
    if (parser) VALUES.push(new Date(981173106789));
    for (const value of VALUES) {
      const back = once(socket, "your_echo");
      socket.emit("your_echo", value);
      assert.deepEqual(plain((await back)[0]), value);
    }
    for (const count of [0, 2, 5]) {
      const values = [null, ...VALUES.slice(13, 18)].slice(0, count);
      const back = once(socket, "your_echo");
      socket.emit("your_echo", ...values, "end");
      assert.deepEqual(plain(await back).slice(0, count + 1), [...values, "end"]);
    }
    socket.disconnect();
  },

  async "many at once arrive in order"() {
    const socket = await connected();
    const got = [];
    const done = new Promise((resolve) => {
      socket.on("your_echo", (value) => got.push(value) === 500 && resolve());
    });
    for (let i = 0; i < 500; i++) socket.emit("your_echo", i % 7 ? i : { i, b: Buffer.from([i]) });
    await done;
    assert.deepEqual(got.map((value) => value.i ?? value), [...Array(500).keys()]);
    socket.disconnect();
  },

  async "events while the transport changes"() {
    if (mode !== "upgrade") return NOT_APPLICABLE;
    const socket = await joined(open());
    const got = [];
    let sent = 0;
    await new Promise((resolve) => {
      socket.on("your_echo", (value) => {
        got.push(value.length ?? value.byteLength);
        const changed = socket.io.engine.transport.name === "websocket";
        while (!changed && sent < got.length + 5) socket.emit("your_echo", Buffer.alloc(sent++));
        if (got.length === sent) resolve();
      });
      socket.emit("your_echo", Buffer.alloc(sent++));
    });
    assert.deepEqual(got, [...got.keys()]);
    socket.disconnect();
  },

  async "acknowledgements both ways"() {
    const socket = await connected();
    assert.deepEqual(plain(await ask(socket, "ask", 1, Buffer.from("b"))), {
      args: [1, Buffer.from("b")],
    });
    assert.deepEqual(plain(await ask(socket, "ask", ...VALUES)), { args: VALUES });
    assert.deepEqual(await ask(socket, "ask later", "x"), "x");
    socket.on("question", (a, b, ack) => ack(a + (b.length ?? b.byteLength)));
    assert.equal(await ask(socket, "ask me", 5), 8);
    socket.off("question");
    socket.on("question", (a, b, ack) => ack({ a, b: [Buffer.from(b)] }));
    assert.deepEqual(plain(await ask(socket, "ask me", 5)), { a: 5, b: [Buffer.from("abc")] });
    // The server's patience.
    socket.off("question");
    assert.equal(await ask(socket, "ask me briefly"), "AckTimeout");
    socket.disconnect();
  },

  async "acknowledgements with a time limit"() {
    if (version < 4) return NOT_APPLICABLE;
    const socket = await connected();
    assert.deepEqual(await socket.timeout(10000).emitWithAck("ask later", "x"), "x");
    await assert.rejects(socket.timeout(50).emitWithAck("no answer"));
    assert.equal(await socket.emitWithAck("ask later", 1), 1);
    socket.disconnect();
  },

  async "auth, namespaces and refusals"() {
    const admin = await connected("/admin", { auth: { token: "secret" } });
    assert.equal((await ask(admin, "auth")).token, "secret");
    await assert.rejects(joined(open("/admin")).catch(checkRefusal), /as expected/);
    await assert.rejects(joined(open("/unknown")).catch((error) => {
      assert.equal(error.message ?? error, "Invalid namespace");
      throw new Error("as expected");
    }), /as expected/);
    const room = await connected("/room-5");
    assert.equal(await ask(room, "name"), "/room-5");
    const shared = room.io.socket("/admin", version === 2 ? { query: { token: "secret" } } : {
      auth: { token: "secret" },
    });
    await joined(shared);
    assert.notEqual(shared.id, room.id);
    assert.equal(await ask(room, "name"), "/room-5");
    shared.disconnect();
    assert.equal(await ask(room, "name"), "/room-5");
    for (const socket of [admin, room]) socket.disconnect();
  },

  async "rooms and broadcasts"() {
    const sockets = await Promise.all([connected(), connected(), connected()]);
    await ask(sockets[0], "join", "a");
    await ask(sockets[1], "join", "a");
    const got = sockets.map((socket) => {
      const list = [];
      // With recovery on, an offset follows.
      socket.on("news", (value) => list.push(plain(value)));
      return list;
    });
    const value = { bytes: Buffer.from("broadcast"), text: "é" };
    sockets[0].emit("tell", "a", value);
    sockets[0].emit("tell", "a", 1);
    // Answered after both; what comes to the others after that follows them.
    await ask(sockets[0], "ask");
    await Promise.all(sockets.slice(1).map((socket) => ask(socket, "ask")));
    assert.deepEqual(await ask(sockets[2], "collect", "a"), []);
    assert.deepEqual(got, [[], [value, 1], []]);
    sockets.forEach((socket, at) => socket.on("question", (ack) => ack(at)));
    assert.deepEqual((await ask(sockets[0], "collect all", "a")).sort(), [0, 1]);
    for (const socket of sockets) socket.disconnect();
  },

  async "reasons of disconnection"() {
    for (const [event, reason] of [
      ["leave", "io server disconnect"],
      ["leave all", "io server disconnect"],
      ["drop", "transport close"],
    ]) {
      const socket = await connected();
      const gone = once(socket, "disconnect");
      socket.emit(event);
      assert.equal((await gone)[0], reason);
      socket.disconnect();
    }
    const watcher = await connected();
    const other = await connected();
    let told = once(watcher, "gone");
    other.disconnect();
    assert.match((await told)[0], /^transport close$|^client namespace disconnect$/);
    const third = await connected();
    told = once(watcher, "gone");
    third.io.engine.close();
    assert.match((await told)[0], /^transport close$|^client namespace disconnect$/);
    watcher.disconnect();
  },

  async "reconnection after the server dropped it"() {
    const socket = await connected("/", { reconnection: true, reconnectionDelay: 20 });
    const other = socket.io.socket("/room-1");
    await joined(other);
    const id = socket.id;
    const again = [once(socket, "connect"), once(other, "connect")];
    socket.emit("drop");
    await Promise.all(again);
    // What has not recovered is another socket.
    assert.equal(socket.id === id, Boolean(socket.recovered));
    assert.deepEqual(await ask(socket, "ask later", { again: 1 }), { again: 1 });
    assert.equal(await ask(other, "name"), "/room-1");
    other.disconnect();
    socket.disconnect();
  },

  async "recovery"() {
    if (version < 4) return NOT_APPLICABLE;
    const socket = await connected("/", { reconnection: true, reconnectionDelay: 20 });
    const id = socket.id;
    assert.equal(socket.recovered, false);
    const first = once(socket, "first");
    socket.emit("recover me");
    await first;
    const missed = once(socket, "missed");
    const again = once(socket, "connect");
    socket.io.engine.close();
    await again;
    assert.equal(socket.recovered, true);
    assert.equal(socket.id, id);
    assert.deepEqual((await missed)[0], { while: Buffer.from("away") });
    assert.deepEqual(await ask(socket, "data"), { kept: 1 });
    socket.disconnect();
  },
};

function checkRefusal(error) {
  // Version 2 is given the data instead of the message, if there is any.
  if (version === 2) assert.deepEqual(error, { code: 7 });
  else assert.deepEqual([error.message, error.data], ["not authorized", { code: 7 }]);
  throw new Error("as expected");
}

const PATIENCE = 20000;

function patience() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error("waited in vain")), PATIENCE).unref();
  });
}

const results = {};
for (const [title, run] of Object.entries(scenarios)) {
  try {
    const outcome = await Promise.race([run(), patience()]);
    results[title] = outcome === NOT_APPLICABLE ? "n/a" : null;
  } catch (error) {
    results[title] = String(error.stack ?? JSON.stringify(error));
  }
}
console.log(JSON.stringify(results));
process.exit(0);
