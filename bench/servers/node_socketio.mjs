// Node's socket.io.
import { createServer } from "node:http";
import { Server } from "../peers/node_modules/socket.io/wrapper.mjs";

const http = createServer();
const io = new Server(http, { perMessageDeflate: false });

io.on("connection", (socket) => {
  socket.on("your_echo", (data) => socket.emit("your_echo", data));
});

http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () =>
  console.log("LISTENING", http.address().port),
);
