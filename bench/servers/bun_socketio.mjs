// socket.io on Bun's own engine.
import { Server as Engine } from "../peers/node_modules/@socket.io/bun-engine";
import { Server } from "../peers/node_modules/socket.io/wrapper.mjs";
import { answer } from "./socketio_events.mjs";

const io = new Server();
const engine = new Engine({ path: "/socket.io/" });
io.bind(engine);

answer(io);

const server = Bun.serve({ hostname: "127.0.0.1", port: 0, ...engine.handler() });
console.log("LISTENING", server.port);
