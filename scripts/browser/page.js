// The page: calls the echo from inside a browser and reports how each case went.
//
// It is bundled before it is served. Its address says where the echo is: `?plain=URL&secure=URL`
// for the cases, `?refused=URL` for the page of an origin that may not call.
import { create, createFileRegistry, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  FileDescriptorProtoSchema,
  StringValueSchema,
  file_google_protobuf_wrappers as wrappers,
} from "@bufbuild/protobuf/wkt";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcWebTransport } from "@connectrpc/connect-web";
import grpcWeb from "grpc-web";

const TEXT = ".google.protobuf.StringValue";

/** The echo's schema, which its server does without. */
const Echo = createFileRegistry(
  create(FileDescriptorProtoSchema, {
    name: "echo.proto",
    package: "demo",
    syntax: "proto3",
    dependency: ["google/protobuf/wrappers.proto"],
    service: [
      {
        name: "Echo",
        method: [
          { name: "Say", inputType: TEXT, outputType: TEXT },
          { name: "Repeat", inputType: TEXT, outputType: TEXT, serverStreaming: true },
        ],
      },
    ],
  }),
  () => wrappers,
).getService("demo.Echo");

function equal(found, expected) {
  const [left, right] = [JSON.stringify(found), JSON.stringify(expected)];
  if (left !== right) throw new Error(`found ${left}, expected ${right}`);
}

async function failure(promise) {
  const answer = await promise.then(
    (value) => ({ value }),
    (error) => ({ error }),
  );
  if (!answer.error) throw new Error(`it went well: ${JSON.stringify(answer.value)}`);
  return answer.error;
}

/** The cases by @connectrpc/connect-web, which uses fetch. */
function connectCases(base) {
  const client = createClient(Echo, createGrpcWebTransport({ baseUrl: base }));
  const headers = { "x-team": "red", "x-data-bin": "AAEC" };
  const read = (fields) => [fields.get("x-team"), fields.get("x-data-bin")];
  return {
    async unary() {
      equal((await client.say({ value: "hello" })).value, "hello");
    },
    async large() {
      const value = "x".repeat(1_000_000);
      equal((await client.say({ value })).value.length, value.length);
    },
    async stream() {
      const values = [];
      for await (const { value } of client.repeat({ value: "a b c" })) values.push(value);
      equal(values, ["a b c", "a b c", "a b c"]);
    },
    async status() {
      const error = ConnectError.from(await failure(client.say({ value: "fail" })));
      equal([error.code, error.rawMessage], [Code.FailedPrecondition, "asked to fail"]);
      equal(error.details.map((detail) => detail.type).includes("google.rpc.ErrorInfo"), true);
    },
    async panic() {
      const error = ConnectError.from(await failure(client.say({ value: "crash" })));
      equal(error.code, Code.Unknown);
    },
    async metadata() {
      let [head, trailers] = [];
      await client.say(
        { value: "hello" },
        { headers, onHeader: (found) => (head = found), onTrailer: (found) => (trailers = found) },
      );
      equal(read(head), ["red", "AAEC"]);
      equal(read(trailers), ["red", "AAEC"]);
    },
    async refused_metadata() {
      const error = await failure(
        client.say({ value: "hello" }, { headers: { authorization: "Bearer wrong" } }),
      );
      equal(ConnectError.from(error).code, Code.Unauthenticated);
    },
    async deadline() {
      const error = await failure(client.say({ value: "wait" }, { timeoutMs: 300 }));
      equal(ConnectError.from(error).code, Code.DeadlineExceeded);
    },
    async cancel() {
      const controller = new AbortController();
      const call = client.say({ value: "wait" }, { signal: controller.signal });
      setTimeout(() => controller.abort(), 100);
      equal(ConnectError.from(await failure(call)).code, Code.Canceled);
      equal((await client.say({ value: "again" })).value, "again");
    },
  };
}

