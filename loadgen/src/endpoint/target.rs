//! Targets in gRPC's forms (`doc/naming.md` of grpc/grpc), and as URLs.

use corespun_runtime::Address;

use crate::args::without_user;
use crate::error::LoadError;

/// Accepted forms, for error texts.
const EXPECTED: &str = "expected HOST:PORT, dns:///HOST:PORT, ipv4:A.B.C.D:PORT, \
                        ipv6:[A::B]:PORT, unix:/path, unix-abstract:NAME, http://HOST:PORT or \
                        https://HOST:PORT";

/// Default port of a gRPC name and of `https`.
const PORT: u16 = 443;

/// Server that the command line names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Addresses in the order of attempts; at least one.
    pub(super) addresses: Vec<Address>,
    /// Name of the server for calls and certificates.
    pub(super) authority: String,
    /// True for `https` URLs, false for `http`; `None` for other targets.
    pub(super) secure: Option<bool>,
}

/// Parses a target. Names are resolved at once.
///
/// # Errors
/// Names the invalid part, or the name without an address.
pub(super) fn read(text: &str) -> Result<Target, LoadError> {
    let failed = |cause: String| LoadError::flag("--target", without_user(text), cause);
    if text.contains('@') && !text.starts_with("unix") {
        return Err(failed(
            "a target has no user and no password; see --token and --metadata".to_owned(),
        ));
    }
    let Some((scheme, rest)) = scheme_of(text) else {
        return named(text, None, None);
    };
    match scheme.to_ascii_lowercase().as_str() {
        "unix" | "unix-abstract" => Ok(Target {
            addresses: Address::resolve(text).map_err(LoadError::Target)?,
            authority: "localhost".to_owned(),
            secure: None,
        }),
        "dns" | "passthrough" => {
            let name = match rest.strip_prefix("//") {
                None => rest.strip_prefix('/').unwrap_or(rest),
                Some(rest) => match rest.split_once('/') {
                    Some(("", name)) => name,
                    Some((server, _)) => {
                        let cause = "names are resolved by this machine";
                        return Err(failed(format!("the DNS server {server}: {cause}")));
                    }
                    None => return Err(failed("expected dns:///HOST:PORT".to_owned())),
                },
            };
            named(name, Some(PORT), None)
        }
        "ipv4" | "ipv6" => listed(text, rest),
        "http" | "https" => {
            let secure = scheme.eq_ignore_ascii_case("https");
            let rest = rest.strip_prefix("//").unwrap_or_default();
            let host = rest.strip_suffix('/').unwrap_or(rest);
            if let Some(place) = host.find(['/', '?', '#']) {
                let cause = format!("a target has no path, found {:?}", &host[place..]);
                return Err(failed(cause));
            }
            named(host, Some(if secure { PORT } else { 80 }), Some(secure))
        }
        _ => Err(failed(format!("the scheme {scheme:?}: {EXPECTED}"))),
    }
}

