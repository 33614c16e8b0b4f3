//! Percentile distribution in HDR format: a table of value, quantile, count.

use std::fmt::Write;

use hdrhistogram::Histogram;

/// Steps in each half of the distance to 1, as in other HDR tools.
const STEPS: u32 = 5;

/// Returns the table, with values in milliseconds.
///
/// # Errors
/// Never; the signature is shared with the other formats.
pub(crate) fn text(histogram: &Histogram<u64>) -> Result<String, String> {
    let mut out = format!(
        "{:>12} {:>14} {:>10} {:>14}\n\n",
        "Value", "Percentile", "TotalCount", "1/(1-Percentile)"
    );
    let written = rows(histogram, &mut out);
    debug_assert!(written.is_ok(), "a string takes all that is written");
    Ok(out)
}

fn rows(histogram: &Histogram<u64>, out: &mut String) -> std::fmt::Result {
    let millis = |nanos: f64| nanos / 1e6;
    for step in histogram.iter_quantiles(STEPS) {
        let quantile = step.quantile_iterated_to();
        let value = millis(step.value_iterated_to() as f64);
        let count = histogram.count_between(0, step.value_iterated_to());
        write!(out, "{value:>12.6} {quantile:>14.12} {count:>10}")?;
        match quantile < 1.0 {
            true => writeln!(out, " {:>14.2}", 1.0 / (1.0 - quantile))?,
            false => writeln!(out)?,
        }
    }
    let (mean, deviation) = (millis(histogram.mean()), millis(histogram.stdev()));
    writeln!(
        out,
        "#[Mean    = {mean:>12.6}, StdDeviation   = {deviation:>12.6}]"
    )?;
    let (max, total) = (millis(histogram.max() as f64), histogram.len());
    writeln!(
        out,
        "#[Max     = {max:>12.6}, Total count    = {total:>12}]"
    )?;
    let buckets = histogram.buckets();
    writeln!(
        out,
        "#[Buckets = {buckets:>12}, SubBuckets     = {:>12}]",
        2048
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::histogram;

    #[test]
    fn the_table_ends_at_the_longest() {
        let mut values = histogram();
        (1..=1000).for_each(|n| values.record(n * 1_000_000).unwrap());
        let text = text(&values).unwrap();
        let rows: Vec<_> = text.lines().filter(|line| line.contains('.')).collect();
        assert!(rows[0].trim_start().starts_with("1.0"), "{text}");
        let half = rows
            .iter()
            .find(|row| row.contains("0.500000000000"))
            .unwrap();
        assert!(half.contains("500.") && half.ends_with("2.00"), "{half}");
        let last = rows
            .iter()
            .find(|row| row.contains("1.000000000000"))
            .unwrap();
        assert!(last.ends_with("1000"), "{last}");
        assert!(text.contains("Total count    =         1000]"), "{text}");
    }
}
