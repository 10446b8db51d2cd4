//! `/api/cluster/ca/`

use super::ANY_TEXT;
use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::port::{AuthorityView, Fingerprint};
use crate::resource::Realm;

/// The view, and its nodes with their names.
pub type Shown = (AuthorityView, Out);

/// The certificate authority in the order shown.
pub const VIEW: &[Field<Shown>] = &[
    Field::read_only(
        "fingerprint",
        ANY_TEXT,
        "SHA-256 of the certificate of the authority that signs, as join tokens end with it.",
        |v| hex(&v.0.signer).into(),
    ),
    Field::read_only_or_null(
        "next",
        ANY_TEXT,
        "The one that is announced and does not sign yet.",
        |v| Out::or_null(v.0.next.as_ref().map(hex)),
    ),
    Field::read_only_or_null("before", ANY_TEXT, "The one before, while it is trusted too.", |v| {
        Out::or_null(v.0.before.as_ref().map(hex))
    }),
    Field::read_only("rotating", Shape::Boolean, "Whether a rotation is under way.", |v| {
        v.0.began_at.is_some().into()
    }),
    Field::read_only_or_null("began_at", Shape::Time, "When it began.", |v| {
        Out::or_null(v.0.began_at)
    }),
    Field::read_only(
        "nodes",
        Shape::Other(
            "[{id: integer, name: string|null, certified_by: string|null, certified_until: string|null, trusts: \
             [string]|null, waits: string|null, error: string|null}]",
        ),
        "Who has signed the certificate of each node, and why the rotation waits for it.",
        |v| v.1.clone(),
    ),
];

/// The nodes of a view.
#[must_use]
pub fn nodes(realm: &Realm<'_>, view: &AuthorityView) -> Out {
    let nodes = view.nodes.iter().map(|it| {
        let said = it.said.as_ref().ok();
        let trusts = said.map(|it| it.trusted.iter().map(|it| Out::from(hex(it))).collect::<Out>());
        Out::object([
            ("id", it.node.0.into()),
            ("name", Out::or_null(realm.state.node(it.node).map(|it| &it.name))),
            ("certified_by", Out::or_null(said.map(|it| hex(&it.signer)))),
            ("certified_until", Out::or_null(said.map(|it| it.until))),
            ("trusts", Out::or_null(trusts)),
            ("waits", Out::or_null(it.waits.as_ref())),
            ("error", Out::or_null(it.said.as_ref().err())),
        ])
    });
    nodes.collect()
}

fn hex(fingerprint: &Fingerprint) -> String {
    fingerprint
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
