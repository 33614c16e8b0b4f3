//! Successful calls over TLS, and the peer identity that the server sees.

use corespun_client::Channel;
use corespun_codec::Request;
use nix::unistd::{getegid, geteuid};

use crate::engines::on_each_engine;
use crate::world::{ECHO, HOST, WHO, World, ask, channel, mirror};

#[test]
fn messages_of_all_sizes_and_streams() {
    on_each_engine(async |engine| {
        let world = World::new("messages");
        let server = mirror(engine).listen("127.0.0.1:0").tls(world.tls());
        let server = server.start().expect("a server");
        let target = format!("https://{}", server.addresses()[0]);
        let channel = channel(&target, world.client());
        for len in [101, 16_000, 70_000, (3 << 20) + 7] {
            let sent = "x".repeat(len);
            let back = channel.unary(WHO, Request::new(sent.clone())).await;
            assert!(back.expect("an answer").into_inner() == sent, "{len} bytes");
        }
        let echoing = channel.bidi_streaming(ECHO, Request::default()).await;
        let (mut requests, mut responses) = echoing.expect("a stream");
        for number in 0..200 {
            requests.send(number.to_string()).await.expect("sent");
            assert_eq!(responses.message().await, Ok(Some(number.to_string())));
        }
        requests.finish();
        assert_eq!(responses.message().await, Ok(None));
        drop(channel);
        server.stop().expect("a clean end");
    });
}

#[test]
fn the_server_knows_its_caller() {
    on_each_engine(async |engine| {
        let world = World::new("caller");
        let path = |name: &str| format!("unix:{}", world.folder.0.join(name).display());
        let server = mirror(engine)
            .tls(world.mutual().client_auth_optional())
            .listen("127.0.0.1:0")
            .listen_plaintext("127.0.0.1:0")
            .listen(path("tls.sock"))
            .listen_plaintext(path("plain.sock"))
            .start()
            .expect("a server");
        let addresses: Vec<String> = server.addresses().iter().map(ToString::to_string).collect();
        let [tls, plain, unix_tls, unix] = &addresses[..] else {
            panic!("four listeners, not {addresses:?}");
        };
        let known =
            format!("TLSv1_3 sni={HOST} names=client.test,spiffe://test/client certificates=1");
        let unknown = format!("TLSv1_3 sni={HOST} names= certificates=0");
        let (pid, uid, gid) = (std::process::id(), geteuid(), getegid());
        let process = format!(" pid={pid} uid={uid} gid={gid}");
        let cases = [
            (channel(tls, world.known_client()), known.clone()),
            (channel(tls, world.client()), unknown),
            (channel(unix_tls, world.known_client()), known + &process),
            (Channel::lazy(plain).expect("a target"), "plain".to_owned()),
            (
                Channel::lazy(unix).expect("a target"),
                format!("plain{process}"),
            ),
        ];
        for (channel, expected) in &cases {
            // More than once: the second call's head is one that the server remembers.
            for _ in 0..3 {
                assert_eq!(ask(channel).await.as_deref(), Ok(&**expected));
            }
        }
        drop(cases);
        server.stop().expect("a clean end");
    });
}
