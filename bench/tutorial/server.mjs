// The stack that the well-known tutorials build, as they build it: Express, a random code in Redis with a lifetime,
// a limit by address in memory, compare and delete in two steps. It is here to be measured, not to be used.
import crypto from "node:crypto";
import http from "node:http";
import express from "express";
import { rateLimit } from "express-rate-limit";
import Redis from "ioredis";

const [port, redisPort, sink] = process.argv.slice(2);
const redis = new Redis({ host: "127.0.0.1", port: Number(redisPort) });
const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });
const app = express();
app.use(express.json());
app.use(rateLimit({ windowMs: 60_000, limit: 1_000_000_000, standardHeaders: true, legacyHeaders: false }));

function deliver(message) {
  const body = JSON.stringify(message);
  return new Promise((resolve, reject) => {
    const req = http.request(sink, { method: "POST", agent, headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body) } }, (res) => {
      res.resume();
      res.on("end", resolve);
    });
    req.on("error", reject);
    req.end(body);
  });
}

app.get("/readyz", (_req, res) => res.send("ok"));

app.post("/start", async (req, res) => {
  const to = req.body.to;
  if (!/^\+[1-9]\d{6,14}$/.test(to ?? "")) return res.status(400).json({ error: "bad number" });
  const code = crypto.randomInt(0, 1_000_000).toString().padStart(6, "0");
  await redis.set(`otp:${to}`, code, "EX", 300);
  await deliver({ id: to, to, code, text: `${code} is your code.` });
  res.status(201).json({ success: true });
});

app.post("/check", async (req, res) => {
  const { to, code } = req.body;
  const stored = await redis.get(`otp:${to}`);
  if (stored === null || stored !== code) return res.status(422).json({ success: false });
  await redis.del(`otp:${to}`);
  res.json({ success: true });
});

app.listen(Number(port), "127.0.0.1");
