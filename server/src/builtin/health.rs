//! `grpc.health.v1.Health`: the serving status of the server and of each of its services.
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

/// Most services that `List` returns; with more it fails with RESOURCE_EXHAUSTED (gRFC A90).
const LISTED_MAX: usize = 100;

/// Serving statuses of a server, read by probes and changed from any thread.
///
/// Clones share the statuses. The empty name stands for the server as a whole and starts as
/// serving. Every service of the server that has no status when the server starts is set to
/// serving. When the server begins to drain, all statuses become not serving for good.
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
    /// True once the server drains: no status becomes serving again.
    closed: bool,
}

impl Default for Health {
    fn default() -> Self {
        Self::new()
    }
}

impl Health {
    /// Creates statuses in which the server as a whole serves and no service is listed yet.
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

    /// Sets a service to serving. Has no effect once the server drains.
    pub fn set_serving(&self, service: &str) {
        self.set(service, ServingStatus::Serving);
    }

    /// Sets a service to not serving.
    pub fn set_not_serving(&self, service: &str) {
        self.set(service, ServingStatus::NotServing);
    }

    /// Removes a service: `Check` then returns NOT_FOUND, and watchers receive SERVICE_UNKNOWN.
    pub fn forget(&self, service: &str) {
        self.lock().by_service.remove(service);
        self.shared.changed.notify(usize::MAX);
    }

    /// Sets everything to not serving, whatever is set later.
    pub(crate) fn close(&self) {
        let mut statuses = self.lock();
        statuses.closed = true;
        let every = statuses.by_service.values_mut();
        every.for_each(|status| *status = ServingStatus::NotServing);
        drop(statuses);
        self.shared.changed.notify(usize::MAX);
    }

    /// Sets services without a status to serving.
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
        // A map of small values is consistent after any panic, so a poisoned lock is usable.
        let lock = self.shared.statuses.lock();
        lock.unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the status of a service, if it has one, and true if the server drains.
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

    /// Sends every status change until the client leaves or the server drains. It ends then,
    /// because an open watch would delay the drain.
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
