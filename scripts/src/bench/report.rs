//! Output of h2load, as numbers.

/// Result of one run of h2load.
#[derive(Debug, PartialEq)]
pub struct Report {
    /// Number of successful requests.
    pub done: u64,
    /// Requests per second.
    pub rps: f64,
    /// Bytes of DATA frames received.
    pub data_bytes: u64,
}

impl Report {
    /// Parses the closing lines of h2load.
    pub fn read(output: &str) -> Option<Self> {
        let line = |start: &str| output.lines().find_map(|line| line.strip_prefix(start));
        let number = |text: &str, unit: &str| {
            let before = text.split(unit).next()?;
            before
                .rsplit([' ', '(', ','])
                .find(|word| !word.is_empty())?
                .parse::<f64>()
                .ok()
        };
        let rps = number(line("finished in ")?, " req/s")?;
        let done = number(line("requests: ")?, " succeeded")? as u64;
        let (_, data) = line("traffic: ")?.rsplit_once('(')?;
        Some(Self {
            done,
            rps,
            data_bytes: number(data, ") data")? as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_are_read() {
        let output = "\
finished in 1.23s, 243212.50 req/s, 11.90MB/s
requests: 300000 total, 300000 started, 300000 done, 299999 succeeded, 1 failed, 0 errored
status codes: 300000 2xx, 0 3xx, 0 4xx, 0 5xx
traffic: 14.68MB (15390000) total, 879.05KB (900150) headers (savings 95%), 10.30MB (10800000) data
";
        let report = Report {
            done: 299_999,
            rps: 243_212.5,
            data_bytes: 10_800_000,
        };
        assert_eq!(Report::read(output), Some(report));
        assert_eq!(Report::read("h2load: error"), None);
    }
}
