// Node's `ws`, without compression (its server's default, said aloud).
import { WebSocketServer } from "../peers/node_modules/ws/wrapper.mjs";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  backlog: 4096,
  perMessageDeflate: false,
});

server.on("connection", (ws) => {
  ws.on("error", () => {}); // the load generator closes with RST
  ws.on("message", (data, isBinary) => ws.send(data, { binary: isBinary }));
});

server.on("listening", () => console.log("LISTENING", server.address().port));
