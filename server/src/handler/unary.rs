//! Unary handlers: polled in place, and moved to a task only if they wait.

use std::cell::RefCell;
use std::convert::identity;
use std::future::{poll_fn, ready};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use corespun_codec::pipe::Pipe;
use corespun_codec::{Kind, Request, RequestParts, Response, Status, message};
use corespun_runtime::{JoinHandle, Reservation};
use prost::Message;

use super::{Handler, Later, guarded, panicked};
use crate::bell::{Completion, Framed};
use crate::call::ReplyForm;
use crate::reply::Reply;
use crate::surround::Terms;

/// Storage of one handler future. A future cannot move once polled, so its storage is kept and
/// reused.
type Storage<Fut> = Pin<Box<Option<Fut>>>;

/// Number of futures per method whose storage is kept for reuse.
const STORAGE_KEPT: usize = 256;

/// Unary method of a service.
pub(crate) struct Unary<S, Q, R, F, Fut> {
    service: Rc<S>,
    handler: F,
    storage: Rc<RefCell<Vec<Storage<Fut>>>>,
    types: PhantomData<fn(Q) -> R>,
}

impl<S, Q, R, F, Fut> Unary<S, Q, R, F, Fut> {
    pub(crate) fn new(service: Rc<S>, handler: F) -> Self {
        Self {
            service,
            handler,
            storage: Rc::default(),
            types: PhantomData,
        }
    }
}

impl<S, Q, R, F, Fut> Handler for Unary<S, Q, R, F, Fut>
where
    Q: Message + Default + 'static,
    R: Message + 'static,
    F: Fn(Rc<S>, Request<Q>) -> Fut,
    Fut: Future<Output = Result<Response<R>, Status>> + 'static,
{
    fn kind(&self) -> Kind {
        Kind::Unary
    }

    fn call(
        &self,
        message: &[u8],
        parts: RequestParts,
        reply: &mut Reply<'_>,
    ) -> Option<JoinHandle<()>> {
        let terms = Terms::of(&parts);
        let request = match message::decode::<Q>(message) {
            Ok(request) => Request::with_parts(request, parts),
            Err(status) => {
                reply.status(&status);
                return None;
            }
        };
        let mut storage = self
            .storage
            .borrow_mut()
            .pop()
            .unwrap_or_else(|| Box::pin(None));
        let reservation = Reservation::take();
        let mut context = Context::from_waker(reservation.waker());
        let polled = terms.run(|| {
            storage
                .as_mut()
                .set(Some((self.handler)(Rc::clone(&self.service), request)));
            poll(&mut storage, &mut context)
        });
        match polled {
            Ok(Poll::Pending) => {
                let is_timed = terms.deadline.is_some();
                let waiting = self.wait(storage, terms, reply);
                if is_timed {
                    // The first poll of the task itself sets the timer of the deadline.
                    reservation.waker().wake_by_ref();
                }
                Some(reservation.spawn(Box::pin(waiting)))
            }
            Ok(Poll::Ready(outcome)) => {
                keep(&self.storage, storage);
                match outcome {
                    Ok(response) => reply.response(response),
                    Err(status) => reply.status(&status),
                }
                None
            }
            Err(_panic) => {
                keep(&self.storage, storage);
                reply.status(&panicked());
                None
            }
        }
    }

    fn call_later(&self, message: &[u8], parts: RequestParts, form: ReplyForm) -> Later {
        let terms = Terms::of(&parts);
        let request = match message::decode::<Q>(message) {
            Ok(request) => Request::with_parts(request, parts),
            Err(status) => return Box::pin(ready(Err(status))),
        };
        let start = || Box::pin((self.handler)(Rc::clone(&self.service), request));
        let Ok(future) = catch_unwind(AssertUnwindSafe(start)) else {
            return Box::pin(ready(Err(panicked())));
        };
        Box::pin(async move {
            let outcome = guarded(future, terms).await.and_then(identity);
            outcome.and_then(|response| Framed::new(response, form.sending))
        })
    }

    fn start(&self, _: Option<&[u8]>, _: RequestParts, _: &Pipe) -> Result<JoinHandle<()>, Status> {
        Err(Status::internal("a unary method was started as a stream"))
    }
}

impl<S, Q, R, F, Fut> Unary<S, Q, R, F, Fut>
where
    R: Message + 'static,
    Fut: Future<Output = Result<Response<R>, Status>> + 'static,
{
    /// Spawns the task of a call that was polled and has to wait.
    fn wait(
        &self,
        mut storage: Storage<Fut>,
        terms: Terms,
        reply: &Reply<'_>,
    ) -> impl Future<Output = ()> + 'static {
        let (bell, stream) = reply.claim();
        let sending = reply.form.sending;
        let pool = Rc::clone(&self.storage);
        async move {
            let polling = poll_fn(|context| poll(&mut storage, context));
            let outcome = guarded(Box::pin(polling), terms).await.and_then(identity);
            keep(&pool, storage);
            let outcome = outcome.and_then(|response| Framed::new(response, sending));
            bell.complete(Completion { stream, outcome });
        }
    }
}

fn poll<Fut: Future>(storage: &mut Storage<Fut>, context: &mut Context<'_>) -> Poll<Fut::Output> {
    match storage.as_mut().as_pin_mut() {
        Some(future) => future.poll(context),
        None => Poll::Pending,
    }
}

/// Drops the future and keeps its storage for the next call. If that drop panics, the storage is
/// discarded; the call already has its outcome.
fn keep<Fut>(pool: &RefCell<Vec<Storage<Fut>>>, mut storage: Storage<Fut>) {
    if catch_unwind(AssertUnwindSafe(|| storage.as_mut().set(None))).is_err() {
        return;
    }
    let mut pool = pool.borrow_mut();
    if pool.len() < STORAGE_KEPT {
        pool.push(storage);
    }
}
