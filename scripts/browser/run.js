// Drives the echo from pages in Chromium, on one engine.
//
// Usage: run.js CHROMIUM ECHO ENGINE CERT KEY. Prints `ok NAME` or `FAILED NAME: reason` for each
// case and exits with 1 if one failed.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";

const [chromium, echo, engine, cert, key] = process.argv.slice(2);

/** No page may take longer, nor a program to start or to end. */
const PATIENCE_MS = 120_000;

function timely(promise, what) {
  const late = new Promise((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`${what}: too late`)), PATIENCE_MS);
    promise.finally(() => clearTimeout(timer)).catch(() => {});
  });
  return Promise.race([promise, late]);
}

let failed = false;

function judge(name, reason) {
  failed ||= Boolean(reason);
  console.log(reason ? `FAILED browser.${engine}.${name}: ${reason}` : `ok browser.${engine}.${name}`);
}

/** Serves the page, and takes the reports of those who have loaded it. */
async function servePage() {
  const bundle = await build({
    entryPoints: ["page.js"],
    bundle: true,
    format: "esm",
    target: "es2022",
    write: false,
    logLevel: "error",
  });
  const reports = [];
  let tell = () => {};
  const server = createServer((request, response) => {
    if (request.url === "/report") {
      let text = "";
      request.on("data", (piece) => (text += piece));
      request.on("end", () => {
        response.end();
        reports.push(JSON.parse(text));
        tell();
      });
    } else if (request.url === "/page.js") {
      response.setHeader("content-type", "text/javascript");
      response.end(bundle.outputFiles[0].contents);
    } else {
      response.setHeader("content-type", "text/html");
      response.end('<!doctype html><script type="module" src="/page.js"></script>');
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const nextReport = async () => {
    while (reports.length === 0) await new Promise((resolve) => (tell = resolve));
    return reports.shift();
  };
  return { port: server.address().port, close: () => server.close(), nextReport };
}

/** Starts the echo, which listens with TLS and without; where, and how to end it. */
async function startEcho(origin) {
  const child = spawn(
    echo,
    [
      ...["--engine", engine, "--shards", "1"],
      ...(origin ? ["--web-origin", origin] : []),
      ...["--listen", "127.0.0.1:0", "--listen-plaintext", "127.0.0.1:0"],
      ...["--tls-cert", cert, "--tls-key", key, "--log", "corespun_tls=trace"],
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  const ended = new Promise((resolve) => child.on("exit", (code) => resolve(code)));
  const listening = new Promise((resolve, reject) => {
    child.on("error", reject);
    child.stderr.on("data", (piece) => {
      log += piece;
      const found = [...log.matchAll(/listening on (\S+) engine=(\S+) .*\n/g)];
      if (found.length === 2) resolve(found);
    });
    ended.then(() => reject(new Error(`the echo has ended: ${log.trim()}`)));
  });
  const found = await timely(listening, "start the echo");
  if (found.some((one) => one[2] !== engine)) throw new Error(`not on ${engine}: ${log}`);
  return {
    secure: `https://${found[0][1]}`,
    plain: `http://${found[1][1]}`,
    log: () => log,
    async stop() {
      child.kill("SIGTERM");
      return timely(ended, "drain the echo");
    },
  };
}

/** Opens a page in a browser of its own, without anything left of earlier ones. */
function browse(url) {
  const profile = mkdtempSync(join(tmpdir(), "corespun-browser-"));
  const child = spawn(
    chromium,
    [
      ...["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
      ...["--disable-dev-shm-usage", "--ignore-certificate-errors"],
      ...[`--user-data-dir=${profile}`, "--remote-debugging-port=0", url],
    ],
    { stdio: "ignore", detached: true },
  );
  const ended = new Promise((resolve) => child.on("exit", resolve));
  const started = new Promise((_, reject) => child.on("error", reject));
  return {
    started,
    async close() {
      // The browser's processes are a group of their own.
      if (child.pid) {
        try {
          process.kill(-child.pid, "SIGKILL");
        } catch {
          // It has ended by itself.
        }
        await ended;
      }
      rmSync(profile, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
    },
  };
}

async function visit(page, url) {
  const browser = browse(url);
  try {
    const report = Promise.race([page.nextReport(), browser.started]);
    for (const { name, reason } of await timely(report, `hear of ${url}`)) judge(name, reason);
  } finally {
    await browser.close();
  }
}

/** A call over TLS from Node, which offers HTTP/1.1 alone: the answer's version and status. */
function callByHttp1(secure) {
  const headers = { "content-type": "application/grpc-web", "content-length": 5 };
  const tls = { ALPNProtocols: ["http/1.1"], rejectUnauthorized: false };
  const options = { method: "POST", headers, agent: false, ...tls };
  const answered = new Promise((resolve, reject) => {
    const call = request(`${secure}/demo.Echo/Say`, options, (answer) => {
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("end", () => {
        const ended = Buffer.concat(pieces).includes("grpc-status: 0\r\n");
        resolve(`${answer.httpVersion} ${answer.statusCode} ${ended}`);
      });
    });
    call.on("error", reject);
    call.end(Buffer.alloc(5));
  });
  return timely(answered, "call by HTTP/1.1 over TLS");
}

const page = await servePage();
try {
  const server = await startEcho(`http://127.0.0.1:${page.port}`);
  const { plain, secure } = server;
  await visit(page, `http://127.0.0.1:${page.port}/?plain=${plain}&secure=${secure}`);
  await visit(page, `http://localhost:${page.port}/?refused=${plain}`);
  const spoken = /alpn=h2/.test(server.log());
  judge("secure.http2", spoken ? null : `no connection spoke HTTP/2: ${server.log()}`);
  const found = await callByHttp1(secure);
  judge("secure.http1", found === "1.1 200 true" ? null : `the answer is ${found}`);
  const code = await server.stop();
  judge("drain", code === 0 ? null : `the echo ended with ${code}`);
  const native = await startEcho(null);
  const refused = await callByHttp1(native.secure).catch(String);
  const isAlert = refused.includes("alert no application protocol");
  judge("secure.off", isAlert ? null : `HTTP/1.1 got ${refused}`);
  await native.stop();
} catch (error) {
  judge("run", String(error));
} finally {
  page.close();
}
process.exit(failed ? 1 : 0);
