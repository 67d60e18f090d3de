// The events that both servers of socket.io know.
export function answer(io) {
  io.on("connection", (socket) => {
    socket.on("your_echo", (data) => socket.emit("your_echo", data));
    socket.on("your_coroutine", async (data) => socket.emit("your_coroutine", data));
    socket.on("your_ack", (data, ack) => ack(data));
    socket.on("join", (room, ack) => {
      socket.join(room);
      ack();
    });
    socket.on("broadcast", (data) => io.to("everyone").emit("broadcast", data));
  });
}
