//! `grpc.channelz.v1.Channelz`: counters of each connection of the server (gRFC A14).
//!
//! A query goes to every shard through its mailbox and is answered there, between two turns. The
//! results are sorted by id. The list of channels is empty, because the server makes no calls.

mod describe;

use std::rc::Rc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use corespun_codec::{Request, Response, Status};
use corespun_proto::channelz::channelz_methods as method;
use corespun_proto::channelz::{
    FILE_DESCRIPTOR_SET, GetChannelRequest, GetServerRequest, GetServerResponse,
    GetServerSocketsRequest, GetServerSocketsResponse, GetServersRequest, GetServersResponse,
    GetSocketRequest, GetSocketResponse, GetSubchannelRequest, GetTopChannelsRequest,
    GetTopChannelsResponse, Server,
};
use corespun_runtime::{Address, invoke_on, now, shard_count};

use crate::routes::Routes;
use crate::service::Service;
use crate::tally::{Calls, Tallies};

/// Most entries in one page of a list; clients request the next page.
const PAGE_MAX: usize = 100;

/// Next id of a server, listener or connection; unique in the process.
static NEXT_ID: AtomicI64 = AtomicI64::new(1);

/// Returns an id that is unique in the process.
pub(crate) fn fresh_id() -> i64 {
    NEXT_ID.fetch_add(1, Ordering::Relaxed)
}

/// Channelz data of one server; clones share it.
#[derive(Clone, Debug)]
pub(crate) struct Channelz {
    known: Arc<Known>,
}

#[derive(Debug)]
struct Known {
    id: i64,
    since: Duration,
    /// Listeners; set once all are bound, before any query can arrive.
    listeners: OnceLock<Vec<Listener>>,
}

/// Listening socket.
#[derive(Clone, Debug)]
struct Listener {
    id: i64,
    address: Address,
}

impl Channelz {
    /// Creates the channelz data of a server that is about to start.
    pub(crate) fn new() -> Self {
        let known = Known {
            id: fresh_id(),
            since: now(),
            listeners: OnceLock::new(),
        };
        Self {
            known: Arc::new(known),
        }
    }

    /// Sets the addresses that the server listens on.
    pub(crate) fn set_listeners(&self, addresses: &[Address]) {
        self.known.listeners.get_or_init(|| {
            let each = addresses.iter().map(|address| Listener {
                id: fresh_id(),
                address: address.clone(),
            });
            each.collect()
        });
    }

    fn listeners(&self) -> &[Listener] {
        self.known.listeners.get().map_or(&[], Vec::as_slice)
    }

    async fn server(&self) -> Server {
        let mut calls = Calls::default();
        for found in ask_all(|tallies| tallies.calls()).await {
            calls += found;
        }
        describe::server(&self.known, self.listeners(), calls)
    }

    fn check_server(&self, id: i64) -> Result<(), Status> {
        if id == self.known.id {
            return Ok(());
        }
        Err(Status::not_found(format!("no server has id {id}")))
    }

    async fn servers(&self, request: GetServersRequest) -> Result<GetServersResponse, Status> {
        let page = Page::of(request.start_server_id, request.max_results)?;
        let mut server = Vec::new();
        if page.start <= self.known.id {
            server.push(self.server().await);
        }
        Ok(GetServersResponse { server, end: true })
    }

    async fn sockets(
        &self,
        request: GetServerSocketsRequest,
    ) -> Result<GetServerSocketsResponse, Status> {
        self.check_server(request.server_id)?;
        let Page { start, max } = Page::of(request.start_socket_id, request.max_results)?;
        // One entry more than returned shows whether the list continues.
        let asked = move |tallies: &Tallies| tallies.page(start, max + 1, describe::socket_ref);
        let pages = ask_all(asked).await;
        let mut socket_ref: Vec<_> = pages.into_iter().flatten().collect();
        socket_ref.sort_unstable_by_key(|socket| socket.socket_id);
        let end = socket_ref.len() <= max;
        socket_ref.truncate(max);
        Ok(GetServerSocketsResponse { socket_ref, end })
    }

