//! Conversion of counters and addresses to channelz messages.

use std::net::SocketAddr;
use std::time::{Duration, UNIX_EPOCH};

use corespun_codec::TlsPeer;
use corespun_proto::channelz::address::{self, TcpIpAddress, UdsAddress};
use corespun_proto::channelz::security::{self, tls};
use corespun_proto::channelz::{
    Address, ChannelTrace, Security, Server, ServerData, ServerRef, Socket, SocketData, SocketRef,
};
use corespun_runtime as runtime;
use corespun_runtime::wall_time;
use prost_types::Timestamp;

use super::{Known, Listener};
use crate::tally::{Calls, Tally};

/// Human-readable name of this server.
const SERVER_NAME: &str = "corespun";

pub(super) fn server(known: &Known, listeners: &[Listener], calls: Calls) -> Server {
    let trace = ChannelTrace {
        creation_timestamp: timestamp(known.since),
        ..ChannelTrace::default()
    };
    Server {
        r#ref: Some(ServerRef {
            server_id: known.id,
            name: SERVER_NAME.to_owned(),
        }),
        data: Some(ServerData {
            trace: Some(trace),
            calls_started: count(calls.started),
            calls_succeeded: count(calls.succeeded),
            calls_failed: count(calls.failed + calls.cut),
            last_call_started_timestamp: calls.last.and_then(timestamp),
        }),
        listen_socket: listeners.iter().map(listener_ref).collect(),
    }
}

fn listener_ref(listener: &Listener) -> SocketRef {
    SocketRef {
        socket_id: listener.id,
        name: listener.address.to_string(),
    }
}

pub(super) fn listener(listener: &Listener) -> Socket {
    Socket {
        r#ref: Some(listener_ref(listener)),
        data: Some(SocketData::default()),
        local: Some(address(&listener.address)),
        ..Socket::default()
    }
}

pub(super) fn socket_ref(tally: &Tally) -> SocketRef {
    let remote = tally.ends.remote.as_ref();
    SocketRef {
        socket_id: tally.id,
        name: remote.map_or_else(|| "unix:".to_owned(), ToString::to_string),
    }
}

pub(super) fn socket(tally: &Tally) -> Socket {
    let ends = &tally.ends;
    // A peer without an address has a Unix socket that was never bound.
    let nameless = || runtime::Address::Unix(Default::default());
    let remote = ends.remote.clone().unwrap_or_else(nameless);
    let tls = ends.identity.as_ref().and_then(|found| found.tls.as_ref());
    Socket {
        r#ref: Some(socket_ref(tally)),
        data: Some(socket_data(tally)),
        local: ends.local.as_ref().map(address),
        remote: Some(address(&remote)),
        security: tls.map(security),
        remote_name: tls
            .and_then(|tls| tls.names.first().cloned())
            .unwrap_or_default(),
    }
}

fn socket_data(tally: &Tally) -> SocketData {
    let (calls, received, sent) = (tally.calls(), tally.received(), tally.sent());
    let (local, remote) = tally.windows();
    SocketData {
        streams_started: count(calls.started),
        // A stream that ends with any gRPC status has ended correctly.
        streams_succeeded: count(calls.succeeded + calls.failed),
        streams_failed: count(calls.cut),
        messages_sent: count(sent.count),
        messages_received: count(received.count),
        last_remote_stream_created_timestamp: calls.last.and_then(timestamp),
        last_message_sent_timestamp: sent.last.and_then(timestamp),
        last_message_received_timestamp: received.last.and_then(timestamp),
        local_flow_control_window: Some(window(local)),
        remote_flow_control_window: Some(window(remote)),
        ..SocketData::default()
    }
}

fn security(peer: &TlsPeer) -> Security {
    let found = security::Tls {
        cipher_suite: Some(tls::CipherSuite::StandardName(peer.cipher.to_owned())),
        remote_certificate: peer.certificates.first().cloned().unwrap_or_default(),
        ..security::Tls::default()
    };
    Security {
        model: Some(security::Model::Tls(found)),
    }
}

fn address(address: &runtime::Address) -> Address {
    let address = match address {
        runtime::Address::Tcp(address) => address::Address::TcpipAddress(TcpIpAddress {
            ip_address: ip(address),
            port: address.port().into(),
        }),
        runtime::Address::Unix(path) => address::Address::UdsAddress(UdsAddress {
            filename: path.to_string_lossy().into_owned(),
        }),
        // The form of grpc-go; channelz tools show it unchanged.
        runtime::Address::Abstract(name) => address::Address::UdsAddress(UdsAddress {
            filename: format!("@{}", String::from_utf8_lossy(name)),
        }),
    };
    Address {
        address: Some(address),
    }
}

fn ip(address: &SocketAddr) -> Vec<u8> {
    match address {
        SocketAddr::V4(address) => address.ip().octets().to_vec(),
        SocketAddr::V6(address) => address.ip().octets().to_vec(),
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn window(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

fn timestamp(moment: Duration) -> Option<Timestamp> {
    let since = wall_time(moment).duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp {
        seconds: i64::try_from(since.as_secs()).ok()?,
        nanos: i32::try_from(since.subsec_nanos()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use corespun_codec::{PeerIdentity, UnixPeer};

    use super::*;
    use crate::tally::{Ends, Tallies};

    fn described(ends: Ends) -> Socket {
        let counted = Rc::new(Tallies::default()).add(3, ends, Duration::ZERO);
        socket(&counted)
    }

    #[test]
    fn a_peer_behind_tls_is_told_of() {
        let tls = TlsPeer {
            certificates: vec![vec![1, 2], vec![3]],
            names: vec!["client.test".to_owned()],
            cipher: "TLS13_AES_128_GCM_SHA256",
            ..TlsPeer::default()
        };
        let identity = PeerIdentity {
            tls: Some(tls),
            unix: None,
        };
        let found = described(Ends {
            local: "[::1]:50051".parse().ok(),
            remote: "127.0.0.1:9".parse().ok(),
            identity: Some(Rc::new(identity)),
        });
        assert_eq!(found.r#ref.unwrap().name, "127.0.0.1:9");
        assert_eq!(found.remote_name, "client.test");
        let Some(security::Model::Tls(tls)) = found.security.unwrap().model else {
            panic!("no TLS");
        };
        assert_eq!(tls.remote_certificate, [1, 2]);
        let Some(address::Address::TcpipAddress(local)) = found.local.unwrap().address else {
            panic!("no TCP");
        };
        assert_eq!((local.ip_address.len(), local.port), (16, 50051));
    }

    #[test]
    fn a_peer_of_a_unix_socket_has_no_name() {
        let identity = PeerIdentity {
            tls: None,
            unix: Some(UnixPeer {
                pid: 1,
                uid: 2,
                gid: 3,
            }),
        };
        let found = described(Ends {
            local: "unix:/run/users.sock".parse().ok(),
            remote: None,
            identity: Some(Rc::new(identity)),
        });
        assert_eq!(found.security, None);
        let path = |address: Option<Address>| match address.unwrap().address {
            Some(address::Address::UdsAddress(found)) => found.filename,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            (path(found.local), path(found.remote)),
            ("/run/users.sock".into(), "".into())
        );
    }
}
