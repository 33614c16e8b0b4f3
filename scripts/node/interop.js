// gRPC's interoperability cases, played by grpc-js.
//
// Usage: interop.js ADDRESS SCHEMAS PREFIX [AUTHORITY]. SCHEMAS is the folder of the proto files,
// PREFIX is put before the names of the cases. With AUTHORITY, a PEM file, calls go over TLS.
"use strict";

const assert = require("assert/strict");
const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [ADDRESS, SCHEMAS, PREFIX, AUTHORITY] = process.argv.slice(2);
const SECONDS = 30;
const SOAK_CALLS = 20;
const LARGE_REQUEST = 271_828;
const LARGE_RESPONSE = 314_159;
const REQUESTS = [27_182, 8, 1_828, 45_904];
const RESPONSES = [31_415, 9, 2_653, 58_979];
const INITIAL = "x-grpc-test-echo-initial";
const TRAILING = "x-grpc-test-echo-trailing-bin";
const SPECIAL = "\t\ntest with whitespace\r\nand Unicode BMP ☺ and non-BMP 😈\t\n";
const { CANCELLED, DEADLINE_EXCEEDED, INVALID_ARGUMENT, UNIMPLEMENTED, UNKNOWN } = grpc.status;

const files = ["grpc/testing/test.proto", "xds/service/orca/v3/orca.proto"];
const definition = loader.loadSync(files, {
  keepCase: true,
  defaults: true,
  includeDirs: [SCHEMAS],
});
const schema = grpc.loadPackageDefinition(definition);
const { TestService } = schema.grpc.testing;
const { OpenRcaService } = schema.xds.service.orca.v3;
const Report = definition["xds.data.orca.v3.OrcaLoadReport"];

// The certificate has the names of gRPC's own test certificates. Channels of equal settings would
// share a connection.
const OPTIONS = {
  "grpc.use_local_subchannel_pool": 1,
  ...(AUTHORITY && { "grpc.ssl_target_name_override": "foo.test.google.fr" }),
};
const CREDENTIALS = AUTHORITY
  ? grpc.credentials.createSsl(fs.readFileSync(AUTHORITY))
  : grpc.credentials.createInsecure();

function dial(service = TestService, more = {}) {
  return new service(ADDRESS, CREDENTIALS, { ...OPTIONS, ...more });
}

const client = dial();

function soon(millis = SECONDS * 1000) {
  return { deadline: Date.now() + millis };
}

function zeros(size) {
  return { body: Buffer.alloc(size) };
}

function large(more = {}) {
  return { response_size: LARGE_RESPONSE, payload: zeros(LARGE_REQUEST), ...more };
}

function ask(size, payload = 0, more = {}) {
  return { response_parameters: [{ size }], payload: zeros(payload), ...more };
}

function holds(payload, size) {
  assert.ok(payload.body.equals(Buffer.alloc(size)), `${payload.body.length} bytes, not ${size}`);
}

// One unary call: its answer, and the metadata around it.
function unary(request, { through = client, metadata = new grpc.Metadata() } = {}) {
  return new Promise((resolve, reject) => {
    const found = {};
    const call = through.UnaryCall(request, metadata, soon(), (error, answer) => {
      found.answer = answer;
      error ? reject(error) : (found.error = error);
    });
    call.on("metadata", (ahead) => (found.ahead = ahead));
    // The last event of a call, with what came behind its message.
    call.on("status", (status) => resolve({ ...found, behind: status.metadata }));
  });
}

// All answers of a stream, and the metadata around them.
function collect(call) {
  return new Promise((resolve, reject) => {
    const found = { answers: [] };
    call.on("metadata", (ahead) => (found.ahead = ahead));
    call.on("data", (answer) => found.answers.push(answer));
    call.on("error", reject);
    call.on("status", (status) => (found.behind = status.metadata));
    // Behind the status, which does not wait until the last answer was looked at.
    call.on("end", () => resolve(found));
  });
}

// The next answer of a stream.
function next(call) {
  return new Promise((resolve, reject) => {
    call.once("data", resolve);
    call.once("error", reject);
  });
}

function input(requests, through = client) {
  return new Promise((resolve, reject) => {
    const done = (error, answer) => (error ? reject(error) : resolve(answer));
    const call = through.StreamingInputCall(new grpc.Metadata(), soon(), done);
    requests.forEach((request) => call.write(request));
    call.end();
  });
}

async function refused(code, call, text) {
  const error = await call.then(
    () => assert.fail(`answered, not ${grpc.status[code]}`),
    (error) => error,
  );
  assert.equal(error.code, code, String(error));
  if (text !== undefined) assert.equal(error.details, text);
}

