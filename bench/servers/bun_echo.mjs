// Bun's server (uWebSockets), without compression and idle timeout.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    if (server.upgrade(request)) return;
    return new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    message(ws, message) {
      ws.send(message);
    },
  },
});

console.log("LISTENING", server.port);
