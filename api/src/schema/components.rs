//! The JSON schemas of what is sent and answered, from the tables that check and show it.

use super::short;
use crate::fields::{Field, FieldSpec, Need, Shape};
use crate::output::Out;

type Members = Vec<(std::borrow::Cow<'static, str>, Out)>;

/// A table without the functions that read it.
pub struct Table {
    fields: Vec<(FieldSpec, bool)>,
}

impl Table {
    /// What a resource's table says.
    pub fn of<V>(fields: &[Field<V>]) -> Self {
        Self {
            fields: fields.iter().map(|it| (it.spec, it.get.is_some())).collect(),
        }
    }

    /// As it is answered: every field that is shown is there.
    pub fn answered(&self) -> Out {
        let shown = || self.fields.iter().filter(|(_, shown)| *shown).map(|(spec, _)| spec);
        object(shown().map(|it| property(it, it.nullable || it.hidden)), shown())
    }

    /// As it is answered when it has just been made, with a field that is never shown again.
    pub fn revealed(&self, name: &'static str, doc: &'static str) -> Out {
        let mut schema = self.answered();
        if let Out::Object(members) = &mut schema
            && let Some((_, Out::Object(properties))) = members.iter_mut().find(|(key, _)| key == "properties")
        {
            let text = [("type", "string".into()), ("description", doc.into())];
            properties.push((name.into(), Out::object(text)));
        }
        if let Out::Object(members) = &mut schema
            && let Some((_, Out::List(required))) = members.iter_mut().find(|(key, _)| key == "required")
        {
            required.push(name.into());
        }
        schema
    }

    /// As it is sent to make one.
    pub fn sent(&self) -> Out {
        let writable = || self.writable();
        let required = writable().filter(|it| it.need == Need::Required);
        object(writable().map(|it| property(it, it.nullable)), required)
    }

    /// As it is sent to change one: only what is to change.
    pub fn patched(&self) -> Out {
        object(self.writable().map(|it| property(it, it.nullable)), std::iter::empty())
    }

    fn writable(&self) -> impl Iterator<Item = &FieldSpec> {
        let all = self.fields.iter().map(|(spec, _)| spec);
        all.filter(|it| it.need != Need::ReadOnly)
    }
}

fn object<'a>(
    properties: impl Iterator<Item = (&'static str, Out)>,
    required: impl Iterator<Item = &'a FieldSpec>,
) -> Out {
    let properties: Members = properties.map(|(name, schema)| (name.into(), schema)).collect();
    let required: Vec<_> = required.map(|it| it.name).collect();
    let mut members: Members = vec![
        ("type".into(), "object".into()),
        ("properties".into(), Out::Object(properties)),
    ];
    if !required.is_empty() {
        members.push(("required".into(), required.into_iter().collect()));
    }
    Out::Object(members)
}

fn property(spec: &FieldSpec, nullable: bool) -> (&'static str, Out) {
    let mut members = shape(spec.shape);
    if nullable && let Some((_, kind)) = members.iter_mut().find(|(key, _)| key == "type") {
        if let Out::Text(name) = kind {
            *kind = [name.as_str(), "null"].into_iter().collect();
        }
        // `null` has to be among the values as well.
        if let Some((_, Out::List(words))) = members.iter_mut().find(|(key, _)| key == "enum") {
            words.push(Out::Null);
        }
    }
    members.push(("description".into(), spec.doc.into()));
    if spec.need == Need::ReadOnly {
        members.push(("readOnly".into(), true.into()));
    }
    (spec.name, Out::Object(members))
}

fn shape(shape: Shape) -> Members {
    let kind = |name: &str| vec![("type".into(), Out::from(name))];
    let with = |name: &str, more: &[(&'static str, Out)]| {
        let mut members: Members = kind(name);
        members.extend(more.iter().map(|(key, value)| ((*key).into(), value.clone())));
        members
    };
    match shape {
        Shape::Id | Shape::Reference(_) => with("string", &[("format", "uuid".into())]),
        Shape::Time => with("string", &[("format", "date-time".into())]),
        Shape::Text { max, blank } => {
            let mut members = kind("string");
            if !blank {
                members.push(("minLength".into(), 1_u8.into()));
            }
            if max < usize::MAX {
                members.push(("maxLength".into(), (max as u64).into()));
            }
            members
        }
        Shape::Integer { min, max } => {
            let mut members = with("integer", &[("minimum", min.into())]);
            if max < i64::MAX {
                members.push(("maximum".into(), max.into()));
            }
            members
        }
        Shape::Boolean => kind("boolean"),
        Shape::Choice(words) => with("string", &[("enum", words.iter().copied().collect())]),
        Shape::Texts => with("array", &[("items", Out::object([("type", "string".into())]))]),
        Shape::Environment => with(
            "object",
            &[("additionalProperties", Out::object([("type", "string".into())]))],
        ),
        Shape::Resources => resources(),
        Shape::Object(members) => object_of(members),
        Shape::Objects(members) => with("array", &[("items", Out::Object(object_of(members)))]),
        Shape::Other(text) => match short::schema(text) {
            Some(Out::Object(members)) => members,
            // A test sees to it that there is none.
            _ => Vec::new(),
        },
    }
}

fn object_of(members: &'static [FieldSpec]) -> Members {
    let required = members.iter().filter(|it| it.need == Need::Required);
    match object(members.iter().map(|it| property(it, it.nullable)), required) {
        Out::Object(members) => members,
        // It makes nothing else.
        _ => Vec::new(),
    }
}

/// CPU in millicores, memory in bytes.
fn resources() -> Members {
    let part = |nullable: bool| {
        let number = if nullable {
            ["integer", "null"].into_iter().collect::<Out>()
        } else {
            "integer".into()
        };
        let amount = || Out::object([("type", number.clone()), ("minimum", 0_u8.into())]);
        Out::object([
            ("type", "object".into()),
            ("properties", Out::object([("cpu", amount()), ("memory", amount())])),
        ])
    };
    let properties = Out::object([("limits", part(true)), ("reservations", part(false))]);
    vec![("type".into(), "object".into()), ("properties".into(), properties)]
}
