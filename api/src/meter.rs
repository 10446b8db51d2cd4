//! How many requests are answered, how, and how fast; shown at `/metrics` beside what the node measures.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// Ends a text in the OpenMetrics format.
const END: &str = "# EOF\n";

/// All are words of ours, so there are only so many.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    method: &'static str,
    /// The pattern, not the path.
    path: &'static str,
    /// `2xx` to `5xx`.
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PathLabel {
    path: &'static str,
}

/// Counts requests.
#[derive(Debug)]
pub struct Meter {
    registry: Registry,
    requests: Family<Labels, Counter>,
    seconds: Family<PathLabel, Histogram>,
}

impl Meter {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let requests = Family::<Labels, Counter>::default();
        // From 0.25 ms to 8 s.
        let seconds = Family::<PathLabel, Histogram>::new_with_constructor(|| {
            Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
        });
        let mut registry = Registry::default();
        registry.register(
            "goblins_api_requests",
            "Requests answered by the REST API",
            requests.clone(),
        );
        registry.register(
            "goblins_api_request_seconds",
            "Time from a request's head to its answer's",
            seconds.clone(),
        );
        Self {
            registry,
            requests,
            seconds,
        }
    }

    /// One request was answered. `path`: the pattern that it met, if any.
    pub fn count(&self, method: &str, path: Option<&'static str>, status: u16, took: Duration) {
        let path = path.unwrap_or("other");
        let labels = Labels {
            method: known_method(method),
            path,
            status: class(status),
        };
        self.requests.get_or_create(&labels).inc();
        self.seconds
            .get_or_create(&PathLabel { path })
            .observe(took.as_secs_f64());
    }

    /// All that was counted, and then `others`, as one text in the OpenMetrics format.
    #[must_use]
    pub fn text(&self, others: &str) -> String {
        let mut text = String::new();
        // A string takes whatever is written to it.
        let written = encode(&mut text, &self.registry);
        debug_assert!(written.is_ok(), "{written:?}");
        let own = text.trim_end_matches(END);
        format!("{own}{}{END}", others.trim_end_matches(END))
    }
}

fn known_method(method: &str) -> &'static str {
    let known = ["GET", "POST", "PATCH", "DELETE", "HEAD", "OPTIONS", "PUT"];
    known.into_iter().find(|it| *it == method).unwrap_or("other")
}

fn class(status: u16) -> &'static str {
    match status {
        0..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        500.. => "5xx",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_under_words_of_ours_only() {
        let meter = Meter::new();
        meter.count("GET", Some("/api/services/{id}/"), 200, Duration::from_millis(3));
        meter.count("BREW", None, 404, Duration::ZERO);
        let text = meter.text("goblins_others 1\n# EOF\n");
        let line = "goblins_api_requests_total{method=\"GET\",path=\"/api/services/{id}/\",status=\"2xx\"} 1\n";
        assert!(text.contains(line), "{text}");
        assert!(
            text.contains("{method=\"other\",path=\"other\",status=\"4xx\"} 1\n"),
            "{text}"
        );
        assert!(text.ends_with("goblins_others 1\n# EOF\n"), "{text}");
        assert_eq!(text.matches(END).count(), 1);
    }
}
