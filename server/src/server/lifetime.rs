//! Builder settings for the lifetime of connections, with the names of gRPC.

use std::time::Duration;

use super::ServerBuilder;

impl ServerBuilder {
    /// Sets the time without data from a client after which a keepalive PING is sent, and the time
    /// to wait for an answer. Default: two hours and 20 seconds. See [`Lifetime`](crate::Lifetime),
    /// also for the other settings.
    pub fn keepalive(mut self, time: Duration, timeout: Duration) -> Self {
        self.config.lifetime.keepalive_time = time;
        self.config.lifetime.keepalive_timeout = timeout;
        self
    }

    /// Sets the minimum interval between PINGs of a client, and whether it applies without a call
    /// too. Default: five minutes, and no. A client that violates it gets `too_many_pings`.
    pub fn keepalive_enforcement(
        mut self,
        min_time: Duration,
        permit_without_stream: bool,
    ) -> Self {
        self.config.lifetime.keepalive_min_time = min_time;
        self.config.lifetime.permit_without_stream = permit_without_stream;
        self
    }

    /// Sets the age at which a connection drains, plus or minus 10 %. Default: no limit.
    pub fn max_connection_age(mut self, age: Duration) -> Self {
        self.config.lifetime.max_connection_age = age;
        self
    }

    /// Sets the time that calls may take to end after the maximum age. Default: no limit.
    pub fn max_connection_age_grace(mut self, grace: Duration) -> Self {
        self.config.lifetime.max_connection_age_grace = grace;
        self
    }

    /// Sets the time without a call after which a connection drains. Default: no limit.
    pub fn max_connection_idle(mut self, idle: Duration) -> Self {
        self.config.lifetime.max_connection_idle = idle;
        self
    }

    /// Sets the maximum number of open connections, over all shards. Default: no limit.
    pub fn max_connections(mut self, connections: usize) -> Self {
        self.config.lifetime.max_connections = connections;
        self
    }
}
