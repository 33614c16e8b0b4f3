//! `grpc.health.v1.Health`: whether the server, and each of its services, can be called.
//!
//! Semantics: gRPC `doc/health-checking.md`, and gRFC A90 for `List`.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corespun_codec::{Request, Response, Sender, Status};
use corespun_proto::health::health_check_response::ServingStatus;
use corespun_proto::health::health_methods as method;
use corespun_proto::health::{
    FILE_DESCRIPTOR_SET, HealthCheckRequest, HealthCheckResponse, HealthListRequest,
    HealthListResponse,
};
use event_listener::Event;

use crate::routes::Routes;
use crate::service::Service;

/// The most services that `List` answers; more are refused with RESOURCE_EXHAUSTED (gRFC A90).
const LISTED_MAX: usize = 100;

/// The statuses of a server, to be read by probes and changed from any thread.
///
/// Clones share them. The empty name stands for the server as a whole and begins as serving, and
/// so does every service of the server that has no status when it starts. When the server begins
/// to drain, everything stops serving for good.
///
/// ```
/// # use corespun_server::{Health, Server};
/// let health = Health::new();
/// let server = Server::builder().listen("127.0.0.1:50051").health(&health);
/// health.set_not_serving("user.UserService");
/// # drop(server);
/// ```
#[derive(Clone)]
pub struct Health {
    shared: Arc<Shared>,
}

struct Shared {
    statuses: Mutex<Statuses>,
    changed: Event,
}

#[derive(Default)]
struct Statuses {
    by_service: BTreeMap<String, ServingStatus>,
    /// The server drains: nothing serves again.
    closed: bool,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// The server as a whole serves; of services nothing is known yet.
    pub fn new() -> Self {
        let by_service = BTreeMap::from([(String::new(), ServingStatus::Serving)]);
        let statuses = Statuses {
            by_service,
            closed: false,
        };
        Self {
            shared: Arc::new(Shared {
                statuses: Mutex::new(statuses),
                changed: Event::new(),
            }),
        }
    }

    /// The service can be called. Without effect once the server drains.
    pub fn set_serving(&self, service: &str) {
        self.set(service, ServingStatus::Serving);
    }

    /// The service cannot be called.
    pub fn set_not_serving(&self, service: &str) {
        self.set(service, ServingStatus::NotServing);
    }

    /// Forgets the service: `Check` answers NOT_FOUND, watchers learn SERVICE_UNKNOWN.
    pub fn forget(&self, service: &str) {
        self.lock().by_service.remove(service);
        self.shared.changed.notify(usize::MAX);
    }

    /// Nothing serves any more, whatever is set later.
    pub(crate) fn close(&self) {
        let mut statuses = self.lock();
        statuses.closed = true;
        let every = statuses.by_service.values_mut();
        every.for_each(|status| *status = ServingStatus::NotServing);
        drop(statuses);
        self.shared.changed.notify(usize::MAX);
    }

    /// Services without a status serve.
    pub(crate) fn add_services(&self, services: &[&str]) {
        let mut statuses = self.lock();
        if statuses.closed {
            return;
        }
        for service in services {
            let status = statuses.by_service.entry((*service).to_owned());
            status.or_insert(ServingStatus::Serving);
        }
        drop(statuses);
        self.shared.changed.notify(usize::MAX);
    }

    fn set(&self, service: &str, status: ServingStatus) {
        let mut statuses = self.lock();
        let status = match statuses.closed {
            true => ServingStatus::NotServing,
            false => status,
        };
        statuses.by_service.insert(service.to_owned(), status);
        drop(statuses);
        self.shared.changed.notify(usize::MAX);
    }

    fn lock(&self) -> MutexGuard<'_, Statuses> {
        // A map of small values is whole after any panic.
        let lock = self.shared.statuses.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// The status of a service, if it has one, and whether the server drains.
    pub(super) fn status(&self, service: &str) -> (Option<ServingStatus>, bool) {
        let statuses = self.lock();
        (statuses.by_service.get(service).copied(), statuses.closed)
    }

    fn check(&self, request: &HealthCheckRequest) -> Result<HealthCheckResponse, Status> {
        let service = &request.service;
        let (status, _) = self.status(service);
        let status =
            status.ok_or_else(|| Status::not_found(format!("unknown service {service:?}")))?;
        Ok(response(status))
    }

    fn list(&self) -> Result<HealthListResponse, Status> {
        let statuses = self.lock();
        let count = statuses.by_service.len();
        if count > LISTED_MAX {
            let text = format!("{count} services have a status, {LISTED_MAX} can be listed");
            return Err(Status::resource_exhausted(text));
        }
        let each = statuses.by_service.iter();
        Ok(HealthListResponse {
            statuses: each
                .map(|(name, status)| (name.clone(), response(*status)))
                .collect(),
        })
    }

    /// Tells of every change, until the caller goes or the server drains: a watcher that stayed
    /// would hold up the drain.
    async fn watch(
        &self,
        request: HealthCheckRequest,
        out: &mut Sender<HealthCheckResponse>,
    ) -> Result<(), Status> {
        let mut told = None;
        loop {
            let changed = self.shared.changed.listen();
            let (status, closed) = self.status(&request.service);
            let status = status.unwrap_or(ServingStatus::ServiceUnknown);
            if told.replace(status) != Some(status) {
                out.send(response(status)).await?;
            }
            if closed {
                return Err(Status::unavailable("the server is shutting down"));
            }
            changed.await;
        }
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(&self.lock().by_service).finish()
    }
}

fn response(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse {
        status: status.into(),
    }
}

impl Service for Health {
    const NAME: &'static str = method::NAME;
    const DESCRIPTOR_SET: &'static [u8] = FILE_DESCRIPTOR_SET;

    fn register(self, routes: &mut Routes) {
        let health = Rc::new(self);
        routes.unary(
            method::CHECK,
            &health,
            |health, request: Request<HealthCheckRequest>| async move {
                health.check(request.get_ref()).map(Response::new)
            },
        );
        routes.unary(
            method::LIST,
            &health,
            |health, _: Request<HealthListRequest>| async move { health.list().map(Response::new) },
        );
        routes.server_streaming(
            method::WATCH,
            &health,
            |health, request: Request<HealthCheckRequest>, mut out| async move {
                health.watch(request.into_inner(), &mut out).await
            },
        );
    }
}
