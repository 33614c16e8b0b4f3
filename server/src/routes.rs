//! Paths to handlers. Generated code registers each method of a service here, once per shard.

use std::collections::BTreeMap;
use std::rc::Rc;

use corespun_codec::{
    Kind, Method, Request, RequestParts, Response, Sender, Status, Streaming, message,
};
use prost::Message;

use crate::handler::{Handler, Streamed, Unary, run_responding, run_sending};
use crate::interceptor::Interceptor;
use crate::plain::{Plain, PlainRequest, PlainResponse};
use crate::service::{Scope, Service};
use crate::surround::Terms;

/// What tells whether a server lives is answered also when it has no time for calls.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// The methods of one shard.
#[derive(Default)]
pub struct Routes {
    methods: BTreeMap<&'static str, Route>,
    services: Vec<&'static str>,
    plain: Option<Rc<Plain>>,
    /// The services' schemas, each once.
    schemas: Vec<&'static [u8]>,
    /// What holds for the methods that are being added.
    scope: Rc<Scope>,
}

/// A method, and what holds for its calls.
#[derive(Clone)]
pub(crate) struct Route {
    /// `/package.Service/Name`.
    pub(crate) method: &'static str,
    pub(crate) handler: Rc<dyn Handler>,
    pub(crate) scope: Rc<Scope>,
    /// Calls are never turned away to keep the shard on time.
    pub(crate) exempt: bool,
}

impl Routes {
    /// No methods yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// No methods yet; `interceptors` are asked about the calls of all that are added, in this
    /// order.
    pub fn intercepted(interceptors: Vec<Rc<dyn Interceptor>>) -> Self {
        let scope = Scope {
            encoding: None,
            interceptors,
        };
        Self {
            scope: Rc::new(scope),
            ..Self::default()
        }
    }

    /// Adds a service.
    pub fn add<S: Service>(&mut self, service: S) {
        self.services.push(S::NAME);
        if !S::DESCRIPTOR_SET.is_empty() && !self.schemas.contains(&S::DESCRIPTOR_SET) {
            self.schemas.push(S::DESCRIPTOR_SET);
        }
        service.register(self);
    }

