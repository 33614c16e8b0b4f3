//! Passage of calls through interceptors, on the way to the channel's connection.

use std::rc::Rc;

use corespun_codec::{
    Kind, Method, Request, RequestParts, Response, Sender, Status, Streaming, timeout,
};
use corespun_runtime as runtime;
use prost::Message;

use crate::answer::Answer;
use crate::channel::{Channel, with_metadata};
use crate::deadline::expired;
use crate::interceptor::{Calling, Step};
use crate::watch::{Interceptors, Watch};

/// Call that every interceptor let pass, or that one has answered.
struct Asked {
    watch: Rc<Watch>,
    outcome: Result<RequestParts, Answer>,
}

impl Channel {
    /// Runs the interceptors of a call, in order.
    async fn ask(
        &self,
        interceptors: &Interceptors,
        method: (&'static str, Kind),
        parts: RequestParts,
    ) -> Asked {
        let watch = Rc::new(Watch::new(interceptors, method.0));
        let call = Calling::new(method, self.target(), parts, Rc::clone(&watch));
        let outcome = ask(interceptors, call, &watch).await;
        Asked { watch, outcome }
    }

    pub(crate) async fn intercepted_unary<Q, R>(
        &self,
        interceptors: &Interceptors,
        method: Method<Q, R>,
        request: Request<Q>,
    ) -> Result<Response<R>, Status>
    where
        Q: Message,
        R: Message + Default + 'static,
    {
        let (message, parts) = request.into_parts();
        let asked = self
            .ask(interceptors, (method.path(), method.kind()), parts)
            .await;
        let outcome = match asked.outcome {
            Ok(parts) => {
                let request = Request::with_parts(message, parts);
                self.watched(&asked.watch).unary(method, request).await
            }
            Err(answer) => answer.whole(),
        };
        asked.watch.end(outcome.as_ref().map(drop));
        outcome
    }

    pub(crate) async fn intercepted_server_streaming<Q, R>(
        &self,
        interceptors: &Interceptors,
        method: Method<Q, R>,
        request: Request<Q>,
    ) -> Result<Response<Streaming<R>>, Status>
    where
        Q: Message,
        R: Message + Default,
    {
        let (message, parts) = request.into_parts();
        let Asked { watch, outcome } = self
            .ask(interceptors, (method.path(), method.kind()), parts)
            .await;
        let outcome = match outcome {
            Ok(parts) => {
                let request = Request::with_parts(message, parts);
                self.watched(&watch).server_streaming(method, request).await
            }
            Err(answer) => {
                let (_, mut responses) = answer.streamed::<Q, R>();
                let head = responses.wait_for_head().await;
                head.map(|()| with_metadata(responses))
            }
        };
        match &outcome {
            // From here on the reader sees the end of the call.
            Ok(response) => response.get_ref().set_tap(watch),
            Err(status) => watch.end(Err(status)),
        }
        outcome
    }

    pub(crate) async fn intercepted_start<Q, R>(
        &self,
        interceptors: &Interceptors,
        method: Method<Q, R>,
        request: Request<()>,
    ) -> Result<(Sender<Q>, Streaming<R>), Status> {
        let ((), parts) = request.into_parts();
        let Asked { watch, outcome } = self
            .ask(interceptors, (method.path(), method.kind()), parts)
            .await;
        let outcome = match outcome {
            Ok(parts) => {
                let request = Request::with_parts((), parts);
                self.watched(&watch).start(method, request).await
            }
            Err(answer) => Ok(answer.streamed()),
        };
        match &outcome {
            Ok((_, responses)) => responses.set_tap(watch),
            Err(status) => watch.end(Err(status)),
        }
        outcome
    }
}

/// Runs the interceptors; returns the request to send, or the response of an interceptor.
async fn ask(
    interceptors: &Interceptors,
    mut call: Calling,
    watch: &Watch,
) -> Result<RequestParts, Answer> {
    let deadline = |call: &Calling| {
        let granted = call.timeout()?.min(timeout::MAX);
        Some(runtime::now() + granted.saturating_sub(watch.elapsed()))
    };
    let mut has_waited = false;
    for (at, interceptor) in interceptors.iter().enumerate() {
        watch.set_reached(at + 1);
        if interceptor.start(&mut call)? == Step::Pass {
            continue;
        }
        has_waited = true;
        let due = deadline(&call);
        let waiting = interceptor.wait(&mut call);
        match due {
            None => waiting.await?,
            Some(due) => {
                let left = due.saturating_sub(runtime::now());
                match runtime::timeout(left, waiting).await {
                    Ok(outcome) => outcome?,
                    Err(_) => return Err(expired().into()),
                }
            }
        }
    }
    if has_waited && let Some(granted) = call.timeout() {
        let left = granted.saturating_sub(watch.elapsed());
        call.request_mut().set_timeout(left);
    }
    Ok(call.into_parts())
}
