//! The flags that every server binary shares.

use corespun_runtime::Engine;

use crate::server::ServerBuilder;

/// Where and how to serve; flatten it into a `clap` parser.
#[derive(Clone, Debug, clap::Args)]
pub struct Flags {
    /// Addresses to listen on.
    #[arg(
        help = "Address to listen on: 127.0.0.1:50051, [::1]:0 or unix:/path; repeatable",
        long = "listen",
        value_name = "ADDR",
        default_value = "127.0.0.1:50051"
    )]
    pub listen: Vec<String>,

    /// Number of shards, one thread each [default: what affinity and CPU quota allow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub shards: Option<u32>,

    /// CPUs to pin the shards to, such as 0,2-3
    #[arg(long, value_name = "LIST", value_parser = parse_cpus)]
    pub cpus: Option<Cpus>,

    /// How sockets are driven: auto, uring or epoll
    #[arg(long, value_name = "ENGINE", default_value = "auto")]
    pub engine: Engine,

    /// What to log, such as info or corespun_runtime=debug
    #[arg(long, value_name = "FILTER", default_value = "info")]
    pub log: String,
}

/// A list of CPU numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cpus(pub Vec<usize>);

impl Flags {
    /// Applies the flags to a server.
    pub fn apply(&self, mut server: ServerBuilder) -> ServerBuilder {
        for address in &self.listen {
            server = server.listen(address);
        }
        if let Some(Cpus(cpus)) = &self.cpus {
            server = server.cpus(cpus.clone()).shards(cpus.len());
        }
        if let Some(shards) = self.shards {
            server = server.shards(shards as usize);
        }
        server.engine(self.engine)
    }
}

fn parse_cpus(text: &str) -> Result<Cpus, String> {
    let number = |part: &str| {
        part.trim()
            .parse::<usize>()
            .map_err(|_| format!("{part:?}"))
    };
    let mut cpus = Vec::new();
    for part in text.split(',') {
        let range = match part.split_once('-') {
            None => number(part).map(|cpu| cpu..=cpu),
            Some((from, to)) => number(from).and_then(|from| Ok(from..=number(to)?)),
        };
        match range {
            Ok(range) if range.end() < &4096 && !range.is_empty() => cpus.extend(range),
            _ => {
                return Err(format!(
                    "failed to read {part:?} as a CPU or a range of CPUs"
                ));
            }
        }
    }
    Ok(Cpus(cpus))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_lists() {
        assert_eq!(parse_cpus("0,2-4"), Ok(Cpus(vec![0, 2, 3, 4])));
        for bad in ["", "a", "1-", "3-2", "0,,1", "99999"] {
            assert!(parse_cpus(bad).is_err(), "{bad}");
        }
    }
}