/** The cases by grpc-web, which uses XMLHttpRequest. */
function grpcWebCases(base, format) {
  const client = new grpcWeb.GrpcWebClientBase({ format });
  const method = (name, type) =>
    new grpcWeb.MethodDescriptor(
      `/demo.Echo/${name}`,
      type,
      Object,
      Object,
      (value) => toBinary(StringValueSchema, create(StringValueSchema, { value })),
      (bytes) => fromBinary(StringValueSchema, bytes).value,
    );
  const say = method("Say", grpcWeb.MethodType.UNARY);
  const repeat = method("Repeat", grpcWeb.MethodType.SERVER_STREAMING);
  const call = (text, metadata = {}) =>
    client.unaryCall(`${base}/demo.Echo/Say`, text, metadata, say);
  const cases = {
    async unary() {
      equal(await call("hello"), "hello");
    },
    async large() {
      equal((await call("x".repeat(1_000_000))).length, 1_000_000);
    },
    async status() {
      const error = await failure(call("fail"));
      equal([error.code, error.message], [9, "asked to fail"]);
    },
    async metadata() {
      const found = { value: null, head: null, trailer: null };
      await new Promise((resolve, reject) => {
        const url = `${base}/demo.Echo/Say`;
        const stream = client.rpcCall(url, "hello", { "x-team": "red" }, say, (error, value) => {
          if (error) reject(error);
          else found.value = value;
        });
        stream.on("metadata", (metadata) => (found.head = metadata["x-team"]));
        stream.on("status", (status) => (found.trailer = status.metadata["x-team"]));
        stream.on("end", resolve);
      });
      equal(found, { value: "hello", head: "red", trailer: "red" });
    },
    async deadline() {
      const error = await failure(call("wait", { deadline: String(Date.now() + 400) }));
      equal(error.code, 4);
    },
  };
  if (format === "text") {
    cases.stream = async () => {
      const url = `${base}/demo.Echo/Repeat`;
      const values = await new Promise((resolve, reject) => {
        const values = [];
        const stream = client.serverStreaming(url, "a b c", {}, repeat);
        stream.on("data", (value) => values.push(value));
        stream.on("error", reject);
        stream.on("end", () => resolve(values));
      });
      equal(values, ["a b c", "a b c", "a b c"]);
    };
  }
  return cases;
}

/** A call as it is on the wire: its answer's bytes, without a library that might mend them. */
async function raw(base, type, body, headers) {
  const answer = await fetch(`${base}/demo.Echo/Say`, {
    method: "POST",
    headers: { "content-type": type, "x-grpc-web": "1", ...headers },
    body,
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { answer, text: String.fromCharCode(...bytes) };
}

/** What the libraries do not show. */
function rawCases(base) {
  const message = new Uint8Array([0, 0, 0, 0, 6, 10, 4, ...new TextEncoder().encode("wait")]);
  return {
    // The library ends a late call by itself: here it is the server that does.
    async deadline_of_the_server() {
      const headers = { "grpc-timeout": "200m" };
      const { answer } = await raw(base, "application/grpc-web+proto", message, headers);
      equal([answer.status, answer.headers.get("grpc-status")], [200, "4"]);
    },
    async unknown_method() {
      const answer = await fetch(`${base}/demo.Echo/Nope`, {
        method: "POST",
        headers: { "content-type": "application/grpc-web" },
        body: message,
      });
      equal([answer.status, answer.headers.get("grpc-status")], [200, "12"]);
    },
    async chunks_of_base64() {
      const text = "AAAAAA" + "cKBWhlbGxv";
      const { answer, text: found } = await raw(base, "application/grpc-web-text", text, {});
      equal(answer.headers.get("content-type"), "application/grpc-web-text");
      const frames = found.match(/[^=]+={0,2}/g).map(atob).join("");
      equal(frames.startsWith("\0\0\0\0\x07\x0a\x05hello\x80"), true);
      equal(frames.includes("grpc-status: 0\r\n"), true);
    },
  };
}

/** A page that may not call is told nothing, whatever the server thought of the call. */
function refusedCases(base) {
  const client = createClient(Echo, createGrpcWebTransport({ baseUrl: base }));
  return {
    async wrong_origin() {
      const error = ConnectError.from(await failure(client.say({ value: "hello" })));
      equal([error.code, error.cause instanceof TypeError], [Code.Unknown, true]);
    },
  };
}

async function run(groups) {
  const results = [];
  for (const [group, cases] of Object.entries(groups)) {
    for (const [name, test] of Object.entries(cases)) {
      let reason = null;
      const late = new Promise((_, reject) =>
        setTimeout(() => reject(new Error("no end after 20 s")), 20_000),
      );
      await Promise.race([test(), late]).catch((error) => (reason = String(error)));
      results.push({ name: `${group}.${name}`, reason });
    }
  }
  return results;
}

function groups(parameters) {
  const refused = parameters.get("refused");
  if (refused) return { plain: refusedCases(refused) };
  const groups = {};
  for (const name of ["plain", "secure"]) {
    const base = parameters.get(name);
    if (!base) continue;
    groups[`${name}.connect`] = connectCases(base);
    groups[`${name}.grpc-web`] = grpcWebCases(base, "binary");
    groups[`${name}.grpc-web-text`] = grpcWebCases(base, "text");
    groups[`${name}.raw`] = rawCases(base);
  }
  return groups;
}

const results = await run(groups(new URLSearchParams(location.search)));
await fetch("/report", { method: "POST", body: JSON.stringify(results) });
