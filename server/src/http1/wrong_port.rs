//! Answers to clients that came to the wrong port, each in the protocol that the client speaks.

use corespun_http2::ErrorCode;

use super::Refusal;
use super::answer::write_refusal;
use super::front::PREFACE;

/// Longest method of a request that is answered, in bytes; `PROPPATCH` has nine.
const METHOD_BYTES_MAX: usize = 16;

/// Returns what a TLS port answers to a client without TLS whose first read is `first`; empty when
/// these bytes are neither HTTP/1.1 nor HTTP/2.
pub(crate) fn answer_plaintext(first: &[u8]) -> Vec<u8> {
    let why = "this port speaks TLS only";
    let mut answer = Vec::new();
    if first.starts_with(PREFACE) {
        write_go_away(why, &mut answer);
    } else if starts_a_request(first) {
        write_refusal(&Refusal::malformed(why), &mut answer);
    }
    answer
}

/// Returns what a port without TLS answers to a client that begins a TLS handshake. In plain text,
/// because this is what TLS libraries recognise: an alert would blame the handshake.
pub(super) fn answer_tls() -> Vec<u8> {
    let mut answer = Vec::new();
    let why = "this port does not speak TLS";
    write_refusal(&Refusal::malformed(why), &mut answer);
    answer
}

/// Returns whether bytes begin with a method and a space (RFC 9112 §3).
fn starts_a_request(bytes: &[u8]) -> bool {
    let method = bytes.iter().take_while(|byte| byte.is_ascii_uppercase());
    let len = method.count();
    (1..=METHOD_BYTES_MAX).contains(&len) && bytes.get(len) == Some(&b' ')
}

/// Writes the first and last frames of a connection that is refused: SETTINGS, as a server has to
/// begin, and GOAWAY (RFC 9113 §3.4, §6.8).
fn write_go_away(why: &str, out: &mut Vec<u8>) {
    const SETTINGS: u8 = 4;
    const GOAWAY: u8 = 7;
    write_frame(SETTINGS, &[], out);
    let last_stream = 0_u32.to_be_bytes();
    let code = ErrorCode::INADEQUATE_SECURITY.0.to_be_bytes();
    write_frame(GOAWAY, &[&last_stream, &code, why.as_bytes()], out);
}

/// Writes a frame of the connection, without flags.
fn write_frame(kind: u8, parts: &[&[u8]], out: &mut Vec<u8>) {
    let len: usize = parts.iter().map(|part| part.len()).sum();
    // The text is ours and short, so the length fits into its 24 bits.
    let [_, len @ ..] = (len as u32).to_be_bytes();
    out.extend_from_slice(&len);
    out.extend_from_slice(&[kind, 0, 0, 0, 0, 0]);
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use corespun_http2::{Config, Connection, Event};

    use super::*;

    #[test]
    fn clients_without_tls_are_answered_in_their_protocol() {
        for (first, is_answered) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], true),
            (b"OPTIONS ", true),
            (b"G ", true),
            (b"AAAAAAAAAAAAAAAA / ", true),
            (b"AAAAAAAAAAAAAAAAA / ", false),
            (b" / HTTP/1.1\r\n", false),
            (b"get / HTTP/1.1\r\n", false),
            (b"GET", false),
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

    #[test]
    fn a_client_of_http2_hears_goaway() {
        let mut client = Connection::new(Config::client());
        let mut sent = Vec::new();
        client.transmit(&mut sent);
        let answer = answer_plaintext(&sent);
        let mut input = &answer[..];
        let mut codes = Vec::new();
        while let Some(event) = client.receive(Duration::ZERO, &mut input).unwrap() {
            if let Event::GoAway { code, .. } = event {
                codes.push(code);
            }
        }
        assert_eq!(codes, [ErrorCode::INADEQUATE_SECURITY]);
        assert!(answer.ends_with(b"this port speaks TLS only"));
    }
}
