//! Paths to handlers. Generated code registers each method of a service here, once per shard.

use std::collections::BTreeMap;
use std::rc::Rc;

use corespun_codec::{Kind, Method, Request, Response, Sender, Status, Streaming, message};
use prost::Message;

use crate::handler::{Handler, Streamed, Unary, run_responding, run_sending};
use crate::plain::{Plain, PlainRequest, PlainResponse};

/// A service that can be served: what the generated `…Server` types are.
pub trait Service {
    /// Its full name, `package.Service`.
    const NAME: &'static str;

    /// The schema, a serialized `google.protobuf.FileDescriptorSet` with all imports; empty when
    /// reflection is to know no more than the name.
    const DESCRIPTOR_SET: &'static [u8] = &[];

    /// Adds its methods.
    fn register(self, routes: &mut Routes);
}

/// The methods of one shard.
#[derive(Default)]
pub struct Routes {
    methods: BTreeMap<&'static str, Rc<dyn Handler>>,
    services: Vec<&'static str>,
    plain: Option<Rc<Plain>>,
    /// The services' schemas, each once.
    schemas: Vec<&'static [u8]>,
}

impl Routes {
    /// No methods yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a service.
    pub fn add<S: Service>(&mut self, service: S) {
        self.services.push(S::NAME);
        if !S::DESCRIPTOR_SET.is_empty() && !self.schemas.contains(&S::DESCRIPTOR_SET) {
            self.schemas.push(S::DESCRIPTOR_SET);
        }
        service.register(self);
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
        self.methods.insert(method.path(), Rc::new(unary));
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
        let start = Streamed::new(Kind::ServerStreaming, move |bytes, arrival, pipe| {
            let bytes = bytes.ok_or_else(no_message)?;
            let request = message::decode::<Q>(bytes)?;
            let deadline = arrival.deadline;
            let request = Request::from_parts(request, arrival.head, deadline);
            let future = handler(Rc::clone(&service), request, pipe.sender());
            Ok(run_sending(Box::pin(future), deadline, pipe.finisher()))
        });
        self.methods.insert(method.path(), Rc::new(start));
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
        let start = Streamed::new(Kind::ClientStreaming, move |_, arrival, pipe| {
            let deadline = arrival.deadline;
            let requests = pipe.streaming().with_parts(arrival.head, deadline);
            let future = handler(Rc::clone(&service), requests);
            Ok(run_responding(Box::pin(future), deadline, pipe.finisher()))
        });
        self.methods.insert(method.path(), Rc::new(start));
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
        let start = Streamed::new(Kind::BidiStreaming, move |_, arrival, pipe| {
            let deadline = arrival.deadline;
            let requests = pipe.streaming().with_parts(arrival.head, deadline);
            let future = handler(Rc::clone(&service), requests, pipe.sender());
            Ok(run_sending(Box::pin(future), deadline, pipe.finisher()))
        });
        self.methods.insert(method.path(), Rc::new(start));
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
    pub(crate) fn find(&self, path: &[u8]) -> Result<Rc<dyn Handler>, Status> {
        let text = String::from_utf8_lossy(path);
        if let Some(handler) = self.methods.get(&*text) {
            return Ok(Rc::clone(handler));
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
