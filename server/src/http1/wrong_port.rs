//! Responses to clients on the wrong port: without TLS on a TLS port, or with TLS on a plain one.

use super::Refusal;
use super::answer::write_refusal;
use super::front::PREFACE;

/// Longest method of a request that is answered, in bytes; `PROPPATCH` has nine.
const METHOD_BYTES_MAX: usize = 16;

/// Returns the response of a TLS port to a client without TLS whose first read is `first`: a
/// refusal to an HTTP/1.1 client, and nothing to any other. After SETTINGS and GOAWAY, gRPC's
/// C-core would treat the connection as one that worked, and reconnect at once without end.
pub(crate) fn answer_plaintext(first: &[u8]) -> Vec<u8> {
    let mut answer = Vec::new();
    if !first.starts_with(PREFACE) && starts_a_request(first) {
        let why = "this port speaks TLS only";
        write_refusal(&Refusal::malformed(why), &mut answer);
    }
    answer
}

/// Returns the response of a port without TLS to a client that begins a TLS handshake. It is plain
/// text, because TLS libraries recognise that; an alert would blame the handshake.
pub(super) fn answer_tls() -> Vec<u8> {
    let mut answer = Vec::new();
    let why = "this port does not speak TLS";
    write_refusal(&Refusal::malformed(why), &mut answer);
    answer
}

/// Returns true if the bytes begin with a method and a space (RFC 9112 §3).
fn starts_a_request(bytes: &[u8]) -> bool {
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase());
    let len = method.count();
    (1..=METHOD_BYTES_MAX).contains(&len) && bytes.get(len) == Some(&b' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_of_http1_are_answered_without_tls() {
        for (first, is_answered) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], true),
            (b"OPTIONS ", true),
            (b"G ", true),
            (b"AAAAAAAAAAAAAAAA / ", true),
            (b"AAAAAAAAAAAAAAAAA / ", false),
            (b" / HTTP/1.1\r\n", false),
            (b"get / HTTP/1.1\r\n", false),
            (b"GET", false),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", false),
            (b"SSH-2.0-OpenSSH\r\n", false),
            (b"\0\0", false),
            (b"", false),
        ] {
            let answer = answer_plaintext(first);
            let shown = first.escape_ascii();
            assert_eq!(answer.starts_with(b"HTTP/1.1 400 "), is_answered, "{shown}");
            assert_eq!(answer.is_empty(), !is_answered, "{shown}");
        }
    }
}
