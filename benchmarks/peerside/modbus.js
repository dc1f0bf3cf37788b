// Independent Modbus programs on Node: modbus-serial and jsmodbus as clients of our devices and as devices for our bridge.
"use strict";
const net = require("net");
const readline = require("readline");
const path = require("path");

const modules = path.join(__dirname, "..", "..", ".venv-peers", "node", "node_modules");
const ModbusRTU = require(path.join(modules, "modbus-serial"));
const jsmodbus = require(path.join(modules, "jsmodbus"));
const HOST = "127.0.0.1";
const held = { serial: new Map(), js: Buffer.alloc(2 * 65536) };

async function withSerial(port, work) {
  const client = new ModbusRTU();
  await client.connectTCP(HOST, { port });
  client.setID(1);
  client.setTimeout(3000);
  try {
    return await work(client);
  } finally {
    await new Promise((done) => client.close(done));
  }
}

function withJs(port, work) {
  return new Promise((resolve, reject) => {
    const socket = new net.Socket();
    const client = new jsmodbus.client.TCP(socket, 1, 3000);
    socket.on("error", reject);
    socket.on("connect", () => work(client).then(resolve, reject).finally(() => socket.end()));
    socket.connect({ host: HOST, port });
  });
}

const refusal = (problem) => ({ refused: problem.modbusCode ?? problem.response?.body?.code ?? String(problem.err ?? problem) });

const questions = {
  async serial_read({ port, address, count }) {
    return withSerial(port, async (c) => (await c.readHoldingRegisters(address, count)).data).catch(refusal);
  },
  async serial_write({ port, address, words }) {
    return withSerial(port, async (c) => {
      await (words.length === 1 ? c.writeRegister(address, words[0]) : c.writeRegisters(address, words));
      return true;
    }).catch(refusal);
  },
  async js_read({ port, address, count }) {
    return withJs(port, async (c) => (await c.readHoldingRegisters(address, count)).response.body.valuesAsArray).catch(refusal);
  },
  async js_write({ port, address, words }) {
    return withJs(port, async (c) => {
      await (words.length === 1 ? c.writeSingleRegister(address, words[0]) : c.writeMultipleRegisters(address, words));
      return true;
    }).catch(refusal);
  },
  // several requests at once: the library sends them without waiting for the answers
  async js_pipelined({ port, addresses }) {
    return withJs(port, (c) => Promise.all(addresses.map(async (a) => (await c.readHoldingRegisters(a, 1)).response.body.valuesAsArray[0])));
  },
  async serial_device({ words }) {
    for (const [address, word] of Object.entries(words)) held.serial.set(Number(address), word);
    const vector = {
      getHoldingRegister: (address) => held.serial.get(address) ?? 0,
      setRegister: (address, value) => void held.serial.set(address, value),
    };
    const port = await freePort();
    const server = new ModbusRTU.ServerTCP(vector, { host: HOST, port, unitID: 1 });
    await new Promise((done) => server.on("initialized", done));
    return port;
  },
  async js_device({ words }) {
    for (const [address, word] of Object.entries(words)) held.js.writeUInt16BE(word, 2 * Number(address));
    const socket = net.createServer();
    new jsmodbus.server.TCP(socket, { holding: held.js });
    await new Promise((done) => socket.listen(0, HOST, done));
    return socket.address().port;
  },
  async serial_held({ address }) {
    return held.serial.get(address) ?? 0;
  },
  async js_held({ address }) {
    return held.js.readUInt16BE(2 * address);
  },
};

function freePort() {
  return new Promise((resolve) => {
    const probe = net.createServer().listen(0, HOST, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}

const say = (answer) => process.stdout.write(JSON.stringify(answer) + "\n");
console.log = console.error; // answers stay alone on standard output
readline
  .createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const { ask, values } = JSON.parse(line);
    const start = performance.now();
    try {
      const result = await questions[ask](values);
      say({ result, seconds: (performance.now() - start) / 1000 });
    } catch (problem) {
      say({ error: String(problem.stack ?? problem) });
    }
  })
  .on("close", () => process.exit(0));
