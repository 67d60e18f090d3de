// Node's Engine.IO server, as the reference: echoes, and closes when it is told "end".
//
// node reference.cjs PACKAGE OPTIONS
//
// Prints its port; ends with its standard input. An origin of {"pattern": ...} is a RegExp.
"use strict";

const http = require("node:http");

const [packageName, json] = process.argv.slice(2);
const options = JSON.parse(json, (_, value) =>
  value && value.pattern ? new RegExp(value.pattern) : value,
);
const engine = require(packageName);

const server = http.createServer((request, response) => response.writeHead(404).end());
const io = engine.attach(server, options);
io.on("connection", (socket) => {
  socket.on("message", (data) => {
    if (data === "end") socket.close();
    else socket.send(data);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
