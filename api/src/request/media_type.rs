//! `type/subtype; parameter=value`

/// A media type as a header names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype` in lower case.
    essence: String,
    parameters: Vec<(String, String)>,
}

impl MediaType {
    pub fn parse(text: &str) -> Self {
        let mut parts = text.split(';');
        let essence = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let parameters = parts
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| {
                (
                    name.trim().to_ascii_lowercase(),
                    value.trim().trim_matches('"').to_owned(),
                )
            })
            .collect();
        Self { essence, parameters }
    }

    /// Whether JSON is one of the types meant.
    pub fn takes_json(&self) -> bool {
        matches!(self.essence.as_str(), "application/json" | "application/*" | "*/*")
    }

    /// The last parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .rev()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The more exactly a type is named, the more it counts.
    pub fn precedence(&self) -> u8 {
        match self.essence.as_str() {
            "*/*" => 0,
            essence if essence.ends_with("/*") => 1,
            _ if self.parameters.iter().all(|(name, _)| name == "q") => 2,
            _ => 3,
        }
    }
}
