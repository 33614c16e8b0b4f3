//! Counters of a server, read through `grpc.channelz.v1.Channelz` on both engines.

use std::io::Write as _;
use std::time::{Duration, SystemTime};

use corespun::runtime::{Engine, LocalConfig, LocalShard};
use corespun::server::Running;
use corespun::{Channel, Code, Method, Server, Status, sleep, spawn_blocking};
use corespun_examples::interop::proto::grpc::testing::test_service_client::TestServiceClient;
use corespun_examples::interop::proto::grpc::testing::test_service_server::TestServiceServer;
use corespun_examples::interop::proto::grpc::testing::{
    EchoStatus, Empty, ResponseParameters, SimpleRequest, StreamingOutputCallRequest,
};
use corespun_examples::interop::{Interop, Load};
use corespun_proto::channelz::address::Address as Kind;
use corespun_proto::channelz::{
    Address, GetServerSocketsRequest, GetServerSocketsResponse, GetServersRequest,
    GetSocketRequest, ServerData, Socket, channelz_methods,
};

use super::{TIMEOUT, timed};

struct Asker {
    channel: Channel,
    port: i32,
}

impl Asker {
    async fn ask<Q, R>(&self, method: Method<Q, R>, question: Q) -> Result<R, Status>
    where
        Q: corespun::prost::Message + 'static,
        R: corespun::prost::Message + Default + 'static,
    {
        let answer = self.channel.unary(method, timed(question)).await?;
        Ok(answer.into_inner())
    }

    /// Returns the server's id, its counters, and its one listener.
    async fn server(&self) -> (i64, ServerData, i64) {
        let question = GetServersRequest::default();
        let answer = self.ask(channelz_methods::GET_SERVERS, question).await;
        let server = answer.expect("an answer").server.remove(0);
        let id = server.r#ref.expect("a ref").server_id;
        let data = server.data.expect("data");
        (id, data, server.listen_socket[0].socket_id)
    }

    async fn sockets(&self, start_socket_id: i64, max_results: i64) -> GetServerSocketsResponse {
        let (server_id, ..) = self.server().await;
        let question = GetServerSocketsRequest {
            server_id,
            start_socket_id,
            max_results,
        };
        let answer = self
            .ask(channelz_methods::GET_SERVER_SOCKETS, question)
            .await;
        answer.expect("an answer")
    }

    async fn socket(&self, socket_id: i64) -> Result<Socket, Status> {
        let summary = false;
        let question = GetSocketRequest { socket_id, summary };
        let answer = self.ask(channelz_methods::GET_SOCKET, question).await?;
        Ok(answer.socket.expect("a socket"))
    }

