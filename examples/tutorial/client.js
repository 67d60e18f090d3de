// The tutorial's client: on opening it says HelloWorld, and it shows what comes back. It uses the
// runtime's own WebSocket, or the package `ws` where there is none (Node.js before 22).
//
//     node client.js [url]

"use strict";

const Socket = globalThis.WebSocket ?? require("ws");

const websocket = {
  sock: null,

  connect(url) {
    this.sock = new Socket(url);
    this.sock.binaryType = "arraybuffer";
    for (const name of ["open", "message", "close", "error"]) {
      this.sock[`on${name}`] = (event) => this[`on_${name}`](event);
    }
  },

  send_data(data) {
    if (this.sock?.readyState === Socket.OPEN) this.sock.send(data);
  },

  close() {
    this.sock?.close();
    this.sock = null;
  },

  on_open() {
    this.send_data("HelloWorld");
  },

  on_message(event) {
    console.log("#####", event.data);
    this.close();
  },

  on_close(event) {
    console.log("closed", event.code);
  },

  on_error(event) {
    console.error("error", event.message ?? "");
    process.exitCode = 1;
  },
};

websocket.connect(process.argv[2] ?? "ws://localhost:6080/ws");