function marks() {
  const metadata = new grpc.Metadata();
  metadata.set(INITIAL, "test_initial_metadata_value");
  metadata.set(TRAILING, Buffer.from("ababab", "hex"));
  return metadata;
}

function marked({ ahead, behind }) {
  assert.deepEqual(ahead.get(INITIAL), ["test_initial_metadata_value"]);
  assert.deepEqual(behind.get(TRAILING), [Buffer.from("ababab", "hex")]);
}

function nowhere(path) {
  return new Promise((resolve, reject) => {
    const { requestSerialize: send, responseDeserialize: read } = TestService.service.EmptyCall;
    const done = (error, answer) => (error ? reject(error) : resolve(answer));
    client.makeUnaryRequest(path, send, read, {}, new grpc.Metadata(), soon(), done);
  });
}

// The flag of grpc-js that lets one message of a call go plain.
const NO_COMPRESS = 2;
const packing = { "grpc.default_compression_algorithm": grpc.compressionAlgorithms.gzip };

const CASES = {
  empty_unary() {
    return new Promise((resolve, reject) => {
      client.EmptyCall({}, soon(), (error) => (error ? reject(error) : resolve()));
    });
  },

  async large_unary(through = client) {
    const { answer } = await unary(large(), { through });
    holds(answer.payload, LARGE_RESPONSE);
  },

  async client_streaming() {
    const answer = await input(REQUESTS.map((size) => ({ payload: zeros(size) })));
    assert.equal(answer.aggregated_payload_size, 74_922);
  },

  async server_streaming() {
    const request = { response_parameters: RESPONSES.map((size) => ({ size })) };
    const { answers } = await collect(client.StreamingOutputCall(request, soon()));
    assert.equal(answers.length, RESPONSES.length);
    answers.forEach((answer, at) => holds(answer.payload, RESPONSES[at]));
  },

  async ping_pong() {
    const call = client.FullDuplexCall(soon());
    for (const [at, size] of RESPONSES.entries()) {
      call.write(ask(size, REQUESTS[at]));
      holds((await next(call)).payload, size);
    }
    call.end();
    assert.deepEqual((await collect(call)).answers, []);
  },

  async empty_stream() {
    const call = client.FullDuplexCall(soon());
    call.end();
    assert.deepEqual((await collect(call)).answers, []);
  },

  async custom_metadata() {
    const found = await unary(large(), { metadata: marks() });
    holds(found.answer.payload, LARGE_RESPONSE);
    marked(found);
    const call = client.FullDuplexCall(marks(), soon());
    call.end(ask(LARGE_RESPONSE, LARGE_REQUEST));
    const streamed = await collect(call);
    assert.equal(streamed.answers.length, 1);
    holds(streamed.answers[0].payload, LARGE_RESPONSE);
    marked(streamed);
  },

  async status_code_and_message() {
    const response_status = { code: UNKNOWN, message: "test status message" };
    await refused(UNKNOWN, unary({ response_status }), response_status.message);
    const call = client.FullDuplexCall(soon());
    call.end({ response_status });
    await refused(UNKNOWN, collect(call), response_status.message);
  },

  async special_status_message() {
    const response_status = { code: UNKNOWN, message: SPECIAL };
    await refused(UNKNOWN, unary({ response_status }), SPECIAL);
  },

  async unimplemented_method() {
    await refused(UNIMPLEMENTED, nowhere("/grpc.testing.TestService/UnimplementedCall"));
  },

  async unimplemented_service() {
    const path = "/grpc.testing.UnimplementedService/UnimplementedCall";
    await refused(UNIMPLEMENTED, nowhere(path));
  },

  async cancel_after_begin() {
    const call = new Promise((resolve, reject) => {
      const done = (error, answer) => (error ? reject(error) : resolve(answer));
      client.StreamingInputCall(new grpc.Metadata(), soon(), done).cancel();
    });
    await refused(CANCELLED, call);
  },

  async cancel_after_first_response() {
    const call = client.FullDuplexCall(soon());
    call.write(ask(RESPONSES[0], REQUESTS[0]));
    holds((await next(call)).payload, RESPONSES[0]);
    call.cancel();
    await refused(CANCELLED, collect(call));
  },

  async timeout_on_sleeping_server() {
    const call = client.FullDuplexCall(soon(1));
    call.write({ payload: zeros(REQUESTS[0]) });
    await refused(DEADLINE_EXCEEDED, collect(call));
  },

  async client_compressed_unary() {
    const expecting = (value) => large({ expect_compressed: { value } });
    await refused(INVALID_ARGUMENT, unary(expecting(true)));
    const through = dial(TestService, packing);
    const packed = await unary(expecting(true), { through });
    holds(packed.answer.payload, LARGE_RESPONSE);
    through.close();
    holds((await unary(expecting(false))).answer.payload, LARGE_RESPONSE);
  },

  async server_compressed_unary() {
    for (const value of [true, false]) {
      const { answer } = await unary(large({ response_compressed: { value } }));
      holds(answer.payload, LARGE_RESPONSE);
    }
  },

  async client_compressed_streaming() {
    const counted = (size, value) => ({ payload: zeros(size), expect_compressed: { value } });
    await refused(INVALID_ARGUMENT, input([counted(27_182, true)]));
    const through = dial(TestService, packing);
    const sum = await new Promise((resolve, reject) => {
      const done = (error, answer) => (error ? reject(error) : resolve(answer));
      const call = through.StreamingInputCall(new grpc.Metadata(), soon(), done);
      call.write(counted(27_182, true));
      call.write(counted(45_904, false), NO_COMPRESS);
      call.end();
    });
    assert.equal(sum.aggregated_payload_size, 73_086);
    through.close();
  },

  async server_compressed_streaming() {
    const response_parameters = [
      { size: 31_415, compressed: { value: true } },
      { size: 92_653, compressed: { value: false } },
    ];
    const call = client.StreamingOutputCall({ response_parameters }, soon());
    const { answers } = await collect(call);
    assert.equal(answers.length, 2);
    answers.forEach((answer, at) => holds(answer.payload, response_parameters[at].size));
  },

  async rpc_soak() {
    for (let call = 0; call < SOAK_CALLS; call += 1) await CASES.large_unary();
  },

  async channel_soak() {
    for (let call = 0; call < SOAK_CALLS; call += 1) {
      const through = dial();
      await CASES.large_unary(through);
      through.close();
    }
  },

  async pick_first_unary() {
    const names = new Set();
    for (let call = 0; call < 100; call += 1) {
      const request = { response_size: 1, payload: zeros(1), fill_server_id: true };
      names.add((await unary(request)).answer.server_id);
    }
    assert.ok(names.size === 1 && !names.has(""), [...names].join());
  },

  async orca_per_rpc() {
    const asked = { request_cost: { cost: 3456.32 }, utilization: { util: 0.30499 } };
    const load = { cpu_utilization: 0.821, memory_utilization: 0.5847, ...asked };
    const { behind } = await unary({ orca_per_query_report: load });
    const [found] = behind.get("endpoint-load-metrics-bin").map(Report.deserialize);
    assert.equal(found.cpu_utilization, 0.821);
    assert.equal(found.mem_utilization, 0.5847);
    assert.deepEqual(found.request_cost, asked.request_cost);
    assert.deepEqual(found.utilization, asked.utilization);
  },

  async orca_oob() {
    const watcher = dial(OpenRcaService);
    const reports = watcher.StreamCoreMetrics({}, soon());
    const call = client.FullDuplexCall(soon());
    for (const [cpu_utilization, memory_utilization] of [[0.821, 0.5847], [0.29309, 0.2]]) {
      const utilization = { util: cpu_utilization / 2 };
      const load = { cpu_utilization, memory_utilization, utilization };
      call.write(ask(1, 0, { orca_oob_report: load }));
      holds((await next(call)).payload, 1);
      let found = {};
      while (found.cpu_utilization !== cpu_utilization) found = await next(reports);
      assert.equal(found.mem_utilization, memory_utilization);
      assert.deepEqual(found.utilization, utilization);
    }
    reports.on("error", () => {});
    reports.cancel();
    call.end();
    assert.deepEqual((await collect(call)).answers, []);
    watcher.close();
  },
};

const SKIPPED = {
  cacheable_unary: "takes a cache between client and server, and calls by GET",
};

async function main() {
  let failed = 0;
  for (const [name, reason] of Object.entries(SKIPPED)) {
    console.log(`SKIPPED ${PREFIX}${name}: ${reason}`);
  }
  for (const [name, play] of Object.entries(CASES)) {
    try {
      await play();
      console.log(`ok ${PREFIX}${name}`);
    } catch (error) {
      failed += 1;
      console.log(error);
      console.log(`FAILED ${PREFIX}${name}: ${String(error).replaceAll("\n", " ")}`);
    }
  }
  // At once: grpc-js keeps the process for as long as a cancelled call could have lasted.
  process.exit(failed ? 1 : 0);
}

main();