    /// Waits until a connection is no longer listed.
    async fn forgets(&self, id: i64) {
        for _ in 0..TIMEOUT.as_millis() / 10 {
            let refs = self.sockets(0, 0).await.socket_ref;
            if refs.iter().all(|found| found.socket_id != id) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("connection {id} stays listed");
    }

    /// Returns the newest connection, once `settled` holds for it.
    async fn newest(&self, settled: impl Fn(&Socket) -> bool) -> Socket {
        for _ in 0..TIMEOUT.as_millis() / 10 {
            let refs = self.sockets(0, 0).await.socket_ref;
            let last = refs.last().expect("a connection").socket_id;
            let socket = self.socket(last).await.expect("it is there");
            if settled(&socket) {
                return socket;
            }
            sleep(Duration::from_millis(10)).await;
        }
        panic!("the connection does not come to what is expected of it");
    }
}

fn start(engine: Engine) -> Running {
    let server = Server::builder().listen("127.0.0.1:0").shards(2);
    server
        .engine(engine)
        .channelz()
        .service(|_shard| Ok(TestServiceServer::new(Interop::new(Load::default()))))
        .start()
        .expect("a server")
}

/// Runs a scenario on each engine that the kernel permits.
fn on_each_engine(scenario: impl AsyncFn(&str, &Asker)) {
    for (engine, usable) in Engine::candidates() {
        let shard = usable.and_then(|()| LocalShard::new(LocalConfig { engine, cpu: None }));
        match shard {
            Ok(mut shard) => shard.block_on(async {
                let running = start(engine);
                let address = running.addresses()[0].to_string();
                let port = address.rsplit_once(':').expect("a port").1;
                let asker = Asker {
                    channel: Channel::connect(&address).await.expect("a connection"),
                    port: port.parse().expect("a number"),
                };
                scenario(&address, &asker).await;
                drop(asker);
                let stopped = spawn_blocking(move || running.stop()).await;
                stopped.expect("a clean end");
            }),
            Err(error) if engine == Engine::Uring => {
                let _ = writeln!(std::io::stderr(), "SKIPPED channelz on uring: {error}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// Makes three successful calls, a failed one, a stream of two messages each way, and one that is
/// dropped.
async fn call(channel: &Channel) {
    let client = TestServiceClient::new(channel.clone());
    for _ in 0..3 {
        client.empty_call(timed(Empty {})).await.expect("an answer");
    }
    let status = EchoStatus {
        code: Code::NotFound as i32,
        message: "no".to_owned(),
    };
    let request = SimpleRequest {
        response_status: Some(status),
        ..SimpleRequest::default()
    };
    client
        .unary_call(timed(request))
        .await
        .expect_err("asked to");
    let (mut requests, mut answers) = client.full_duplex_call(timed(())).await.expect("a call");
    for _ in 0..2 {
        let request = StreamingOutputCallRequest {
            response_parameters: vec![ResponseParameters::default()],
            ..StreamingOutputCallRequest::default()
        };
        requests.send(request).await.expect("sent");
        answers
            .message()
            .await
            .expect("an answer")
            .expect("a message");
    }
    requests.finish();
    assert_eq!(answers.message().await.expect("an end"), None);
    let cut = client.streaming_input_call(timed(())).await;
    drop(cut.expect("a call"));
    // Sent later on the same connection: the server has processed the call by now.
    client.empty_call(timed(Empty {})).await.expect("an answer");
}

fn port(address: Option<Address>) -> i32 {
    match address.and_then(|address| address.address) {
        Some(Kind::TcpipAddress(address)) => {
            assert_eq!(address.ip_address, [127, 0, 0, 1]);
            address.port
        }
        other => panic!("no address of the Internet: {other:?}"),
    }
}

#[test]
fn calls_and_connections_are_counted() {
    on_each_engine(async |address, asker| {
        let (_, before, listener) = asker.server().await;
        assert_eq!((before.calls_started, before.calls_succeeded), (1, 0));
        let other = Channel::connect(address).await.expect("a connection");
        call(&other).await;

        let failed = |socket: &Socket| socket.data.as_ref().map_or(0, |data| data.streams_failed);
        let socket = asker.newest(|socket| failed(socket) == 1).await;
        let data = socket.data.expect("data");
        assert_eq!((data.streams_started, data.streams_succeeded), (7, 6));
        assert_eq!((data.messages_received, data.messages_sent), (7, 6));
        assert!(data.local_flow_control_window > Some(0), "{data:?}");
        assert!(data.remote_flow_control_window > Some(0), "{data:?}");
        let sent = data.last_message_sent_timestamp.expect("a moment");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let apart = now
            .expect("a clock")
            .as_secs()
            .abs_diff(sent.seconds as u64);
        assert!(apart < 60, "{apart} s");
        assert_eq!(port(socket.local), asker.port);
        assert_ne!(port(socket.remote), asker.port);
        assert_eq!(socket.security, None);
        let listener = asker.socket(listener).await.expect("a listener");
        assert_eq!((port(listener.local), listener.remote), (asker.port, None));

        // The counts of a connection outlive it.
        drop(other);
        let gone = socket.r#ref.expect("a ref").socket_id;
        asker.forgets(gone).await;
        assert_eq!(asker.socket(gone).await.unwrap_err().code(), Code::NotFound);
        let (_, after, _) = asker.server().await;
        let questions = after.calls_started - 7;
        // The last query has not ended; the one about the closed connection has failed.
        assert_eq!(after.calls_succeeded, 5 + questions - 2, "{after:?}");
        assert_eq!(after.calls_failed, 2 + 1, "{after:?}");
    });
}

#[test]
fn connections_come_in_pages_and_in_order() {
    on_each_engine(async |address, asker| {
        let mut others = Vec::new();
        for _ in 0..4 {
            others.push(Channel::connect(address).await.expect("a connection"));
        }
        let all = asker.sockets(0, 0).await;
        let ids: Vec<_> = all.socket_ref.iter().map(|found| found.socket_id).collect();
        assert!(all.end && ids.len() == 5 && ids.is_sorted(), "{ids:?}");
        let (mut start, mut paged) = (0, Vec::new());
        loop {
            let page = asker.sockets(start, 2).await;
            paged.extend(page.socket_ref.iter().map(|found| found.socket_id));
            if page.end {
                break;
            }
            assert_eq!(page.socket_ref.len(), 2);
            start = paged.last().expect("an id") + 1;
        }
        assert_eq!(paged, ids);
    });
}
