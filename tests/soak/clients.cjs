// The published JavaScript clients in the soak run: node clients.cjs PORT RECOVERING_PORT SECONDS.
// See checker.py for what is counted and checked.
const { isDeepStrictEqual } = require("node:util");
const { Socket: EngineSocket } = require("engine.io-client");
const libraries = {
  4: require("socket.io-client").io,
  3: require("socket.io-client-3").io,
  2: require("socket.io-client-2"),
};

const [port, recovering, seconds] = process.argv.slice(2);
const PATIENCE = 30000;
const ROOMS = 4;
const MODES = {
  polling: ["polling"],
  websocket: ["websocket"],
  upgrade: ["polling", "websocket"],
};
const until = Date.now() + seconds * 1000;
const counts = {};
const failures = [];

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const pause = () => sleep(Math.random() * 200);
const upTo = (most) => 1 + Math.floor(Math.random() * most);

function count(kind, what) {
  counts[kind] ??= {};
  counts[kind][what] = (counts[kind][what] ?? 0) + 1;
}

function fail(kind, what) {
  if (failures.length < 20) failures.push(`${kind}: ${what}`);
}

function payload(number) {
  const kinds = [
    () => `text ${number}`,
    () => ({ a: [number, "é\u{1f600}"], b: null }),
    () => Buffer.alloc(number % 300, number % 256),
    () => "x".repeat(20000),
    () => ({ deep: [Buffer.from(String(number)), { y: Buffer.alloc(10) }] }),
    () => [1.5, true, "\u001e\u2028"],
    () => Buffer.alloc(70000),
  ];
  return kinds[number % kinds.length]();
}

class Checker {
  constructor(kind) {
    this.kind = kind;
    this.wake = () => {};
    this.begin(false);
  }

  begin(recovered) {
    if (!recovered) {
      this.next = 0;
      this.answers = 0;
      this.seqs = [];
      this.asks = [];
      this.ticks = {};
    }
    this.mark = this.next;
    this.dropped = false;
    this.wake();
  }

  drop() {
    this.dropped = true;
    this.wake();
  }

  send(queue) {
    queue.push(this.next);
    count(this.kind, "events");
    return this.next++;
  }

  answered(answer, number, data) {
    if (answer !== this.answers) {
      fail(this.kind, `answer ${answer} came instead of ${this.answers}`);
    }
    this.answers = answer + 1;
    this.check(this.seqs, number, data);
  }

  acknowledged(number, data) {
    count(this.kind, "acks");
    this.check(this.asks, number, data);
  }

  check(queue, number, data) {
    while (queue.length && queue[0] < Math.min(number, this.mark)) queue.shift();
    if (queue[0] !== number) fail(this.kind, `${number} came, ${queue.slice(0, 3)} was to come`);
    else queue.shift();
    if (!isDeepStrictEqual(data, payload(number))) {
      fail(this.kind, `${number} came back as ${JSON.stringify(data)?.slice(0, 80)}`);
    }
    this.wake();
  }

  ticked(room, number) {
    const expected = this.ticks[room] ?? number;
    if (number !== expected) {
      fail(this.kind, `tick ${number} of ${room} instead of ${expected}`);
    }
    this.ticks[room] = number + 1;
    count(this.kind, "ticks");
  }

