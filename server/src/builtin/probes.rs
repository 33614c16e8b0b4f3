//! Plain HTTP endpoints for probes without gRPC: `/healthz`, `/readyz` and `/livez`.
//!
//! They read the statuses of `grpc.health.v1.Health`, so both always agree.

use std::rc::Rc;

use corespun_proto::health::health_check_response::ServingStatus;

use super::health::Health;
use crate::plain::{Plain, PlainRequest, PlainResponse};

/// Methods that a probe may use.
const ALLOWED: &str = "GET, HEAD";

/// Probe paths of one shard, tried before the handler of other plain requests.
pub(crate) struct Probes {
    health: Health,
    other: Option<Rc<Plain>>,
}

impl Probes {
    pub(crate) fn new(health: Health, other: Option<Rc<Plain>>) -> Self {
        Self { health, other }
    }

    /// Answers a plain request.
    pub(crate) fn answer(&self, request: &PlainRequest<'_>) -> PlainResponse {
        let is_allowed = matches!(request.method(), "GET" | "HEAD");
        match (request.path(), &self.other) {
            ("/healthz" | "/readyz" | "/livez", _) if !is_allowed => {
                PlainResponse::new(405, "").header("allow", ALLOWED)
            }
            ("/healthz" | "/readyz", _) => self.health.answer(asked_service(request.query())),
            // If the process did not run its shards, it could not respond; a restart would not
            // help.
            ("/livez", _) => PlainResponse::new(200, "ok\n"),
            (_, Some(other)) => other(request),
            // HAProxy checks servers with this request by default.
            ("/" | "*", None) if request.method() == "OPTIONS" => self.health.answer(""),
            (path, None) => nothing(request.method(), path),
        }
    }
}

impl Health {
    /// Answers a probe of a service: 200 while it serves, 503 while it does not, and 404 if it has
    /// no status.
    fn answer(&self, service: &str) -> PlainResponse {
        match self.status(service) {
            (None, _) => PlainResponse::new(404, format!("unknown service {service:?}\n")),
            (Some(ServingStatus::Serving), _) => PlainResponse::new(200, "ok\n"),
            (Some(_), true) => PlainResponse::new(503, "the server is shutting down\n"),
            (Some(_), false) => PlainResponse::new(503, "not serving\n"),
        }
    }
}

/// Returns the service named in a query, or the empty name of the whole server by default.
fn asked_service(query: Option<&str>) -> &str {
    let mut pairs = query.unwrap_or_default().split('&');
    pairs
        .find_map(|pair| pair.strip_prefix("service="))
        .unwrap_or_default()
}

/// Answers a request for a path without a handler.
fn nothing(method: &str, path: &str) -> PlainResponse {
    match method {
        // Most likely a call whose client has the wrong content type (gRPC `PROTOCOL-HTTP2.md`).
        "POST" => PlainResponse::new(415, "the content type of a call is application/grpc\n"),
        _ => PlainResponse::new(404, format!("nothing is served at {path}\n")),
    }
}

#[cfg(test)]
mod tests {
    use corespun_http2::{HeaderList, Token};

    use super::*;
    use crate::plain::PlainHead;

    fn ask(probes: &Probes, method: &str, path: &str) -> (u16, String) {
        let mut fields = HeaderList::new();
        for (name, value) in [(":method", method), (":path", path)] {
            fields.push(
                Token::of(name.as_bytes()),
                name.as_bytes(),
                value.as_bytes(),
            );
        }
        let head = PlainHead::read(&fields, None).unwrap();
        let request = PlainRequest {
            head: &head,
            body: &[],
        };
        let response = probes.answer(&request);
        let body = String::from_utf8_lossy(response.body()).into_owned();
        (response.status(), body)
    }

    fn check(probes: &Probes, method: &str, path: &str, status: u16, body: &str) {
        let found = ask(probes, method, path);
        assert_eq!(found, (status, body.to_owned()), "{method} {path}");
    }

    #[test]
    fn probes_say_what_health_says() {
        let health = Health::new();
        let probes = Probes::new(health.clone(), None);
        let ready = |status, body| {
            for path in [
                "/healthz",
                "/readyz",
                "/healthz?verbose",
                "/readyz?service=",
            ] {
                check(&probes, "GET", path, status, body);
                check(&probes, "HEAD", path, status, body);
            }
            check(&probes, "OPTIONS", "/", status, body);
            check(&probes, "OPTIONS", "*", status, body);
            check(&probes, "GET", "/livez", 200, "ok\n");
        };
        ready(200, "ok\n");
        health.set_not_serving("");
        ready(503, "not serving\n");
        health.set_serving("");
        ready(200, "ok\n");
        let unknown = "unknown service \"a.B\"\n";
        check(&probes, "GET", "/readyz?service=a.B", 404, unknown);
        health.set_not_serving("a.B");
        let path = "/readyz?verbose&service=a.B";
        check(&probes, "GET", path, 503, "not serving\n");
        ready(200, "ok\n");
        health.set_serving("a.B");
        check(&probes, "GET", path, 200, "ok\n");
        health.close();
        health.set_serving("");
        ready(503, "the server is shutting down\n");
        check(&probes, "GET", path, 503, "the server is shutting down\n");
    }

    #[test]
    fn other_requests_go_to_the_other_handler() {
        let alone = Probes::new(Health::new(), None);
        check(&alone, "POST", "/healthz", 405, "");
        check(&alone, "OPTIONS", "/healthz", 405, "");
        check(&alone, "GET", "/x", 404, "nothing is served at /x\n");
        check(&alone, "OPTIONS", "/x", 404, "nothing is served at /x\n");
        assert_eq!(ask(&alone, "POST", "/a.B/C").0, 415);
        let handler: Rc<Plain> = Rc::new(|_| PlainResponse::new(201, "mine"));
        let both = Probes::new(Health::new(), Some(handler));
        check(&both, "GET", "/x", 201, "mine");
        check(&both, "OPTIONS", "/", 201, "mine");
        check(&both, "POST", "/a.B/C", 201, "mine");
        check(&both, "GET", "/healthz", 200, "ok\n");
        check(&both, "POST", "/healthz", 405, "");
    }
}
