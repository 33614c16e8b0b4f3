// The user service in memory, on grpc-js: what the load generator is tried against.
//
// Usage: server.js SCHEMA [CERT KEY]. Prints `listening on ADDRESS`.
"use strict";

const fs = require("fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");
const { ReflectionService } = require("@grpc/reflection");

const USERS_MAX = 10_000;

function find(id) {
  if (id <= 0) {
    const details = `id must be positive, not ${id}`;
    throw { code: grpc.status.INVALID_ARGUMENT, details };
  }
  if (id > USERS_MAX) {
    throw { code: grpc.status.NOT_FOUND, details: `no user has id ${id}` };
  }
  return { id, name: `User ${id}`, email: `user${id}@example.com` };
}

const users = {
  getUser(call, answer) {
    try {
      answer(null, find(call.request.id));
    } catch (error) {
      answer(error);
    }
  },
  listUsers(call) {
    for (let id = 1; id <= call.request.page_size; id += 1) {
      call.write(find(id));
    }
    call.end();
  },
  importUsers(call, answer) {
    let imported = 0;
    call.on("data", () => (imported += 1));
    call.on("end", () => answer(null, { imported }));
  },
  lookup(call) {
    call.on("data", (request) => {
      try {
        call.write(find(request.id));
      } catch (error) {
        call.emit("error", error);
      }
    });
    call.on("end", () => call.end());
  },
};

const [schema, cert, key] = process.argv.slice(2);
const definition = loader.loadSync(schema, { keepCase: true });
const server = new grpc.Server();
server.addService(grpc.loadPackageDefinition(definition).user.UserService.service, users);
new ReflectionService(definition).addToServer(server);
const pair = () => [{ cert_chain: fs.readFileSync(cert), private_key: fs.readFileSync(key) }];
const credentials = cert
  ? grpc.ServerCredentials.createSsl(null, pair())
  : grpc.ServerCredentials.createInsecure();
server.bindAsync("127.0.0.1:0", credentials, (error, port) => {
  if (error) throw error;
  console.log(`listening on 127.0.0.1:${port}`);
});
