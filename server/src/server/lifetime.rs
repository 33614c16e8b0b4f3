//! What can be said of how long connections live, by gRPC's own names.

use std::time::Duration;

use super::ServerBuilder;

impl ServerBuilder {
    /// The silence of a caller after which a PING asks whether it is still there, and how long it
    /// may be silent after that; two hours and 20 seconds by default. See
    /// [`Lifetime`](crate::Lifetime), also for the others.
    pub fn keepalive(mut self, time: Duration, timeout: Duration) -> Self {
        self.config.lifetime.keepalive_time = time;
        self.config.lifetime.keepalive_timeout = timeout;
        self
    }

    /// How often callers may send PING, and whether also while they have no call: every five
    /// minutes and no by default. Who does not keep to it gets `too_many_pings`.
    pub fn keepalive_enforcement(
        mut self,
        min_time: Duration,
        permit_without_stream: bool,
    ) -> Self {
        self.config.lifetime.keepalive_min_time = min_time;
        self.config.lifetime.permit_without_stream = permit_without_stream;
        self
    }

    /// The age at which a connection drains, give or take a tenth; no bound by default.
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.config.lifetime.max_connection_age = age;
        self
    }

    /// How long calls may take after that; no bound by default.
    pub fn max_connection_age_grace(mut self, grace: Duration) -> Self {
        self.config.lifetime.max_connection_age_grace = grace;
        self
    }

    /// How long a connection may be without a call; no bound by default.
    pub fn max_connection_idle(mut self, idle: Duration) -> Self {
        self.config.lifetime.max_connection_idle = idle;
        self
    }

    /// How many connections may be open at once, on all shards together; no bound by default.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.lifetime.max_connections = connections;
        self
    }
}
