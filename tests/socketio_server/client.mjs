// The published client against the server of test_node_client.py: prints what failed, exits 1 then.
import assert from "node:assert/strict";
import { io } from "socket.io-client";

const [port, mode] = process.argv.slice(2);
const transports = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgrade: ["polling", "websocket"],
}[mode];
const url = `http://127.0.0.1:${port}`;

function open(namespace = "/", options = {}) {
  return io(url + namespace, { transports, forceNew: true, reconnection: false, ...options });
}

function once(socket, event) {
  return new Promise((resolve) => socket.once(event, (...args) => resolve(args)));
}

async function connected(namespace, options) {
  const socket = open(namespace, options);
  const failed = once(socket, "connect_error");
  const outcome = await Promise.race([once(socket, "connect"), failed]);
  if (outcome.length) throw outcome[0];
  return socket;
}

const scenarios = {
  async "events of every type come back"() {
    const socket = await connected();
    if (mode === "upgrade" && socket.io.engine.transport.name === "polling") {
      await new Promise((resolve) => socket.io.engine.once("upgrade", resolve));
    }
    const values = [
      "text", "é € \u{1f600} \u001e", 1, -2.5, true, null, [], {}, { a: [{ b: "c" }] },
      Buffer.from([0, 1, 255]), { deep: [Buffer.from("x"), { y: Buffer.from("z") }] },
      "x".repeat(200000), Buffer.alloc(100000, 7),
    ];
    for (const value of values) {
      const back = once(socket, "your_echo");
      socket.emit("your_echo", value);
      assert.deepEqual((await back)[0], value);
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

  async "acknowledgements both ways"() {
    const socket = await connected();
    assert.deepEqual(await socket.emitWithAck("ask", 1, Buffer.from("b")), {
      args: [1, Buffer.from("b")],
    });
    assert.deepEqual(await socket.emitWithAck("ask later", "x"), "x");
    socket.on("question", (a, b, ack) => ack(a + b.length));
    assert.equal(await socket.emitWithAck("ask me", 5), 8);
    await assert.rejects(socket.timeout(50).emitWithAck("no answer"));
    socket.disconnect();
  },

  async "auth, namespaces and refusals"() {
    const admin = await connected("/admin", { auth: { token: "secret" } });
    assert.deepEqual(await admin.emitWithAck("auth"), { token: "secret" });
    await assert.rejects(connected("/admin"), (error) => {
      assert.equal(error.message, "not authorized");
      assert.deepEqual(error.data, { code: 7 });
      return true;
    });
    await assert.rejects(connected("/unknown"), { message: "Invalid namespace" });
    const room = await connected("/room-5");
    assert.equal(await room.emitWithAck("name"), "/room-5");
    const shared = room.io.socket("/admin", { auth: { token: "secret" } });
    await once(shared, "connect");
    assert.notEqual(shared.id, room.id);
    for (const socket of [admin, room, shared]) socket.disconnect();
  },

  async "rooms and broadcasts"() {
    const sockets = await Promise.all([connected(), connected(), connected()]);
    await sockets[0].emitWithAck("join", "a");
    await sockets[1].emitWithAck("join", "a");
    const got = sockets.map((socket) => {
      const list = [];
      // With recovery on, an offset follows.
      socket.on("news", (value) => list.push(value));
      return list;
    });
    sockets[0].emit("tell", "a", { bytes: Buffer.from("broadcast") });
    await Promise.all(sockets.map((socket) => socket.emitWithAck("ask")));
    const answers = await sockets[2].emitWithAck("collect", "a").catch((error) => error);
    assert.deepEqual(answers, []);
    assert.deepEqual(got, [[], [{ bytes: Buffer.from("broadcast") }], []]);
    for (const socket of sockets) socket.disconnect();
  },

  async "reasons of disconnection"() {
    for (const [event, reason] of [
      ["leave", "io server disconnect"],
      ["leave all", "io server disconnect"],
    ]) {
      const socket = await connected();
      const gone = once(socket, "disconnect");
      socket.emit(event);
      assert.equal((await gone)[0], reason);
    }
    const watcher = await connected();
    const other = await connected();
    let told = once(watcher, "gone");
    other.disconnect();
    assert.equal((await told)[0], "client namespace disconnect");
    const third = await connected();
    told = once(watcher, "gone");
    third.io.engine.close();
    assert.match((await told)[0], /^transport close$|^client namespace disconnect$/);
    watcher.disconnect();
  },

  async "recovery"() {
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
    assert.deepEqual(await socket.emitWithAck("data"), { kept: 1 });
    socket.disconnect();
  },
};

let failures = 0;
for (const [name, run] of Object.entries(scenarios)) {
  try {
    await run();
  } catch (error) {
    failures++;
    console.log(`${mode}: ${name}: ${error.stack ?? error}`);
  }
}
process.exit(failures ? 1 : 0);
