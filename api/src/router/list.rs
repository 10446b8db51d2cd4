//! Lists: filter, order, page.

use http::StatusCode;
use http::header::HOST;
use http::request::Parts;
use uuid::Uuid;

use crate::answer::Answer;
use crate::errors::{ApiError, FieldErrors};
use crate::fields::show;
use crate::output::Out;
use crate::request::Query;
use crate::resource::{Realm, Resource};
use crate::{scalars, texts};

/// Objects on a page.
const PAGE_SIZE: usize = 20;

/// Answers a page of `rows`.
///
/// # Errors
/// A bad project filter or page.
pub fn list<R: Resource>(
    realm: &Realm<'_>,
    mut rows: Vec<&R::Model>,
    parts: &Parts,
    query: &Query,
) -> Result<Answer, ApiError> {
    if R::FILTERS_BY_PROJECT
        && let Some(project) = project_filter(query)?
    {
        rows.retain(|row| R::project(row).is_some_and(|id| id.0 == project));
    }
    let pages = rows.len().div_ceil(PAGE_SIZE).max(1) as u64;
    let page = page_number(query, pages)?;
    let first = usize::try_from(page - 1).map_or(usize::MAX, |page| page.saturating_mul(PAGE_SIZE));
    let count = rows.len();

    // Rows come oldest first or nearly so, which makes this cheap.
    rows.sort_by_key(|row| R::age(row));
    let terms = ordering::<R>(query);
    let results: Vec<Out> = if terms.is_empty() {
        rows.iter()
            .skip(first)
            .take(PAGE_SIZE)
            .map(|row| show(R::FIELDS, &R::view(realm, row)))
            .collect()
    } else {
        ordered::<R>(realm, &rows, &terms)
            .into_iter()
            .skip(first)
            .take(PAGE_SIZE)
            .collect()
    };
    let link = |page: u64| Out::from(format!("{}{}", base(parts), query.with_page(page)));
    let body = Out::object([
        ("count", (count as u64).into()),
        ("next", if page < pages { link(page + 1) } else { Out::Null }),
        ("previous", if page > 1 { link(page - 1) } else { Out::Null }),
        ("results", Out::List(results)),
    ]);
    Ok(Answer::json(StatusCode::OK, body))
}

/// Sorts by what is shown, so every row has to be shown first; only asked for by `?ordering=`.
fn ordered<R: Resource>(realm: &Realm<'_>, rows: &[&R::Model], terms: &[(usize, bool)]) -> Vec<Out> {
    let mut keyed: Vec<(Vec<Out>, Out)> = rows
        .iter()
        .map(|row| {
            let view = R::view(realm, row);
            let key = |at: usize| R::FIELDS[at].get.map_or(Out::Null, |get| get(&view));
            (terms.iter().map(|(at, _)| key(*at)).collect(), show(R::FIELDS, &view))
        })
        .collect();
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
    keyed.into_iter().map(|(_, out)| out).collect()
}

/// The fields to sort by, and whether downwards. Unknown terms are dropped.
fn ordering<R: Resource>(query: &Query) -> Vec<(usize, bool)> {
    let known = |term: &str| {
        let (name, down) = term.strip_prefix('-').map_or((term, false), |name| (name, true));
        let at = R::FIELDS
            .iter()
            .position(|field| field.get.is_some() && field.spec.name == name)?;
        Some((at, down))
    };
    query
        .last("ordering")
        .unwrap_or_default()
        .split(',')
        .filter_map(|term| known(scalars::trim(term)))
        .collect()
}

fn project_filter(query: &Query) -> Result<Option<Uuid>, ApiError> {
    match query.last("project") {
        None | Some("") => Ok(None),
        Some(text) => match scalars::uuid(text) {
            Some(id) => Ok(Some(id)),
            None => Err(FieldErrors::one("project", texts::FILTER_NOT_A_UUID).into()),
        },
    }
}

fn page_number(query: &Query, pages: u64) -> Result<u64, ApiError> {
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
