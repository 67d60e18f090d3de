// Node's socket.io.
import { createServer } from "node:http";
import { Server } from "../peers/node_modules/socket.io/wrapper.mjs";
import { answer } from "./socketio_events.mjs";

const http = createServer();
const io = new Server(http, { perMessageDeflate: false });

answer(io);

http.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () =>
  console.log("LISTENING", http.address().port),
);
