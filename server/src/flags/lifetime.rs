//! Flags for the lifetime of connections, with gRPC's own names.

use std::time::Duration;

use crate::lifetime::Lifetime;

/// Lifetime and keepalive of connections; flatten it into a `clap` parser. Times are such as `2h`,
/// `5m`, `20s`, `1500ms` or `never`.
#[derive(Clone, Debug, clap::Args)]
pub struct LifetimeFlags {
    /// Time without data from a client after which a keepalive PING is sent
    #[arg(long, value_name = "TIME", default_value = "2h", value_parser = span)]
    pub keepalive_time: Duration,

    /// Time to wait for an answer to a keepalive PING before the connection is closed
    #[arg(long, value_name = "TIME", default_value = "20s", value_parser = span)]
    pub keepalive_timeout: Duration,

    /// Minimum interval between PINGs of a client; 0s counts them like other frames without effect
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = span)]
    pub keepalive_min_time: Duration,

    /// Allow PINGs at the minimum interval also without a call; otherwise one every two hours
    #[arg(long)]
    pub permit_without_stream: bool,

    /// Age at which a connection drains, plus or minus 10 %
    #[arg(long, value_name = "TIME", default_value = "never", value_parser = span)]
    pub max_connection_age: Duration,

    /// Time that calls may take to end after their connection has reached its maximum age
    #[arg(long, value_name = "TIME", default_value = "never", value_parser = span)]
    pub max_connection_age_grace: Duration,

    /// Time without a call after which a connection drains
    #[arg(long, value_name = "TIME", default_value = "never", value_parser = span)]
    pub max_connection_idle: Duration,

    /// Maximum number of connections, over all shards [default: no bound]
    #[arg(long, value_name = "N")]
    pub max_connections: Option<usize>,
}

impl LifetimeFlags {
    /// Writes the flags into `lifetime`.
    pub fn apply(&self, lifetime: &mut Lifetime) {
        *lifetime = Lifetime {
            keepalive_time: self.keepalive_time,
            keepalive_timeout: self.keepalive_timeout,
            keepalive_min_time: self.keepalive_min_time,
            permit_without_stream: self.permit_without_stream,
            max_connection_age: self.max_connection_age,
            max_connection_age_grace: self.max_connection_age_grace,
            max_connection_idle: self.max_connection_idle,
            max_connections: self.max_connections.unwrap_or(usize::MAX),
        };
    }
}

/// Parses a time with its unit.
fn span(text: &str) -> Result<Duration, String> {
    if text == "never" {
        return Ok(Duration::MAX);
    }
    let units = [("ms", 1), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    let found = units.iter().find_map(|(unit, millis)| {
        let count: u64 = text.strip_suffix(unit)?.parse().ok()?;
        count.checked_mul(*millis)
    });
    let wrong = || format!("{text:?} is not a time such as 2h, 5m, 20s, 1500ms or never");
    found.map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        flags: LifetimeFlags,
    }

    fn parse(line: &str) -> Lifetime {
        let line = Line::try_parse_from(line.split(' '));
        let mut lifetime = Lifetime::default();
        line.expect("a line").flags.apply(&mut lifetime);
        lifetime
    }

    #[test]
    fn without_flags_the_defaults_hold() {
        assert_eq!(parse("server"), Lifetime::default());
    }

    #[test]
    fn flags_are_told_apart() {
        let line = "server --keepalive-time 1h --keepalive-timeout 2s --keepalive-min-time 3ms \
                    --permit-without-stream --max-connection-age 4m --max-connection-idle 5s \
                    --max-connection-age-grace 6s --max-connections 7";
        let line: Vec<&str> = line.split_whitespace().collect();
        let expected = Lifetime {
            keepalive_time: Duration::from_secs(3600),
            keepalive_timeout: Duration::from_secs(2),
            keepalive_min_time: Duration::from_millis(3),
            permit_without_stream: true,
            max_connection_age: Duration::from_secs(240),
            max_connection_age_grace: Duration::from_secs(6),
            max_connection_idle: Duration::from_secs(5),
            max_connections: 7,
        };
        assert_eq!(parse(&line.join(" ")), expected);
    }

    #[test]
    fn times_need_a_unit() {
        for wrong in ["", "5", "s", "-1s", "1.5s", "1d", "99999999999999999h"] {
            assert!(span(wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(span("0s"), Ok(Duration::ZERO));
    }
}
