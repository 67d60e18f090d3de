// The JavaScript parsers, for reference.py: one request and one answer on each line, as JSON.
// What JSON has not is an object with the key "$" that says what it is.
"use strict";

const parsers = {
  eio4: require("engine.io-parser"),
  eio3: require("engine.io-parser-2"),
  sio5: require("socket.io-parser"),
  sio4: require("socket.io-parser-3"),
  msgpack: require("socket.io-msgpack-parser"),
};

function read(value) {
  if (Array.isArray(value)) return value.map(read);
  if (value === null || typeof value !== "object") return value;
  switch (value.$) {
    case undefined:
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item)]));
    case "undefined":
      return undefined;
    case "bytes":
      return Buffer.from(value.hex, "hex");
    case "arraybuffer":
      return new Uint8Array(Buffer.from(value.hex, "hex")).buffer;
    case "date":
      return new Date(value.ms);
    case "number":
      return Number(value.text);
  }
  throw new Error(`unknown kind ${value.$}`);
}

function write(value) {
  if (value === undefined) return { $: "undefined" };
  if (typeof value === "number" && !Number.isFinite(value)) {
    return { $: "number", text: String(value) };
  }
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return Array.from(value, write);
  if (value instanceof Date) return { $: "date", ms: value.getTime() };
  if (value instanceof ArrayBuffer) value = Buffer.from(value);
  if (ArrayBuffer.isView(value)) return { $: "bytes", hex: Buffer.from(value).toString("hex") };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, write(item)]));
}

// Packets, of which the last may be {type: "error"}.
function taken(take) {
  const packets = [];
  take((packet) => {
    packets.push(packet);
  });
  return packets;
}

function decodeSocketIO(parser, messages) {
  const decoder = new parser.Decoder();
  const packets = [];
  decoder.on("decoded", (packet) => packets.push(packet));
  try {
    for (const message of messages) decoder.add(message);
  } catch (error) {
    packets.push({ error: error.message });
  }
  return packets;
}

const operations = {
  eio4_encode: (packet, binary) => taken((take) => parsers.eio4.encodePacket(packet, binary, take)),
  eio4_decode: (data) => [parsers.eio4.decodePacket(data)],
  eio4_encode_payload: (packets) => taken((take) => parsers.eio4.encodePayload(packets, take)),
  eio4_decode_payload: (text) => parsers.eio4.decodePayload(text),
  eio3_encode: (packet, binary) =>
    taken((take) => parsers.eio3.encodePacket(packet, binary, false, take)),
  eio3_decode: (data) => [parsers.eio3.decodePacket(data, "nodebuffer", false)],
  eio3_encode_payload: (packets, binary) =>
    taken((take) => parsers.eio3.encodePayload(packets, binary, take)),
  eio3_decode_payload: (data) => taken((take) => parsers.eio3.decodePayload(data, "nodebuffer", take)),
  sio5_encode: (packet) => new parsers.sio5.Encoder().encode(packet),
  sio5_decode: (messages) => decodeSocketIO(parsers.sio5, messages),
  sio4_encode: (packet) => {
    let encoded;
    new parsers.sio4.Encoder().encode(packet, (messages) => (encoded = messages));
    return encoded;
  },
  sio4_decode: (messages) => decodeSocketIO(parsers.sio4, messages),
  msgpack_encode: (packet) => new parsers.msgpack.Encoder().encode(packet),
  msgpack_decode: (messages) => decodeSocketIO(parsers.msgpack, messages),
};

require("readline")
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [operation, ...args] = read(JSON.parse(line));
    let answer;
    try {
      answer = { result: write(operations[operation](...args)) };
    } catch (error) {
      answer = { error: String(error) };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  });
