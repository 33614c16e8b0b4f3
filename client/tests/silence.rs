//! Servers that accept a connection and send nothing.

use std::time::Duration;

use corespun_client::{Config, Connection};
use corespun_runtime::{Flow, Protocol, SocketHandle, block_on};

#[test]
fn a_silent_server_has_as_long_as_connecting_may_take() {
    block_on(async {
        let config = Config {
            connect_timeout: Duration::from_secs(20),
            ..Config::default()
        };
        let (mut client, _channel) = Connection::pair("test:1", &config, SocketHandle::detached());
        let now = corespun_runtime::now();
        client.advance(now);
        let due = now + Duration::from_secs(20);
        assert_eq!(client.deadline(), Some(due));
        client.advance(due - Duration::from_nanos(1));
        assert_eq!(client.transmit(&mut Vec::new()), Flow::Open);
        client.advance(due);
        let mut last_words = Vec::new();
        assert_eq!(client.transmit(&mut last_words), Flow::Close);
        let settings_timeout = b"\0\0\0\x04first_settings_time_max: 20s without SETTINGS";
        assert!(last_words.ends_with(settings_timeout), "GOAWAY");
    })
    .unwrap();
}
