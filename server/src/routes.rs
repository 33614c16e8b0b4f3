//! Map of paths to handlers. Generated code registers each method of a service, once per shard.

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

/// Path prefix of health, which is exempt from admission control: a liveness check must be answered
/// under overload too.
const HEALTH: &str = "/grpc.health.v1.Health/";

/// Methods of one shard.
#[derive(Default)]
pub struct Routes {
    methods: BTreeMap<&'static str, Route>,
    services: Vec<&'static str>,
    plain: Option<Rc<Plain>>,
    /// Schemas of the services, without duplicates.
    schemas: Vec<&'static [u8]>,
    /// Settings of the methods that are being added.
    scope: Rc<Scope>,
}

/// Method and the settings of its calls.
#[derive(Clone)]
pub(crate) struct Route {
    /// Path of the method, `/package.Service/Name`.
    pub(crate) method: &'static str,
    pub(crate) handler: Rc<dyn Handler>,
    pub(crate) scope: Rc<Scope>,
    /// True if calls are exempt from admission control.
    pub(crate) exempt: bool,
}

impl Routes {
    /// Creates a map without methods.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a map without methods; `interceptors` run, in this order, for the calls of all
    /// methods that are added.
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

    /// Adds methods with settings that differ from the enclosing ones.
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

    /// Exempts a method, or a whole service (`/package.Service/*`), from admission control; returns
    /// false if there is none.
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

    /// Returns the names of the services, in the order in which they were added.
    pub fn services(&self) -> &[&'static str] {
        &self.services
    }

    /// Returns the descriptor sets of the services that have one.
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

    /// Adds a server-streaming method.
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

    /// Adds a client-streaming method.
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

    /// Adds a bidirectional streaming method.
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

    /// Sets the handler of plain requests; replaces an earlier one. See
    /// [`ServerBuilder::plain`](crate::ServerBuilder::plain).
    pub fn plain<H>(&mut self, handler: H)
    where
        H: Fn(&PlainRequest<'_>) -> PlainResponse + 'static,
    {
        self.plain = Some(Rc::new(handler));
    }

    /// Returns the handler of plain requests, if there is one.
    pub(crate) fn plain_handler(&self) -> Option<&Rc<Plain>> {
        self.plain.as_ref()
    }

    /// Returns the method at a path, or UNIMPLEMENTED with the unknown name.
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
