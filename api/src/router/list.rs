//! Lists: filter, order, page.

use http::StatusCode;
use http::header::HOST;
use http::request::Parts;
use model::{Members, ProjectId};

use crate::answer::Answer;
use crate::errors::{ApiError, FieldErrors};
use crate::fields::show;
use crate::output::Out;
use crate::request::Query;
use crate::resource::{Realm, Resource};
use crate::{scalars, texts};

/// Objects on a page.
const PAGE_SIZE: usize = 20;

/// Answers a page of what the account may see.
///
/// # Errors
/// A bad project filter or page.
pub fn list<R: Resource>(realm: &Realm<'_>, parts: &Parts, query: &Query) -> Result<Answer, ApiError> {
    let project = if R::FILTERS_BY_PROJECT {
        project_filter(query)?
    } else {
        None
    };
    page::<R>(realm, R::all(realm, project), parts, query)
}

/// Answers a page of `rows`. They come oldest first, so that a page in that order, or in the opposite one, costs no more
/// than the page.
///
/// # Errors
/// A bad page.
pub fn page<R: Resource>(
    realm: &Realm<'_>,
    rows: Members<'_, R::Model>,
    parts: &Parts,
    query: &Query,
) -> Result<Answer, ApiError> {
    let count = rows.count();
    let pages = count.div_ceil(PAGE_SIZE).max(1) as u64;
    let page = page_number(query, pages)?;
    let first = usize::try_from(page - 1).map_or(usize::MAX, |page| page.saturating_mul(PAGE_SIZE));
    let rows: Vec<&R::Model> = match order::<R>(query) {
        Order::Age => rows.page(first, PAGE_SIZE),
        Order::Youth => {
            let end = count.saturating_sub(first);
            let start = end.saturating_sub(PAGE_SIZE);
            let mut rows = rows.page(start, end - start);
            rows.reverse();
            rows
        }
        Order::By(terms) => {
            let sorted = ordered::<R>(realm, rows.all(), &terms);
            sorted.into_iter().skip(first).take(PAGE_SIZE).collect()
        }
    };
    let results = rows.iter().map(|row| show(R::FIELDS, &R::listed(realm, row)));
    let link = |page: u64| Out::from(format!("{}{}", base(parts), query.with_page(page)));
    let body = Out::object([
        ("count", (count as u64).into()),
        ("next", if page < pages { link(page + 1) } else { Out::Null }),
        ("previous", if page > 1 { link(page - 1) } else { Out::Null }),
        ("results", Out::List(results.collect())),
    ]);
    Ok(Answer::json(StatusCode::OK, body))
}

/// How a list is sorted.
enum Order {
    /// Oldest first, as it is kept.
    Age,
    /// Youngest first.
    Youth,
    /// By these fields, each upwards or downwards.
    By(Vec<(usize, bool)>),
}

/// Unknown terms are dropped. Ids grow with the time at which they were made, so both stand for the age.
fn order<R: Resource>(query: &Query) -> Order {
    let known = |term: &str| {
        let (name, down) = term.strip_prefix('-').map_or((term, false), |name| (name, true));
        let at = R::FIELDS
            .iter()
            .position(|field| field.get.is_some() && field.spec.name == name)?;
        Some((at, down))
    };
    let terms: Vec<_> = query
        .last("ordering")
        .unwrap_or_default()
        .split(',')
        .filter_map(|term| known(scalars::trim(term)))
        .collect();
    let is_age = |at: usize| ["id", "created_at", "deployed_at", "at"].contains(&R::FIELDS[at].spec.name);
    match terms.first() {
        None => Order::Age,
        Some((at, down)) if is_age(*at) => {
            if *down {
                Order::Youth
            } else {
                Order::Age
            }
        }
        Some(_) => Order::By(terms),
    }
}

/// Sorts by what is shown, so every row has to be looked at; only asked for by `?ordering=`.
fn ordered<'a, R: Resource>(realm: &Realm<'_>, rows: Vec<&'a R::Model>, terms: &[(usize, bool)]) -> Vec<&'a R::Model> {
    let key = |row: &R::Model| -> Vec<Out> {
        let view = R::listed(realm, row);
        let field = |at: usize| R::FIELDS[at].get.map_or(Out::Null, |get| get(&view));
        terms.iter().map(|(at, _)| field(*at)).collect()
    };
    let mut keyed: Vec<_> = rows.into_iter().map(|row| (key(row), row)).collect();
    keyed.sort_by(|(a, _), (b, _)| {
        let one = |n: usize| {
            if terms[n].1 {
                b[n].order(&a[n])
            } else {
                a[n].order(&b[n])
            }
        };
        (0..terms.len())
            .map(one)
            .find(|order| order.is_ne())
            .unwrap_or(std::cmp::Ordering::Equal)
    });
    keyed.into_iter().map(|(_, row)| row).collect()
}

fn project_filter(query: &Query) -> Result<Option<ProjectId>, ApiError> {
    match query.last("project") {
        None | Some("") => Ok(None),
        Some(text) => match scalars::uuid(text) {
            Some(id) => Ok(Some(ProjectId(id))),
            None => Err(FieldErrors::one("project", texts::FILTER_NOT_A_UUID).into()),
        },
    }
}

/// Which page is asked for, of so many.
pub(crate) fn page_number(query: &Query, pages: u64) -> Result<u64, ApiError> {
    let asked = match query.last("page") {
        None | Some("") => return Ok(1),
        Some("last") => return Ok(pages),
        Some(text) => scalars::integer(text),
    };
    let asked = asked.and_then(|page| u64::try_from(page).ok());
    asked
        .filter(|page| (1..=pages).contains(page))
        .ok_or(ApiError::InvalidPage)
}

/// Scheme, host and path as the client asked.
fn base(parts: &Parts) -> String {
    let scheme = parts.uri.scheme_str().unwrap_or("http");
    let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host
        .or_else(|| parts.uri.authority().map(http::uri::Authority::as_str))
        .unwrap_or("localhost");
    format!("{scheme}://{host}{}", parts.uri.path())
}
