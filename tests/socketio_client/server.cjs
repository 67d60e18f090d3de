// Socket.IO's own server, with the same application as `application` in serving.py, under Node and,
// with the engine made for it, under Bun.
//
//     node server.cjs PORT [msgpack]
//
// Prints its port when it listens; then obeys one command a line, and prints it back when it is done:
//   stop    stop listening and cut all connections
//   start   listen again, on the same port, knowing nobody
//   cut     cut the connections beneath, without a word
//   emit    emit the event `news` to everybody in /
// The end of its input is its own.
"use strict";

const readline = require("node:readline");
const { Server } = require("socket.io");

const parser = process.argv[3] === "msgpack" ? require("socket.io-msgpack-parser") : undefined;
const bun = typeof Bun !== "undefined";

let io;
let server;
const port = Number(process.argv[2]);

function connected(socket) {
  socket.on("echo", (...args) => socket.emit("echo", ...args));
  socket.on("answer", (...args) => args.pop()(...args));
  socket.on("ask", (...args) =>
    socket.emit("question", ...args, (...got) => socket.emit("asked", ...got)));
  socket.on("auth", () => socket.emit("auth", socket.handshake.auth));
  socket.on("join", (room, done) => {
    socket.join(room);
    done();
  });
  socket.on("tell", (room, ...args) => socket.to(room).emit("news", ...args));
  socket.on("kick", () => socket.disconnect());
  socket.on("drop", () => socket.conn.close());
}

function listen(done) {
  if (bun) {
    const { Server: Engine } = require("@socket.io/bun-engine");
    const engine = new Engine({ path: "/socket.io/" });
    io.bind(engine);
    server = Bun.serve({ hostname: "127.0.0.1", port, ...engine.handler() });
    done();
    return;
  }
  server = require("node:http").createServer();
  io.attach(server);
  server.listen(port, "127.0.0.1", done);
}

function start(done) {
  io = new Server({ connectionStateRecovery: {}, serveClient: false, parser });
  for (const name of ["/", "/other", "/closed", /^\/room-\d+$/]) {
    io.of(name).on("connection", connected);
  }
  io.of("/closed").use((socket, next) => {
    if (socket.handshake.auth.token === "open sesame") return next();
    const error = new Error("not for you");
    error.data = { because: "token" };
    next(error);
  });
  listen(done);
}

const commands = {
  stop: (done) => {
    if (bun) server.stop(true).then(done);
    else io.close(done);
  },
  start,
  cut: (done) => {
    for (const client of Object.values(io.engine.clients)) client.transport.socket?._socket?.destroy();
    done();
  },
  emit: (done) => {
    io.emit("news", "of the day");
    done();
  },
};

start(() => console.log(port));
readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => commands[line](() => console.log(JSON.stringify(line))))
  .on("close", () => process.exit(0));
