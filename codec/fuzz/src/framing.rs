//! Messages out of bytes in any pieces.

use corespun_codec::message::{self, Deframer, PREFIX_BYTES};

/// The messages that were found, and how it ended.
type Outcome = (Vec<Vec<u8>>, Result<(), String>);

/// Bytes of a body through the [`Deframer`]. The first byte chooses the limit, the second and
/// third how the rest is split.
pub fn deframer(data: &[u8]) {
    let (&[limit, first, second], body) = data.split_first_chunk().unwrap_or((&[0; 3], data));
    let limit = [0, 1, 40, 1_000, 1 << 20][usize::from(limit) % 5];
    let whole = run(body, limit, &[usize::MAX]);
    assert_eq!(run(body, limit, &[1]), whole, "split into single bytes");
    let cuts = [1 + usize::from(first), 1 + usize::from(second)];
    assert_eq!(run(body, limit, &cuts), whole, "split into pieces");
    assert_eq!(split(body, limit), whole, "without a deframer");
    if let Some(only) = message::whole(body).filter(|only| only.len() <= limit) {
        assert_eq!(whole.0, [only], "one whole message");
    }
}

fn run(body: &[u8], limit: usize, cuts: &[usize]) -> Outcome {
    let (mut deframer, mut messages) = (Deframer::new(limit), Vec::new());
    let mut failure = None;
    let mut rest = body;
    for cut in cuts.iter().cycle() {
        let (piece, after) = rest.split_at((*cut).min(rest.len()));
        rest = after;
        deframer.push(piece);
        while failure.is_none() {
            let announced = deframer.has_message();
            match deframer.next() {
                Ok(Some(message)) => {
                    assert!(announced && message.len() <= limit);
                    messages.push(message.to_vec());
                }
                Ok(None) => {
                    assert!(!announced, "a message was announced that is not there");
                    break;
                }
                Err(status) => failure = Some(status.to_string()),
            }
        }
        if rest.is_empty() {
            break;
        }
    }
    let end = match failure {
        Some(text) => Err(text),
        None => deframer.end().map_err(|status| status.to_string()),
    };
    (messages, end)
}

/// Reads the messages of a body by cutting one after the other from the front.
fn split(body: &[u8], limit: usize) -> Outcome {
    let (mut messages, mut rest) = (Vec::new(), body);
    loop {
        match message::split(rest, limit) {
            Ok(Some((message, after))) => {
                assert_eq!(rest.len() - after.len(), PREFIX_BYTES + message.len());
                messages.push(message.to_vec());
                rest = after;
            }
            Ok(None) if rest.is_empty() => return (messages, Ok(())),
            Ok(None) => {
                let ended = Deframer::new(limit);
                let end = finished(ended, rest);
                return (messages, end);
            }
            Err(status) => return (messages, Err(status.to_string())),
        }
    }
}

/// Returns the outcome of a stream that ends with a part of a message.
fn finished(mut deframer: Deframer, part: &[u8]) -> Result<(), String> {
    deframer.push(part);
    deframer.end().map_err(|status| status.to_string())
}
