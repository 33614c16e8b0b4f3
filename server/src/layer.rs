//! Adapter that runs `tower` layers as interceptors.
//!
//! A layer wraps a service. Here that service is a [`Gate`], which lets the call through to its
//! handler and resolves once the call has ended. So a layer may examine, change, refuse or delay
//! the request, and hold a resource for as long as the call lasts, streams included:
//!
//! - Supported: `ConcurrencyLimitLayer` (a permit is held until the end of the call),
//!   `GlobalConcurrencyLimitLayer`, `LoadShedLayer`, `FilterLayer` and `AsyncFilterLayer`,
//!   `MapRequestLayer`, and custom layers of this kind. Limits hold per shard, unless clones of the
//!   layer share their state and one is given to the factory of each shard.
//! - Not supported: layers that measure time or start tasks (`TimeoutLayer`, `RateLimitLayer`,
//!   `BufferLayer`, those of `tower-http`). They need a tokio runtime, and a shard is none: their
//!   panic becomes UNKNOWN. Deadlines are enforced without any layer.
//! - Impossible: layers that read or change messages, because there is no body; and a decision
//!   after the handler has started: the response of a layer is ignored then.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use corespun_codec::Status;
use tower_layer::Layer;
use tower_service::Service;

use crate::interceptor::{Answer, Ended, Incoming, Interceptor, Step, Waiting};

/// Returns an interceptor that passes each call through `layer`. The calls become tasks, as those
/// of [`intercept_async`](crate::intercept_async) do.
///
/// An error of the layer becomes the status of the call: the [`Status`] that it is or has as its
/// source, else UNAVAILABLE with its text.
///
/// ```
/// # use corespun_server::{Server, intercept_tower};
/// # use tower::limit::ConcurrencyLimitLayer;
/// let server = Server::builder()
///     // At most 100 calls at once on each shard; the next wait, until their deadlines.
///     .intercept(|_shard| Ok(intercept_tower(ConcurrencyLimitLayer::new(100))));
/// ```
pub fn intercept_tower<L>(layer: L) -> impl Interceptor
where
    L: Layer<Gate>,
    L::Service: Service<Incoming, Response = ()> + Clone + 'static,
    <L::Service as Service<Incoming>>::Error: Into<Box<dyn Error + Send + Sync>>,
    <L::Service as Service<Incoming>>::Future: 'static,
{
    Layered(layer.layer(Gate(())))
}

/// Innermost service: lets the call through, and resolves when the call has ended.
#[derive(Clone, Debug)]
pub struct Gate(());

/// State of one call in a gate; carried as an extension of the call.
#[derive(Default)]
struct Passage {
    admitted: RefCell<Option<Incoming>>,
    outcome: Cell<Option<Result<(), Status>>>,
}

impl Service<Incoming> for Gate {
    type Response = ();
    type Error = Status;
    type Future = Passing;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut call: Incoming) -> Passing {
        let passage = call.extensions_mut().remove::<Rc<Passage>>();
        if let Some(passage) = &passage {
            passage.admitted.replace(Some(call));
        }
        Passing(passage)
    }
}

/// Future of a call that the [`Gate`] has let through; resolves when the call has ended.
pub struct Passing(Option<Rc<Passage>>);

impl Future for Passing {
    type Output = Result<(), Status>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(passage) = &self.0 else {
            let text = "a layer let another call through than the one it was asked about";
            return Poll::Ready(Err(Status::internal(text)));
        };
        // The code that sets the outcome polls this future directly afterwards.
        passage.outcome.take().map_or(Poll::Pending, Poll::Ready)
    }
}

struct Layered<S>(S);

impl<S> Interceptor for Layered<S>
where
    S: Service<Incoming, Response = ()> + Clone + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    S::Future: 'static,
{
    fn start(&self, _: &mut Incoming) -> Result<Step, Answer> {
        Ok(Step::Wait)
    }

    fn wait<'a>(&'a self, call: &'a mut Incoming) -> Waiting<'a> {
        Box::pin(async move {
            let mut service = self.0.clone();
            let ready = poll_fn(|context| service.poll_ready(context)).await;
            ready.map_err(refused)?;
            let passage = Rc::new(Passage::default());
            let mut asked = call.take();
            asked.extensions_mut().insert(Rc::clone(&passage));
            let mut held = Box::pin(service.call(asked));
            let admitted = poll_fn(|context| match held.as_mut().poll(context) {
                Poll::Ready(answered) => Poll::Ready(Err(answered)),
                Poll::Pending => match passage.admitted.take() {
                    Some(admitted) => Poll::Ready(Ok(admitted)),
                    None => Poll::Pending,
                },
            });
            match admitted.await {
                Ok(admitted) => *call = admitted,
                Err(Err(error)) => return Err(refused(error)),
                Err(Ok(())) => {
                    let text = "a layer has answered a call that it did not let through";
                    return Err(Status::internal(text).into());
                }
            }
            call.on_end(move |ended| release(&passage, held, ended));
            Ok(())
        })
    }
}

/// Ends a call in its layers: they receive its outcome, and release what they held for it.
fn release(passage: &Passage, held: impl Future, ended: &Ended<'_>) {
    let outcome = ended.outcome().map_err(Status::clone);
    passage.outcome.set(Some(outcome));
    let mut context = Context::from_waker(Waker::noop());
    drop(pin!(held).poll(&mut context));
}

/// Returns the status in an error, or one made of its text.
fn refused(error: impl Into<Box<dyn Error + Send + Sync>>) -> Answer {
    let error = error.into();
    let mut cause: Option<&(dyn Error + 'static)> = Some(&*error);
    while let Some(this) = cause {
        if let Some(status) = this.downcast_ref::<Status>() {
            return status.clone().into();
        }
        cause = this.source();
    }
    Status::unavailable(error.to_string()).into()
}
