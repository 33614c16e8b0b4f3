//! Interceptors and settings of a whole server, created once on each shard.

use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

use corespun_client::Channel;
use corespun_codec::{Code, Request, Status};
use corespun_server::Incoming;

use crate::engines::on_each_engine;
use crate::words::{ECHO, UPPER, builder};

/// Number of interceptors created so far, on all shards of all servers.
static MADE: AtomicUsize = AtomicUsize::new(0);

#[test]
fn each_shard_has_its_own() {
    on_each_engine(async |engine| {
        let before = MADE.load(Ordering::SeqCst);
        let server = builder("127.0.0.1:0", engine)
            .shards(2)
            .intercept(|_shard| {
                MADE.fetch_add(1, Ordering::SeqCst);
                let calls = Cell::new(0);
                Ok(move |call: &mut Incoming| {
                    calls.set(calls.get() + 1);
                    match call.metadata().get("x-say") {
                        Some("no") => {
                            Err(Status::permission_denied(format!("call {}", calls.get())))
                        }
                        _ => Ok(()),
                    }
                })
            });
        let server = server.start().unwrap();
        assert_eq!(MADE.load(Ordering::SeqCst), before + 2);
        let channel = Channel::connect(&server.addresses()[0].to_string())
            .await
            .unwrap();
        let request = |say: &str| {
            let mut request = Request::new("metadata".to_owned());
            request.metadata_mut().append("x-say", say).unwrap();
            request
        };
        let response = channel.unary(UPPER, request("yes")).await.unwrap();
        assert_eq!(response.metadata().get("x-before"), Some("yes"));
        let status = channel.unary(UPPER, request("no")).await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::PermissionDenied, "call 2")
        );
        let refused = request("no").map(|_| ());
        let (_, mut words) = channel.bidi_streaming(ECHO, refused).await.unwrap();
        let status = words.message().await.unwrap_err();
        assert_eq!(
            (status.code(), status.message()),
            (Code::PermissionDenied, "call 3")
        );
        drop((words, channel));
        server.stop().unwrap();
    });
}