/// Returns scheme and rest of a target with a scheme; a colon before a port does not count.
fn scheme_of(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let mut letters = scheme.bytes();
    let is_scheme = letters
        .next()
        .is_some_and(|byte| byte.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let known = [
        "unix",
        "unix-abstract",
        "dns",
        "ipv4",
        "ipv6",
        "http",
        "https",
        "passthrough",
    ];
    let known = known.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let is_port = rest.bytes().all(|byte| byte.is_ascii_digit());
    // A name may be called like a scheme, but a scheme is never followed by a port alone.
    let is_target = rest.contains('/') || known || rest.contains(':');
    (is_scheme && !is_port && is_target).then_some((scheme, rest))
}

/// Returns a target with a host, which may be a name.
fn named(host: &str, port: Option<u16>, secure: Option<bool>) -> Result<Target, LoadError> {
    let authority = match port {
        Some(port) if !host.is_empty() && !has_port(host) => format!("{host}:{port}"),
        _ => host.to_owned(),
    };
    Ok(Target {
        addresses: Address::resolve(&authority).map_err(LoadError::Target)?,
        authority,
        secure,
    })
}

/// Returns a target with several addresses, separated by commas; names are not accepted.
fn listed(text: &str, list: &str) -> Result<Target, LoadError> {
    let failed = |cause: String| LoadError::flag("--target", text, cause);
    let ipv6 = text.starts_with("ipv6") || text.starts_with("IPV6");
    let mut authorities = list.trim_start_matches('/').split(',').map(|one| {
        let ip = one.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
        match ip {
            Ok(ip) if ip.is_ipv6() => format!("[{ip}]:{PORT}"),
            Ok(ip) => format!("{ip}:{PORT}"),
            Err(_) => one.to_owned(),
        }
    });
    let read = |authority: &String| match authority.parse::<std::net::SocketAddr>() {
        Ok(address) if address.is_ipv6() == ipv6 => Ok(Address::Tcp(address)),
        _ => {
            let kind = if ipv6 { "[A::B]:PORT" } else { "A.B.C.D:PORT" };
            Err(failed(format!("expected {kind}, found {authority:?}")))
        }
    };
    let first = authorities.next().unwrap_or_default();
    let mut addresses = vec![read(&first)?];
    for authority in authorities {
        addresses.push(read(&authority)?);
    }
    Ok(Target {
        addresses,
        authority: first,
        secure: None,
    })
}

/// Returns true if the host, which may be an IPv6 address, has a port.
fn has_port(host: &str) -> bool {
    match host.rsplit_once(':') {
        None => false,
        Some((before, _)) => !before.contains(':') || before.ends_with(']'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_in_every_form() {
        let cases = [
            ("127.0.0.1:7", "127.0.0.1:7", "127.0.0.1:7", None),
            ("[::1]:7", "[::1]:7", "[::1]:7", None),
            ("dns:///127.0.0.1:7", "127.0.0.1:7", "127.0.0.1:7", None),
            ("dns:127.0.0.1:7", "127.0.0.1:7", "127.0.0.1:7", None),
            ("dns:/127.0.0.1:7", "127.0.0.1:7", "127.0.0.1:7", None),
            ("dns:127.0.0.1", "127.0.0.1:443", "127.0.0.1:443", None),
            ("dns:///[::1]", "[::1]:443", "[::1]:443", None),
            ("DNS:///127.0.0.1:7", "127.0.0.1:7", "127.0.0.1:7", None),
            (
                "passthrough:///127.0.0.1:7",
                "127.0.0.1:7",
                "127.0.0.1:7",
                None,
            ),
            ("ipv4:127.0.0.1:7", "127.0.0.1:7", "127.0.0.1:7", None),
            ("ipv4:127.0.0.1", "127.0.0.1:443", "127.0.0.1:443", None),
            (
                "ipv4:127.0.0.1:7,127.0.0.2:8",
                "127.0.0.1:7 127.0.0.2:8",
                "127.0.0.1:7",
                None,
            ),
            ("ipv6:[::1]:7,[::2]:8", "[::1]:7 [::2]:8", "[::1]:7", None),
            ("ipv6:::1", "[::1]:443", "[::1]:443", None),
            ("unix:/tmp/s", "unix:/tmp/s", "localhost", None),
            ("unix:///tmp/s", "unix:/tmp/s", "localhost", None),
            ("unix:rel", "unix:rel", "localhost", None),
            ("unix-abstract:s", "unix:@s", "localhost", None),
            (
                "http://127.0.0.1:7",
                "127.0.0.1:7",
                "127.0.0.1:7",
                Some(false),
            ),
            (
                "http://127.0.0.1/",
                "127.0.0.1:80",
                "127.0.0.1:80",
                Some(false),
            ),
            ("https://[::1]", "[::1]:443", "[::1]:443", Some(true)),
            (
                "HTTPS://127.0.0.1:7/",
                "127.0.0.1:7",
                "127.0.0.1:7",
                Some(true),
            ),
        ];
        for (text, addresses, authority, secure) in cases {
            let target = read(text).unwrap();
            let all: Vec<_> = target.addresses.iter().map(ToString::to_string).collect();
            assert_eq!(all.join(" "), addresses, "{text}");
            assert_eq!(
                (&*target.authority, target.secure),
                (authority, secure),
                "{text}"
            );
        }
        let local = read("dns:///localhost:7").unwrap();
        assert!(local.addresses.len() <= 2 && local.authority == "localhost:7");
    }

    #[test]
    fn parts_that_are_not_understood_are_named() {
        let cases = [
            ("xds:///users", "the scheme \"xds\""),
            ("grpc://127.0.0.1:7", "the scheme \"grpc\""),
            ("vsock:3:7", "the scheme \"vsock\""),
            ("dns://8.8.8.8/users:7", "the DNS server 8.8.8.8"),
            ("dns://users:7", "dns:///HOST:PORT"),
            ("ipv4:users:7", "found \"users:7\""),
            ("ipv4:[::1]:7", "found \"[::1]:7\""),
            ("ipv6:127.0.0.1:7", "found \"127.0.0.1:7\""),
            ("ipv4:127.0.0.1:7,", "found \"\""),
            ("http://127.0.0.1:7/users", "no path, found \"/users\""),
            ("https://127.0.0.1:7?x", "no path, found \"?x\""),
            (
                "http://me:s3cret@127.0.0.1:7",
                "\"http://…@127.0.0.1:7\": a target has no user",
            ),
            ("me:s3cret@127.0.0.1:7", "a target has no user"),
            ("http://", "failed to read address"),
            ("", "failed to read address"),
            ("50051", "failed to read address"),
            ("host:", "failed to read address"),
            ("host:99999", "failed to read address"),
            ("unix:", "failed to read address"),
            ("no.such.name.invalid:7", "cannot resolve"),
        ];
        for (text, wanted) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(wanted), "{text}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
