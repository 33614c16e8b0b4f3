//! Large trailers between our client and our server: complete, or a status that gives the reason.

use corespun_client::{Channel, Config};
use corespun_codec::{Code, MetadataMap, Status};

use super::words::{UPPER, serve};
use super::{PLENTY, on_each_engine, text};

/// Returns the outcome of a call on a channel that announces header lists of up to `limit` bytes.
async fn call(address: &str, limit: Option<usize>, word: &str) -> Result<MetadataMap, Status> {
    let mut config = Config::default();
    if let Some(limit) = limit {
        config.http2.header_list_bytes_soft = limit;
    }
    let channel = Channel::lazy_with(address, config)?;
    let response = channel.unary(UPPER, text(word)).await?;
    Ok(response.trailers().clone())
}

#[test]
fn large_trailers_are_read_or_refused_whole() {
    on_each_engine(async |engine| {
        let server = serve("127.0.0.1:0", engine, PLENTY);
        let address = server.addresses()[0].to_string();
        let call = async |limit, word| call(&address, limit, word).await;
        assert_eq!(call(None, "trailers").await.map(|map| map.len()), Ok(40));
        let status = call(Some(8192), "trailers").await.unwrap_err();
        assert_eq!(status.code(), Code::ResourceExhausted);
        assert!(status.message().contains("limit of 8192"), "{status}");

        let status = call(None, "details").await.unwrap_err();
        assert_eq!(
            (status.message(), status.details().len()),
            ("see details", 12_700)
        );
        let status = call(Some(8192), "details").await.unwrap_err();
        assert_eq!((status.code(), status.details().len()), (Code::Aborted, 0));
        let text = "see details [left out: details of ";
        assert!(status.message().starts_with(text), "{status}");

        let status = call(None, "long error").await.unwrap_err();
        assert_eq!(status.message().len(), 20_000);
        let status = call(Some(8192), "long error").await.unwrap_err();
        assert_eq!(status.code(), Code::Internal);
        assert!(status.message().starts_with(&"m".repeat(7900)), "{status}");
    });
}
