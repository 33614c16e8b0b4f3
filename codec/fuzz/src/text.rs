//! The small wire forms inside of fields.

use corespun_codec::{Encodings, MetadataMap, percent, timeout};

/// A text of any bytes as each of the forms: read without a panic, and what reads back the same
/// is written the same.
pub fn texts(data: &[u8]) {
    percent_encoding(data);
    timeouts(data);
    binary_values(data);
    let _ = Encodings::parse(data);
}

fn percent_encoding(data: &[u8]) {
    let text = percent::decode(data);
    let mut wire = Vec::new();
    percent::encode(&text, &mut wire);
    assert!(
        wire.iter().all(|byte| (0x20..0x7f).contains(byte)),
        "{text:?} leaves ASCII"
    );
    assert_eq!(percent::decode(&wire), text);
    let plain = String::from_utf8_lossy(data);
    wire.clear();
    percent::encode(&plain, &mut wire);
    assert_eq!(percent::decode(&wire), plain);
}

fn timeouts(data: &[u8]) {
    let Ok(span) = timeout::parse(data) else {
        return;
    };
    let mut wire = Vec::new();
    timeout::write(span, &mut wire);
    assert!(wire.len() <= 9, "{span:?} is written as {wire:?}");
    let again = timeout::parse(&wire).expect("our own timeout is lawful");
    assert!(
        again >= span && again - span <= span / 10_000,
        "{span:?} becomes {again:?}"
    );
}

/// `-bin` values: any bytes come back, and any text is read or refused.
fn binary_values(data: &[u8]) {
    let mut metadata = MetadataMap::new();
    metadata
        .append_bin("x-bin", data)
        .expect("any bytes may be sent");
    assert_eq!(metadata.get_bin("x-bin").as_deref(), Some(data));
    let wire = metadata.raw("x-bin").expect("it was just added").to_vec();
    assert!(!wire.contains(&b'='), "padding is not written");
    assert_eq!(read_bin(&wire).as_deref(), Some(data));
    if let Some(bytes) = read_bin(data) {
        metadata.clear();
        metadata
            .append_bin("x-bin", &bytes)
            .expect("any bytes may be sent");
        let wire = metadata.raw("x-bin").expect("it was just added");
        assert_eq!(read_bin(wire), Some(bytes));
    }
}

/// Returns the value of a `-bin` field of a request, if it is lawful and a single value.
fn read_bin(wire: &[u8]) -> Option<Vec<u8>> {
    let mut head = corespun_codec::RequestHead::default();
    let fields: [(&[u8], &[u8]); 4] = [
        (b":method", b"POST"),
        (b":path", b"/a/b"),
        (b"content-type", b"application/grpc"),
        (b"x-bin", wire),
    ];
    corespun_codec::head::parse_request(fields.into_iter(), &mut head).ok()?;
    head.metadata.get_bin("x-bin")
}
