// Node's `ws` has no broadcast: the loop over clients that its documentation shows.
import { WebSocketServer, WebSocket } from "../peers/node_modules/ws/wrapper.mjs";

const server = new WebSocketServer({
  host: "127.0.0.1",
  port: 0,
  backlog: 4096,
  perMessageDeflate: false,
});
const subscribers = new Set();

server.on("connection", (ws, request) => {
  ws.on("error", () => {}); // the load generator closes with RST
  if (request.url === "/subscribe") {
    subscribers.add(ws);
    ws.on("close", () => subscribers.delete(ws));
  } else {
    ws.on("message", (data, isBinary) => {
      for (const subscriber of subscribers) {
        if (subscriber.readyState === WebSocket.OPEN) subscriber.send(data, { binary: isBinary });
      }
    });
  }
});

server.on("listening", () => console.log("LISTENING", server.address().port));
