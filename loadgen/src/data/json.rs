//! Conversion of JSON to messages by the schema.

use prost::Message;
use prost_reflect::{DynamicMessage, MessageDescriptor};
use serde_json::value::RawValue;

/// Converts a JSON text to encoded messages without a prefix. The text is one message, an array of
/// messages, or several texts in sequence.
///
/// # Errors
/// The text is not JSON, or does not match the message (proto3 JSON mapping).
pub(super) fn messages(text: &str, message: &MessageDescriptor) -> Result<Vec<Vec<u8>>, String> {
    let mut encoded = Vec::new();
    for value in serde_json::Deserializer::from_str(text).into_iter::<&RawValue>() {
        let value = value.map_err(|error| error.to_string())?.get();
        if value.starts_with('[') {
            let array: Vec<&RawValue> = serde_json::from_str(value).map_err(|e| e.to_string())?;
            for (index, element) in array.iter().enumerate() {
                let bytes = encode(element.get(), message);
                encoded.push(bytes.map_err(|cause| format!("message {index}: {cause}"))?);
            }
        } else {
            encoded.push(encode(value, message)?);
        }
    }
    match encoded.is_empty() {
        true => Err("it contains no message".to_owned()),
        false => Ok(encoded),
    }
}

fn encode(text: &str, message: &MessageDescriptor) -> Result<Vec<u8>, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let request = DynamicMessage::deserialize(message.clone(), &mut json);
    Ok(request.map_err(|error| error.to_string())?.encode_to_vec())
}