    async fn socket(&self, request: GetSocketRequest) -> Result<GetSocketResponse, Status> {
        let id = request.socket_id;
        if let Some(listener) = self.listeners().iter().find(|listener| listener.id == id) {
            let socket = Some(describe::listener(listener));
            return Ok(GetSocketResponse { socket });
        }
        let asked = move |tallies: &Tallies| tallies.find(id, describe::socket);
        let found = ask_all(asked).await.into_iter().flatten().next();
        match found {
            Some(socket) => Ok(GetSocketResponse {
                socket: Some(socket),
            }),
            None => Err(Status::not_found(format!("no socket has id {id}"))),
        }
    }
}

/// Part of a list that a client requests.
#[derive(Debug, PartialEq)]
struct Page {
    /// Smallest id to include.
    start: i64,
    /// Most entries to include.
    max: usize,
}

impl Page {
    fn of(start: i64, max_results: i64) -> Result<Self, Status> {
        if start < 0 {
            let text = format!("the id to start from must not be negative, as {start} is");
            return Err(Status::invalid_argument(text));
        }
        let max = match usize::try_from(max_results) {
            Ok(0) => PAGE_MAX,
            Ok(max) => max.min(PAGE_MAX),
            Err(_) => {
                let text = format!("max_results must not be negative, as {max_results} is");
                return Err(Status::invalid_argument(text));
            }
        };
        Ok(Self { start, max })
    }
}

/// Queries every shard; a shard that has ended contributes nothing.
async fn ask_all<T: Send + 'static>(
    question: impl Fn(&Tallies) -> T + Clone + Send + 'static,
) -> Vec<T> {
    let asked = (0..shard_count()).map(|shard| {
        let question = question.clone();
        invoke_on(shard, move || Tallies::ask(question))
    });
    // All shards are queried before the first response is awaited.
    let asked: Vec<_> = asked.collect();
    let mut answers = Vec::with_capacity(asked.len());
    for answer in asked {
        answers.extend(answer.await.ok().flatten());
    }
    answers
}

fn no_channels(kind: &str, id: i64) -> Status {
    Status::not_found(format!("no {kind} has id {id}: this server makes no calls"))
}

impl Service for Channelz {
    const NAME: &'static str = method::NAME;
    const DESCRIPTOR_SET: &'static [u8] = FILE_DESCRIPTOR_SET;

    fn register(self, routes: &mut Routes) {
        let told = Rc::new(self);
        routes.unary(
            method::GET_TOP_CHANNELS,
            &told,
            |_, request: Request<GetTopChannelsRequest>| async move {
                let request = request.get_ref();
                Page::of(request.start_channel_id, request.max_results)?;
                let channel = Vec::new();
                Ok(Response::new(GetTopChannelsResponse { channel, end: true }))
            },
        );
        routes.unary(
            method::GET_SERVERS,
            &told,
            |told, request: Request<GetServersRequest>| async move {
                told.servers(request.into_inner()).await.map(Response::new)
            },
        );
        routes.unary(
            method::GET_SERVER,
            &told,
            |told, request: Request<GetServerRequest>| async move {
                told.check_server(request.get_ref().server_id)?;
                let server = Some(told.server().await);
                Ok(Response::new(GetServerResponse { server }))
            },
        );
        routes.unary(
            method::GET_SERVER_SOCKETS,
            &told,
            |told, request: Request<GetServerSocketsRequest>| async move {
                told.sockets(request.into_inner()).await.map(Response::new)
            },
        );
        routes.unary(
            method::GET_SOCKET,
            &told,
            |told, request: Request<GetSocketRequest>| async move {
                told.socket(request.into_inner()).await.map(Response::new)
            },
        );
        routes.unary(
            method::GET_CHANNEL,
            &told,
            |_, request: Request<GetChannelRequest>| async move {
                Err(no_channels("channel", request.get_ref().channel_id))
            },
        );
        routes.unary(
            method::GET_SUBCHANNEL,
            &told,
            |_, request: Request<GetSubchannelRequest>| async move {
                Err(no_channels("subchannel", request.get_ref().subchannel_id))
            },
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages() {
        for (start, asked, max) in [(0, 0, 100), (5, 1, 1), (0, 100, 100), (i64::MAX, 101, 100)] {
            assert_eq!(Page::of(start, asked).unwrap(), Page { start, max });
        }
        for (start, asked, words) in [(-1, 0, "-1"), (0, i64::MIN, "-9223372036854775808")] {
            let status = Page::of(start, asked).unwrap_err();
            assert!(status.message().contains(words), "{status}");
        }
    }
}
