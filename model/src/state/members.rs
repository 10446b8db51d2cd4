//! Lists that are counted and taken in pages.

use std::ops::Range;

/// Resources in the order in which they were made, with their number. Taking a page costs as much as the page, however
/// many there are.
pub struct Members<'a, T> {
    count: usize,
    rows: Box<dyn Fn(Range<usize>) -> Vec<&'a T> + 'a>,
}

impl<'a, T> Members<'a, T> {
    /// So many, and those at any places.
    pub(super) fn new(count: usize, rows: impl Fn(Range<usize>) -> Vec<&'a T> + 'a) -> Self {
        Self {
            count,
            rows: Box::new(rows),
        }
    }

    /// These rows; for what is walked to be counted, because there is never much of it.
    #[must_use]
    pub fn of(all: Vec<&'a T>) -> Self {
        Self::new(all.len(), move |places| {
            all.get(places).map(<[_]>::to_vec).unwrap_or_default()
        })
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// At most `take` of them after the first `skip`.
    #[must_use]
    pub fn page(&self, skip: usize, take: usize) -> Vec<&'a T> {
        let end = skip.saturating_add(take).min(self.count);
        (self.rows)(skip.min(end)..end)
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<&'a T> {
        (self.rows)(0..self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_the_list_does() {
        let numbers: Vec<u32> = (0..95).collect();
        let members = Members::of(numbers.iter().collect());
        for skip in [0, 20, 40, 60, 80, 90, 95, 200, usize::MAX] {
            let expected: Vec<_> = numbers.iter().skip(skip).take(20).collect();
            assert_eq!(members.page(skip, 20), expected);
        }
        assert_eq!((members.count(), members.all().len()), (95, 95));
    }
}
