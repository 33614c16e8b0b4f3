//! Validation of field sections: finds those that RFC 9113 §8 calls malformed.

use crate::headers::{Header, HeaderList, Token};

/// Rule that a field section breaks.
pub(crate) type Malformed = &'static str;

/// Validates a request head (RFC 9113 §8.2, §8.3.1). Returns its content-length, if any.
pub(crate) fn request_head(list: &HeaderList) -> Result<Option<u64>, Malformed> {
    let mut seen = Pseudo::default();
    let mut regular = false;
    let mut content_length = None;
    for header in list.iter() {
        if header.name.first() == Some(&b':') {
            if regular {
                return Err("a pseudo-header field follows a regular one");
            }
            seen.note(&header)?;
        } else {
            regular = true;
            regular_field(&header, &mut content_length)?;
        }
    }
    if list.overflowed() {
        return Ok(content_length);
    }
    seen.request_complete()?;
    Ok(content_length)
}

/// Validates a response head (RFC 9113 §8.3.2). Returns its status code, and its content-length if
/// any.
pub(crate) fn response_head(list: &HeaderList) -> Result<(u16, Option<u64>), Malformed> {
    let mut status = None;
    let mut regular = false;
    let mut content_length = None;
    for header in list.iter() {
        if header.name.first() == Some(&b':') {
            if regular || header.token != Token::Status || status.is_some() {
                return Err("a response has a pseudo-header field besides one leading :status");
            }
            status = Some(status_code(header.value)?);
        } else {
            regular = true;
            regular_field(&header, &mut content_length)?;
        }
    }
    match status {
        None => Err("a response has no :status"),
        Some(101) => Err("a response switches protocols (RFC 9113 section 8.6)"),
        Some(status) => Ok((status, content_length)),
    }
}

/// Validates trailers (RFC 9113 §8.1): regular fields only.
pub(crate) fn trailers(list: &HeaderList) -> Result<(), Malformed> {
    let mut content_length = None;
    for header in list.iter() {
        if header.name.first() == Some(&b':') {
            return Err("trailers have a pseudo-header field");
        }
        regular_field(&header, &mut content_length)?;
    }
    Ok(())
}

#[derive(Default)]
struct Pseudo<'a> {
    method: Option<&'a [u8]>,
    scheme: bool,
    path: Option<&'a [u8]>,
    authority: bool,
}

impl<'a> Pseudo<'a> {
    fn note(&mut self, header: &Header<'a>) -> Result<(), Malformed> {
        if !header.well_formed || !header.is_trimmed() {
            return Err("a pseudo-header field has characters that are not allowed");
        }
        let twice = match header.token {
            Token::Method => self.method.replace(header.value).is_some(),
            Token::Scheme => core::mem::replace(&mut self.scheme, true),
            Token::Path => self.path.replace(header.value).is_some(),
            Token::Authority => core::mem::replace(&mut self.authority, true),
            _ => return Err("a request has an unknown pseudo-header field"),
        };
        if twice {
            Err("a pseudo-header field is repeated")
        } else {
            Ok(())
        }
    }

    fn request_complete(&self) -> Result<(), Malformed> {
        match (self.method, self.scheme, self.path) {
            (Some(b"CONNECT"), false, None) if self.authority => Ok(()),
            (Some(b"CONNECT"), ..) => Err("CONNECT takes :authority alone"),
            (None, ..) => Err("a request has no :method"),
            (_, false, _) => Err("a request has no :scheme"),
            (.., None) => Err("a request has no :path"),
            (.., Some(b"")) => Err("a request has an empty :path"),
            (.., Some(_)) => Ok(()),
        }
    }
}

