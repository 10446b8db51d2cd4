//! Query parameters, and links that keep them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What stands for itself in a link.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'_')
    .remove(b'.')
    .remove(b'-')
    .remove(b'~')
    .remove(b' ');

/// The parameters of a request in the order sent.
#[derive(Clone, Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Reads form encoding. A name without `=` has an empty value; what is not UTF-8 becomes U+FFFD.
    #[must_use]
    pub fn parse(query: Option<&str>) -> Self {
        let pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
        Self(
            pairs
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// The last value of a parameter, which is the one that holds.
    #[must_use]
    pub fn last(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a parameter, in the order sent.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(known, _)| known == name);
        named.map(|(_, value)| value.as_str())
    }

    /// The same parameters with another page, sorted by name, with the `?`; page 1 goes unnamed.
    #[must_use]
    pub fn with_page(&self, page: u64) -> String {
        let mut sorted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, value) in self.0.iter().filter(|(name, _)| name != "page") {
            sorted.entry(name).or_default().push(value);
        }
        let number = page.to_string();
        if page > 1 {
            sorted.insert("page", vec![&number]);
        }
        let pairs: Vec<String> = sorted
            .into_iter()
            .flat_map(|(name, values)| values.into_iter().map(move |value| (name, value)))
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        if pairs.is_empty() {
            String::new()
        } else {
            format!("?{}", pairs.join("&"))
        }
    }
}

fn encode(text: &str) -> String {
    let encoded: Cow<str> = utf8_percent_encode(text, ENCODED).into();
    encoded.replace(' ', "+")
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn whatever_is_asked_the_link_asks_for_the_same(text in "\\PC{0,60}", page in 2_u64..9) {
            let query = Query::parse(Some(&text));
            let link = query.with_page(page);
            let again = Query::parse(link.strip_prefix('?'));
            for (name, _) in query.0.iter().filter(|(name, _)| name != "page") {
                proptest::prop_assert_eq!(again.last(name), query.last(name), "{} in {}", name, link);
            }
            let page = page.to_string();
            proptest::prop_assert_eq!(again.last("page"), Some(page.as_str()));
        }
    }

    #[test]
    fn links_keep_and_sort_what_was_sent() {
        let query = Query::parse(Some("z=1&x&page=7&ordering=-name,id&b=a%20b&b=%2F~*&&é=%FF"));
        assert_eq!(query.last("page"), Some("7"));
        assert_eq!(query.last("x"), Some(""));
        assert_eq!(
            query.with_page(3),
            "?b=a+b&b=%2F~%2A&ordering=-name%2Cid&page=3&x=&z=1&%C3%A9=%EF%BF%BD"
        );
        assert_eq!(Query::parse(Some("page=2")).with_page(1), "");
        assert_eq!(Query::parse(None).with_page(2), "?page=2");
    }
}
