//! Servers that do not speak HTTP/2, or disconnect: the reasons that callers get.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use corespun_client::Channel;
use corespun_codec::Code;

use super::words::UPPER;
use super::{on_each_engine, text};

/// Starts a server that sends `words` to each of its next clients and then disconnects.
fn stranger(words: &'static [u8]) -> (SocketAddr, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut preface = [0; 24];
        socket.read_exact(&mut preface).unwrap();
        socket.write_all(words).unwrap();
    });
    (address, serving)
}

#[test]
fn what_a_stranger_said_first_is_passed_on() {
    on_each_engine(async |_| {
        for (words, parts) in [
            (
                &b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..],
                ["speaks HTTP/1, not HTTP/2", "\"HTTP/1.1 400 Bad Request"],
            ),
            (b"\x15\x03\x01\0\x02\x02\x46", ["speaks TLS", "\\u{15}"]),
            (
                b"-ERR unknown command\r\n",
                ["not speak HTTP/2", "-ERR unknown"],
            ),
            (b"", ["lost", "ahead of its SETTINGS"]),
        ] {
            let (address, serving) = stranger(words);
            let channel = Channel::lazy(&address.to_string()).unwrap();
            let status = channel.unary(UPPER, text("hello")).await.unwrap_err();
            serving.join().unwrap();
            assert_eq!(status.code(), Code::Unavailable, "{status}");
            let address = address.to_string();
            for part in parts.into_iter().chain([&*address]) {
                assert!(status.message().contains(part), "{status}");
            }
        }
    });
}

/// GOAWAY with a reason after valid SETTINGS, and the end of the socket.
#[test]
fn the_reason_of_a_server_that_leaves_is_passed_on() {
    on_each_engine(async |_| {
        let words = b"\0\0\0\x04\0\0\0\0\0\
                      \0\0\x0d\x07\0\0\0\0\0\0\0\0\x01\0\0\0\x0benjoy";
        let (address, serving) = stranger(words);
        let channel = Channel::lazy(&address.to_string()).unwrap();
        let status = channel.unary(UPPER, text("hello")).await.unwrap_err();
        serving.join().unwrap();
        assert_eq!(status.code(), Code::Unavailable, "{status}");
        let reason = "GOAWAY ENHANCE_YOUR_CALM (0xb): \"enjoy\"";
        assert!(status.message().contains(reason), "{status}");
    });
}
