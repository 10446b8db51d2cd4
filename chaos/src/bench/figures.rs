//! Figures, and the table that they are shown in.

use std::time::Duration;

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Figure {
    pub per_second: f64,
    /// Milliseconds.
    pub p50: f64,
    /// Milliseconds.
    pub p99: f64,
    pub failed: u64,
}

impl Figure {
    /// From latencies in microseconds, in any order.
    pub fn of(mut latencies: Vec<u32>, length: Duration, failed: u64) -> Self {
        latencies.sort_unstable();
        let at = |share: f64| {
            let index = ((latencies.len() as f64 * share) as usize).min(latencies.len().saturating_sub(1));
            latencies.get(index).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
        };
        Self {
            per_second: latencies.len() as f64 / length.as_secs_f64(),
            p50: at(0.5),
            p99: at(0.99),
            failed,
        }
    }
}

/// The median of some values; 0 of none.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// The head of the table.
pub(super) fn columns() {
    println!(
        "{:<26} {:>5} {:>7} {:>9} {:>8} {:>8} | {:>9} {:>8} {:>8} {:>6}",
        "figure", "nodes", "clients", "per s", "p50 ms", "p99 ms", "etcd /s", "p50 ms", "p99 ms", "ratio"
    );
}

/// One row.
pub(super) fn row(what: &str, nodes: u8, clients: usize, own: &Figure, peer: Option<&Figure>) {
    let failed = if own.failed > 0 {
        format!("  ({} failed)", own.failed)
    } else {
        String::new()
    };
    let peer = peer.map_or(String::new(), |peer| {
        let ratio = own.per_second / peer.per_second;
        format!(
            "{:>9.0} {:>8.2} {:>8.2} {ratio:>6.2}",
            peer.per_second, peer.p50, peer.p99
        )
    });
    println!(
        "{what:<26} {nodes:>5} {clients:>7} {:>9.0} {:>8.2} {:>8.2} | {peer}{failed}",
        own.per_second, own.p50, own.p99
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_and_the_median() {
        let figure = Figure::of((1..=1000).rev().collect(), Duration::from_secs(2), 3);
        assert_eq!(
            (figure.per_second, figure.p50, figure.p99, figure.failed),
            (500.0, 0.501, 0.991, 3)
        );
        assert_eq!(median(&mut [3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&mut []), 0.0);
    }
}
