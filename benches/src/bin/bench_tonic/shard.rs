//! One shard: a pinned thread with its own tokio runtime and its own tonic server.

use std::net::TcpListener as BoundListener;
use std::time::Duration;

use core_affinity::CoreId;
use corespun_benches::AnyError;
use corespun_benches::answers::{CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES, STREAMS_MAX};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::benchmark::Benchmark;
use crate::users::Users;

/// Longest time that open calls may take to end after SIGTERM; endless streams never would.
const GRACE: Duration = Duration::from_secs(5);

/// Serves the listeners on the calling thread until SIGTERM or SIGINT has drained them.
pub(crate) fn run(
    listeners: Vec<BoundListener>,
    cpu: Option<usize>,
    ready: impl FnOnce(),
) -> Result<(), AnyError> {
    if let Some(id) = cpu
        && !core_affinity::set_for_current(CoreId { id })
    {
        return Err(format!("failed to pin a shard to CPU {id}").into());
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(serve(listeners, ready))
}

async fn serve(listeners: Vec<BoundListener>, ready: impl FnOnce()) -> Result<(), AnyError> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (stop, stopped) = watch::channel(false);
    let mut servers = JoinSet::new();
    for listener in listeners {
        servers.spawn(host(TcpListener::from_std(listener)?, stopped.clone()));
    }
    ready();
    tokio::select! {
        ended = all(&mut servers) => return ended,
        () = either(&mut terminate, &mut interrupt) => {}
    }
    stop.send_replace(true);
    time::timeout(GRACE, all(&mut servers))
        .await
        .unwrap_or(Ok(()))
}

async fn host(
    listener: TcpListener,
    mut stopped: watch::Receiver<bool>,
) -> Result<(), tonic::transport::Error> {
    Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .add_service(Users::service())
        .add_service(Benchmark::service())
        .serve_with_incoming_shutdown(
            TcpIncoming::from(listener).with_nodelay(Some(true)),
            async move {
                let _ = stopped.wait_for(|stopped| *stopped).await;
            },
        )
        .await
}

async fn all(servers: &mut JoinSet<Result<(), tonic::transport::Error>>) -> Result<(), AnyError> {
    while let Some(ended) = servers.join_next().await {
        ended??;
    }
    Ok(())
}

async fn either(first: &mut Signal, second: &mut Signal) {
    tokio::select! {
        _ = first.recv() => {}
        _ = second.recv() => {}
    }
}
