//! `/api/keyring/`

use crate::fields::{Field, Shape};
use crate::output::Out;
use crate::port::KeyringView;

/// The view, and its nodes with their names.
pub type Shown = (KeyringView, Out);

/// Its length is judged by the keyring, in bytes.
const SECRET: Shape = Shape::Text {
    max: 4096,
    blank: false,
};
const VERSION: Shape = Shape::Integer {
    min: 0,
    max: u32::MAX as i64,
};
const COUNT: Shape = Shape::Integer { min: 0, max: i64::MAX };

/// The keys of all nodes in the order shown.
pub const VIEW: &[Field<Shown>] = &[
    Field::read_only("current", VERSION, "The newest version of the cluster key.", |v| {
        v.0.current.0.into()
    }),
    Field::read_only("oldest", VERSION, "The oldest version that may be in use.", |v| {
        v.0.oldest.0.into()
    }),
    Field::read_only("autolock", Shape::Boolean, "Whether there is a passphrase.", |v| {
        v.0.autolock.into()
    }),
    Field::read_only("rotating", Shape::Boolean, "Whether a rotation is under way.", |v| {
        v.0.is_rotating.into()
    }),
    Field::read_only(
        "values_left",
        COUNT,
        "Values of secrets that are still under an older key.",
        |v| i64::try_from(v.0.values_left).unwrap_or(i64::MAX).into(),
    ),
    Field::read_only(
        "nodes",
        Shape::Other(
            "[{id: integer, name: string|null, versions: [integer]|null, current: integer|null, locked: boolean|null, \
             autolock: boolean|null, in_step: boolean|null, error: string|null}]",
        ),
        "The keyring of each node.",
        |v| v.1.clone(),
    ),
];

/// What a request to lock may hold.
pub const LOCK: &[Field<()>] = &[
    Field::write_only("passphrase", SECRET, "Set this passphrase, 12 bytes or longer."),
    Field::write_only("now", Shape::Boolean, "Forget the keys at once, on all nodes."),
];

/// What a request to unlock must hold.
pub const PASSPHRASE: &[Field<()>] = &[Field::write_only("passphrase", SECRET, "The passphrase.")];

/// What a request for a backup with the keys in it must hold.
pub const SEALED_BY: &[Field<()>] = &[Field::write_only(
    "passphrase",
    SECRET,
    "Seals the keys in the backup, 12 bytes or longer. Whoever restores it is asked for it.",
)];
