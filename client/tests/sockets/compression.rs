//! Compression between our client and our server.

use corespun_client::{Channel, Config};
use corespun_codec::{Code, Encoding, Encodings, Request};

use crate::engines::on_each_engine;
use crate::words::{ECHO, JOIN, SPLIT, UPPER, serve_with};

const ENCODINGS: [Encoding; 3] = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd];

fn config(encoding: Encoding) -> Config {
    Config {
        encoding,
        accept_encodings: Encodings::only(encoding),
        ..Config::default()
    }
}

#[test]
fn the_four_kinds_in_every_encoding() {
    on_each_engine(async |engine| {
        for encoding in ENCODINGS {
            let server = serve_with("127.0.0.1:0", engine, |config| config.encoding = encoding);
            let address = server.addresses()[0].to_string();
            let channel = Channel::lazy_with(&address, config(encoding)).unwrap();
            let long = "word ".repeat(5000);
            let long = long.trim_end();
            let response = channel.unary(UPPER, Request::new(long.to_owned())).await;
            assert_eq!(response.unwrap().into_inner(), long.to_uppercase());

            let request = Request::new(long.to_owned());
            let mut words = channel
                .server_streaming(SPLIT, request)
                .await
                .unwrap()
                .into_inner();
            let mut count = 0;
            while let Some(word) = words.message().await.unwrap() {
                assert_eq!(word, "word");
                count += 1;
            }
            assert_eq!(count, 5000);

            let mut joined = channel
                .client_streaming(JOIN, Request::new(()))
                .await
                .unwrap();
            for _ in 0..3 {
                joined.send(long.to_owned()).await.unwrap();
            }
            assert_eq!(joined.finish().await.unwrap().into_inner(), long.repeat(3));

            let (mut out, mut back) = channel
                .bidi_streaming(ECHO, Request::new(()))
                .await
                .unwrap();
            for text in [long, "short", long] {
                out.send(text.to_owned()).await.unwrap();
                assert_eq!(back.message().await.unwrap().as_deref(), Some(text));
            }
            out.finish();
            assert_eq!(back.message().await.unwrap(), None);
            drop(channel);
            server.stop().unwrap();
        }
    });
}

#[test]
fn a_server_that_does_not_accept_it_says_what_it_does() {
    on_each_engine(async |engine| {
        let accepted = Encodings::only(Encoding::Gzip);
        let server = serve_with("127.0.0.1:0", engine, |config| {
            config.accept_encodings = accepted
        });
        let address = server.addresses()[0].to_string();
        let channel = Channel::lazy_with(&address, config(Encoding::Zstd)).unwrap();
        let status = channel
            .unary(UPPER, Request::new("x".to_owned()))
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
        for encoding in [Encoding::Gzip, Encoding::Identity] {
            let mut request = Request::new("x".to_owned());
            request.set_encoding(encoding);
            assert_eq!(channel.unary(UPPER, request).await.unwrap().get_ref(), "X");
        }
        drop(channel);
        server.stop().unwrap();
    });
}