fn regular_field(header: &Header<'_>, content_length: &mut Option<u64>) -> Result<(), Malformed> {
    if !header.well_formed {
        return Err("a field has characters that are not allowed (RFC 9113 section 8.2.1)");
    }
    match header.token {
        Token::Other => Ok(()),
        Token::Connection
        | Token::KeepAlive
        | Token::ProxyConnection
        | Token::TransferEncoding
        | Token::Upgrade => Err("a connection-specific field (RFC 9113 section 8.2.2)"),
        Token::Te if header.value != b"trailers" => Err("te is not \"trailers\""),
        Token::ContentLength => {
            let value = number(header.value).ok_or("content-length is not a number")?;
            if content_length
                .replace(value)
                .is_some_and(|before| before != value)
            {
                return Err("content-length is repeated with another value");
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |sum, &digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        sum.checked_mul(10)?.checked_add(digit)
    })
}

fn status_code(value: &[u8]) -> Result<u16, Malformed> {
    match value {
        [b'1'..=b'9', _, _] => number(value).map(|code| code as u16),
        _ => None,
    }
    .ok_or(":status is not a number of three digits")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(fields: &[(&str, &str)]) -> HeaderList {
        let mut list = HeaderList::new();
        for (name, value) in fields {
            list.push(
                Token::of(name.as_bytes()),
                name.as_bytes(),
                value.as_bytes(),
            );
        }
        list
    }

    const HEAD: [(&str, &str); 3] = [(":method", "POST"), (":scheme", "http"), (":path", "/a/b")];

    #[test]
    fn request_heads() {
        let with = |more: &[(&str, &str)]| request_head(&list(&[&HEAD[..], more].concat()));
        assert_eq!(with(&[]), Ok(None));
        assert_eq!(
            with(&[("te", "trailers"), ("content-length", "7")]),
            Ok(Some(7))
        );
        assert_eq!(
            with(&[("content-length", "7"), ("content-length", "7")]),
            Ok(Some(7))
        );
        assert_eq!(with(&[("a", " b\t"), ("grpc-timeout", "1S ")]), Ok(None));
        let bad: [&[(&str, &str)]; 13] = [
            &[("te", "gzip")],
            &[("te", "trailers ")],
            &[("connection", "close")],
            &[("Upper", "x")],
            &[("a", "b\r\nc")],
            &[("content-length", " 7")],
            &[("", "b")],
            &[("a", "b"), (":authority", "x")],
            &[(":path", "/again")],
            &[(":status", "200")],
            &[("content-length", "7"), ("content-length", "8")],
            &[("content-length", "-1")],
            &[("transfer-encoding", "chunked")],
        ];
        for fields in bad {
            assert!(with(fields).is_err(), "{fields:?}");
        }
        for at in 0..3 {
            for blank in [" x", "x\t"] {
                let mut fields = HEAD.to_vec();
                fields[at].1 = blank;
                assert!(request_head(&list(&fields)).is_err(), "{fields:?}");
            }
        }
        for missing in 0..3 {
            let mut fields = HEAD.to_vec();
            fields.remove(missing);
            assert!(request_head(&list(&fields)).is_err(), "{fields:?}");
        }
        assert_eq!(
            request_head(&list(&[(":method", "CONNECT"), (":authority", "a")])),
            Ok(None)
        );
        assert!(request_head(&list(&[(":method", "CONNECT"), (":path", "a")])).is_err());
    }

    #[test]
    fn response_heads_and_trailers() {
        assert_eq!(response_head(&list(&[(":status", "200")])), Ok((200, None)));
        assert!(response_head(&list(&[("a", "b")])).is_err());
        assert!(response_head(&list(&[(":status", "20")])).is_err());
        assert!(response_head(&list(&[(":status", "101")])).is_err());
        assert!(response_head(&list(&[(":status", "200"), (":status", "200")])).is_err());
        assert_eq!(trailers(&list(&[("grpc-status", "0")])), Ok(()));
        assert_eq!(trailers(&list(&[("grpc-message", " gone ")])), Ok(()));
        assert!(trailers(&list(&[(":status", "200")])).is_err());
    }
}
