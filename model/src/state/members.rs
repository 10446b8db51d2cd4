//! A list of resources, counted without being walked.

/// Resources in the order in which they were made, with their number. Taking a page near either end costs as much as
/// the page, however many there are.
pub struct Members<'a, T> {
    count: usize,
    rows: Box<dyn DoubleEndedIterator<Item = &'a T> + 'a>,
}

impl<'a, T> Members<'a, T> {
    pub(super) fn new(count: usize, rows: impl DoubleEndedIterator<Item = &'a T> + 'a) -> Self {
        Self {
            count,
            rows: Box::new(rows),
        }
    }

    /// These rows; for what is counted by walking it, because there is never much of it.
    #[must_use]
    pub fn of(rows: Vec<&'a T>) -> Self {
        Self::new(rows.len(), rows.into_iter())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// At most `take` of them after the first `skip`, reached from the nearer end.
    #[must_use]
    pub fn page(self, skip: usize, take: usize) -> Vec<&'a T> {
        let Self { count, rows } = self;
        let end = skip.saturating_add(take).min(count);
        if skip <= count / 2 {
            return rows.skip(skip).take(take).collect();
        }
        let mut page: Vec<_> = rows.rev().skip(count - end).take(end.saturating_sub(skip)).collect();
        page.reverse();
        page
    }

    /// All of them.
    #[must_use]
    pub fn all(self) -> Vec<&'a T> {
        self.rows.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_the_same_from_either_end() {
        let numbers: Vec<u32> = (0..95).collect();
        for skip in [0, 20, 40, 60, 80, 90, 95, 200] {
            let members = Members::new(numbers.len(), numbers.iter());
            assert_eq!(
                members.page(skip, 20),
                numbers.iter().skip(skip).take(20).collect::<Vec<_>>()
            );
        }
        assert_eq!(Members::of(numbers.iter().collect()).count(), 95);
    }
}
