//! Histograms as text: base64 of the V2-DEFLATE form, which HDR tools of every language read.
//!
//! Reports contain complete histograms, so that runs can be merged by adding counts. Percentiles
//! cannot be merged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

use crate::measure::{add, histogram};

/// Histogram of nanoseconds as text.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Packed(String);

impl Packed {
    /// Encodes a histogram with the bounds of this program.
    pub fn pack(histogram: &Histogram<u64>) -> Self {
        Self(STANDARD.encode(Self::bytes(histogram)))
    }

    /// Returns the V2-DEFLATE form of a histogram.
    pub fn bytes(histogram: &Histogram<u64>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let written = V2DeflateSerializer::new().serialize(histogram, &mut bytes);
        debug_assert!(written.is_ok(), "a vector takes all that is written");
        bytes
    }

    /// Decodes the histogram; an empty text is an empty histogram.
    ///
    /// # Errors
    /// The text is not a histogram of nanoseconds up to 60 s with three digits.
    pub fn unpack(&self) -> Result<Histogram<u64>, String> {
        if self.0.is_empty() {
            return Ok(histogram());
        }
        let bytes = STANDARD
            .decode(&self.0)
            .map_err(|error| error.to_string())?;
        Self::of_bytes(&bytes)
    }

    /// Decodes a histogram in V2-DEFLATE form.
    ///
    /// # Errors
    /// As for [`Packed::unpack`].
    pub fn of_bytes(bytes: &[u8]) -> Result<Histogram<u64>, String> {
        let read: Histogram<u64> = Deserializer::new()
            .deserialize(&mut &bytes[..])
            .map_err(|error| error.to_string())?;
        let ours = histogram();
        let alike = (read.low(), read.sigfig()) == (ours.low(), ours.sigfig());
        if !alike || read.max() > ours.high().next_power_of_two() {
            return Err("its bounds are not 1 ns to 60 s with three digits".to_owned());
        }
        let mut whole = ours;
        add(&mut whole, &read);
        Ok(whole)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_packed_is_unpacked() {
        let mut values = histogram();
        for value in [1, 999, 1000, 123_456_789, 60_000_000_000] {
            values.record_n(value, 3).unwrap();
        }
        let packed = Packed::pack(&values);
        assert!(packed.0.len() < 400, "{} characters", packed.0.len());
        assert_eq!(packed.unpack().unwrap(), values);
        assert_eq!(Packed::default().unpack().unwrap().len(), 0);
    }

    #[test]
    fn nonsense_is_refused() {
        for text in ["!", "AAAA", "SGVsbG8gd29ybGQ="] {
            assert!(Packed(text.to_owned()).unpack().is_err(), "{text}");
        }
        let mut coarse = Histogram::<u64>::new_with_bounds(1, 1000, 1).unwrap();
        coarse.record(7).unwrap();
        let error = Packed::pack(&coarse).unpack().unwrap_err();
        assert!(error.contains("three digits"), "{error}");
    }
}
