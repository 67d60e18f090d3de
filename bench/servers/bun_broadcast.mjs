// Bun's own publish: subscribers are kept, and messages framed, by uWebSockets.
const server = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  fetch(request, server) {
    const data = { subscribes: new URL(request.url).pathname === "/subscribe" };
    if (server.upgrade(request, { data })) return;
    return new Response("WebSocket only", { status: 426 });
  },
  websocket: {
    perMessageDeflate: false,
    idleTimeout: 0,
    open(ws) {
      if (ws.data.subscribes) ws.subscribe("everyone");
    },
    message(ws, message) {
      server.publish("everyone", message);
    },
  },
});

console.log("LISTENING", server.port);