    /// Adds methods in a scope that differs from the one around it.
    pub(crate) fn within(&mut self, scope: Scope, add: impl FnOnce(&mut Self)) {
        let around = std::mem::replace(&mut self.scope, Rc::new(scope));
        add(self);
        self.scope = around;
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    fn insert(&mut self, path: &'static str, handler: Rc<dyn Handler>) {
        let scope = Rc::clone(&self.scope);
        let route = Route {
            method: path,
            handler,
            scope,
            exempt: path.starts_with(HEALTH),
        };
        self.methods.insert(path, route);
    }

    /// Exempts a method, or all of a service (`/package.Service/*`), from admission; false when
    /// there is none.
    pub(crate) fn exempt(&mut self, pattern: &str) -> bool {
        let mut found = false;
        for (path, route) in &mut self.methods {
            let is_meant = match pattern.strip_suffix('*') {
                Some(service) => service.ends_with('/') && path.starts_with(service),
                None => *path == pattern,
            };
            route.exempt |= is_meant;
            found |= is_meant;
        }
        found
    }

    /// Names of the services, in the order they were added.
    pub fn services(&self) -> &[&'static str] {
        &self.services
    }

    /// Descriptor sets of the services that have one.
    pub fn schemas(&self) -> &[&'static [u8]] {
        &self.schemas
    }

    /// Adds a unary method.
    pub fn unary<S, Q, R, F, Fut>(&mut self, method: Method<Q, R>, service: &Rc<S>, handler: F)
    where
        S: 'static,
        Q: Message + Default + 'static,
        R: Message + 'static,
        F: Fn(Rc<S>, Request<Q>) -> Fut + 'static,
        Fut: Future<Output = Result<Response<R>, Status>> + 'static,
    {
        let unary: Unary<S, Q, R, F, Fut> = Unary::new(Rc::clone(service), handler);
        self.insert(method.path(), Rc::new(unary));
    }

    /// Adds a method that answers one request with any number of messages.
    pub fn server_streaming<S, Q, R, F, Fut>(
        &mut self,
        method: Method<Q, R>,
        service: &Rc<S>,
        handler: F,
    ) where
        S: 'static,
        Q: Message + Default + 'static,
        R: Message + 'static,
        F: Fn(Rc<S>, Request<Q>, Sender<R>) -> Fut + 'static,
        Fut: Future<Output = Result<(), Status>> + 'static,
    {
        let service = Rc::clone(service);
        let start = Streamed::new(
            Kind::ServerStreaming,
            move |bytes, parts: RequestParts, pipe| {
                let bytes = bytes.ok_or_else(no_message)?;
                let request = message::decode::<Q>(bytes)?;
                let terms = Terms::of(&parts);
                let request = Request::with_parts(request, parts);
                let future = handler(Rc::clone(&service), request, pipe.sender());
                Ok(run_sending(Box::pin(future), terms, pipe.finisher()))
            },
        );
        self.insert(method.path(), Rc::new(start));
    }

    /// Adds a method that answers any number of messages with one.
    pub fn client_streaming<S, Q, R, F, Fut>(
        &mut self,
        method: Method<Q, R>,
        service: &Rc<S>,
        handler: F,
    ) where
        S: 'static,
        Q: Message + Default + 'static,
        R: Message + 'static,
        F: Fn(Rc<S>, Streaming<Q>) -> Fut + 'static,
        Fut: Future<Output = Result<Response<R>, Status>> + 'static,
    {
        let service = Rc::clone(service);
        let start = Streamed::new(
            Kind::ClientStreaming,
            move |_, parts: RequestParts, pipe| {
                let terms = Terms::of(&parts);
                let requests = pipe.streaming().with_parts(parts);
                let future = handler(Rc::clone(&service), requests);
                Ok(run_responding(Box::pin(future), terms, pipe.finisher()))
            },
        );
        self.insert(method.path(), Rc::new(start));
    }

    /// Adds a method with any number of messages both ways.
    pub fn bidi_streaming<S, Q, R, F, Fut>(
        &mut self,
        method: Method<Q, R>,
        service: &Rc<S>,
        handler: F,
    ) where
        S: 'static,
        Q: Message + Default + 'static,
        R: Message + 'static,
        F: Fn(Rc<S>, Streaming<Q>, Sender<R>) -> Fut + 'static,
        Fut: Future<Output = Result<(), Status>> + 'static,
    {
        let service = Rc::clone(service);
        let start = Streamed::new(Kind::BidiStreaming, move |_, parts: RequestParts, pipe| {
            let terms = Terms::of(&parts);
            let requests = pipe.streaming().with_parts(parts);
            let future = handler(Rc::clone(&service), requests, pipe.sender());
            Ok(run_sending(Box::pin(future), terms, pipe.finisher()))
        });
        self.insert(method.path(), Rc::new(start));
    }

    /// Sets the handler of requests that are no calls, in place of one set before; see
    /// [`ServerBuilder::plain`](crate::ServerBuilder::plain).
    pub fn plain<H>(&mut self, handler: H)
    where
        H: Fn(&PlainRequest<'_>) -> PlainResponse + 'static,
    {
        self.plain = Some(Rc::new(handler));
    }

    /// The handler of requests that are no calls, if there is one.
    pub(crate) fn plain_handler(&self) -> Option<&Rc<Plain>> {
        self.plain.as_ref()
    }

    /// The method at a path, or UNIMPLEMENTED saying what is not known.
    pub(crate) fn find(&self, path: &[u8]) -> Result<Route, Status> {
        let text = String::from_utf8_lossy(path);
        if let Some(route) = self.methods.get(&*text) {
            return Ok(route.clone());
        }
        let (service, method) = text
            .trim_start_matches('/')
            .rsplit_once('/')
            .unwrap_or((&text, ""));
        Err(if self.services.contains(&service) {
            Status::unimplemented(format!("unknown method {method} for service {service}"))
        } else {
            Status::unimplemented(format!("unknown service {service}"))
        })
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.methods.keys()).finish()
    }
}

fn no_message() -> Status {
    Status::unimplemented("the request ended without a message")
}