  // Waits until a condition holds; whether it did in time.
  async wait(condition) {
    const deadline = Date.now() + PATIENCE;
    while (!condition()) {
      const left = deadline - Date.now();
      if (left <= 0) return false;
      let timer;
      await new Promise((resolve) => {
        this.wake = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
      this.wake = () => {};
    }
    return true;
  }

  async settled() {
    const open = (queue) => queue.length && queue.at(-1) >= this.mark;
    const done = await this.wait(() => this.dropped || !(open(this.seqs) || open(this.asks)));
    if (!done) {
      const missing = [...this.seqs, ...this.asks];
      fail(this.kind, `no answer to ${missing.slice(0, 5)} of ${missing.length}`);
      this.dropped = true;
    }
  }
}

async function talk(checker, seq, ask) {
  for (let rounds = upTo(12); rounds; rounds--) {
    for (let burst = upTo(15); burst; burst--) {
      if (checker.dropped) return;
      const asks = ask && Math.random() < 0.3;
      const number = checker.send(asks ? checker.asks : checker.seqs);
      (asks ? ask : seq)(number, payload(number));
    }
    if (Math.random() < 0.5) await checker.settled();
    await pause();
  }
  await checker.settled();
}

async function socketLife(version, mode, recovers) {
  const kind = `socket.io-client ${version} ${mode}${recovers ? " recovery" : ""}`;
  const checker = new Checker(kind);
  const socket = libraries[version](`http://127.0.0.1:${recovers ? recovering : port}`, {
    transports: MODES[mode],
    forceNew: true,
    reconnection: recovers,
    reconnectionDelay: 50,
  });
  let joined = false;
  let refused = false;
  socket.on("connect", () => {
    count(kind, "connections");
    if (socket.recovered) count(kind, "recoveries");
    joined = true;
    checker.begin(Boolean(socket.recovered));
  });
  socket.on("connect_error", () => {
    refused = !recovers;
    checker.wake();
  });
  socket.on("disconnect", (reason) => {
    if (reason !== "io client disconnect") count(kind, "drops");
    joined = false;
    checker.drop();
  });
  socket.on("seq", (...args) => checker.answered(...args));
  socket.on("tick", (...args) => checker.ticked(...args));
  for (let lives = recovers ? 3 : 1; lives; lives--) {
    if (!(await checker.wait(() => joined || refused || (checker.dropped && !recovers)))) {
      fail(kind, "no connection in time");
    }
    if (!joined) break;
    socket.emit("join", `room ${Math.floor(Math.random() * ROOMS)}`, () => {});
    await talk(
      checker,
      (number, data) => socket.emit("seq", number, data),
      (number, data) => socket.emit("ask", number, data, (...got) => checker.acknowledged(...got)),
    );
    if (Math.random() < 0.1 && !checker.dropped) {
      socket.emit("kick");
      await checker.wait(() => checker.dropped);
      break;
    }
  }
  socket.disconnect();
}

async function engineLife(mode) {
  const kind = `engine.io-client ${mode}`;
  const checker = new Checker(kind);
  const socket = new EngineSocket(`http://127.0.0.1:${port}`, { transports: MODES[mode] });
  socket.binaryType = "nodebuffer";
  let joined = false;
  socket.on("open", () => {
    count(kind, "connections");
    joined = true;
    checker.wake();
  });
  socket.on("error", () => {});
  socket.on("close", (reason) => {
    if (reason !== "forced close") count(kind, "drops");
    checker.drop();
  });
  // Numbers are the lengths of binary messages, and in the text of others.
  socket.on("message", (data) => {
    const number = typeof data === "string" ? Number(data.split(" ")[0]) : data.length;
    checker.check(checker.seqs, number, payload(number));
  });
  if (!(await checker.wait(() => joined || checker.dropped))) fail(kind, "no connection in time");
  const message = (number) => (number % 3 ? `${number} ${"é".repeat(number % 500)}` : Buffer.alloc(number));
  if (joined) await talk(checker, (number) => socket.send(message(number)), null);
  socket.close();
}

async function run(life) {
  while (Date.now() < until) {
    await life();
    await pause();
  }
}

const lives = [];
for (const mode of Object.keys(MODES)) {
  for (const version of [4, 4, 3, 2]) lives.push(run(() => socketLife(version, mode, false)));
  lives.push(run(() => socketLife(4, mode, true)));
  lives.push(run(() => engineLife(mode)));
}
process.on("uncaughtException", (error) => {
  // What a client throws of its own when its connection is cut.
  if (!["ECONNRESET", "EPIPE", "ECONNREFUSED"].includes(error.code)) fail("node", error.stack);
});
Promise.all(lives).then(() => {
  console.log(JSON.stringify({ counts, failures }));
  process.exit(failures.length ? 1 : 0);
});
