// The tutorial's echo servers, on Node.js with the packages `ws` and `socket.io`: raw WebSocket on
// one port, Socket.IO on another.
//
//     node echo_server.js [port [socket.io port]]       0 takes a free port

"use strict";

const { WebSocketServer } = require("ws");

const [port = 6080, socketioPort = 6081] = process.argv.slice(2).map(Number);

const server = new WebSocketServer({ port });

server.on("listening", () => {
  console.log(`WebSocket on port ${server.address().port}`);
});

server.on("connection", (session) => {
  session.on("error", (error) => console.error(error.message));
  session.on("message", (data, isBinary) => {
    console.log("######", isBinary ? data : data.toString());
    session.send(data, { binary: isBinary });
  });
});

const { Server } = require("socket.io");
const http = require("node:http");

const httpServer = http.createServer();
const io = new Server(httpServer, { cors: { origin: "*" } });

io.on("connection", (socket) => {
  console.log("connect called");
  socket.on("your_echo", (data) => {
    console.log("your_echo", data);
    socket.emit("your_echo", data);
  });
  socket.on("disconnect", () => console.log("disconnect"));
});

httpServer.listen(socketioPort, () => {
  console.log(`Socket.IO on port ${httpServer.address().port}`);
});

process.on("SIGTERM", () => process.exit(0));
