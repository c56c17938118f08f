//! What administrators send: a change of a person, a key to be made.

use std::collections::{BTreeMap, BTreeSet};

use clearing_house::api::Role as KeyRole;
use clearing_house::api::keys::NewKey;
use domain::Timestamp;

use super::proposal::PersonChange;
use crate::access::{Role, Scope};

/// A form's fields by name: boxes that are ticked are fields of their own.
pub(crate) type Fields = BTreeMap<String, String>;

fn field<'a>(fields: &'a Fields, name: &str) -> &'a str {
    fields.get(name).map_or("", |text| text.trim())
}

/// The roles that are ticked.
fn roles(fields: &Fields) -> BTreeSet<Role> {
    let ticked = |role: &Role| fields.contains_key(&format!("role-{}", role.name()));
    Role::ALL.into_iter().filter(ticked).collect()
}

/// The change; nothing where the form is not whole.
pub(super) fn person_change(fields: &Fields) -> Option<PersonChange> {
    let text = |name| Some(field(fields, name)).filter(|text| !text.is_empty()).map(str::to_owned);
    let name = text("name")?;
    let scope = || field(fields, "scope").parse::<Scope>().ok();
    Some(match field(fields, "what") {
        "add" => PersonChange::Add {
            name,
            full_name: text("full_name")?,
            roles: roles(fields),
            scope: scope()?,
            account: match text("account") {
                Some(account) => Some(account.parse().ok()?),
                None => None,
            },
        },
        "rights" => PersonChange::Rights { name, roles: roles(fields), scope: scope()? },
        "password" => PersonChange::Password { name },
        "second-factor" => PersonChange::SecondFactor { name },
        "end" => PersonChange::End { name },
        "return" => PersonChange::Return { name },
        _ => return None,
    })
}

/// The key; nothing where the form is not whole. A day given is the first on which it opens no more.
pub(super) fn new_key(fields: &Fields) -> Option<NewKey> {
    let scope = Some(field(fields, "scope")).filter(|scope| !scope.is_empty());
    let role = KeyRole::try_new(field(fields, "role"), scope)?;
    let valid_until = match field(fields, "until") {
        "" => None,
        day => Some(format!("{day}T00:00:00Z").parse::<Timestamp>().ok()?),
    };
    let name = field(fields, "name").to_owned();
    Some(NewKey { name, role, valid_until })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let own = |(name, text): &(&str, &str)| ((*name).to_owned(), (*text).to_owned());
        pairs.iter().map(own).collect()
    }

    #[test]
    fn a_change_is_whole_or_none() {
        let rights = [
            ("what", "rights"),
            ("name", "lan"),
            ("scope", "cienco4"),
            ("role-supervisor", "on"),
            ("role-auditor", "on"),
        ];
        let expected = PersonChange::Rights {
            name: "lan".to_owned(),
            roles: [Role::Supervisor, Role::Auditor].into(),
            scope: "cienco4".parse().unwrap(),
        };
        assert_eq!(person_change(&fields(&rights)), Some(expected));
        for wrong in [
            fields(&[("what", "rights"), ("name", "lan"), ("scope", "A B")]),
            fields(&[("what", "end"), ("name", " ")]),
            fields(&[("what", "promote"), ("name", "lan")]),
            fields(&[("what", "add"), ("name", "lan"), ("scope", "*")]),
            fields(&[
                ("what", "add"),
                ("name", "lan"),
                ("full_name", "Lan"),
                ("scope", "*"),
                ("account", "x"),
            ]),
        ] {
            assert_eq!(person_change(&wrong), None);
        }
    }

    #[test]
    fn a_key_has_a_role_with_its_scope_and_ends_when_a_day_begins() {
        let whole = [("name", "reports"), ("role", "auditor")];
        let mut form = fields(&whole);
        assert_eq!(new_key(&form).unwrap().role, KeyRole::Auditor);
        for (role, scope, told) in [
            ("issuer", "vetc", "issuer vetc"),
            ("operator", "vec", "operator vec"),
            ("centre", "", "centre"),
        ] {
            let form = fields(&[("name", "app"), ("role", role), ("scope", scope)]);
            assert_eq!(new_key(&form).unwrap().role.to_string(), told);
        }
        form.insert("until".to_owned(), "2027-01-01".to_owned());
        let until = new_key(&form).unwrap().valid_until.unwrap();
        assert_eq!(until.to_string(), "2027-01-01T00:00:00Z");
        let wrong_roles = ["issuer", "operator", "owner", ""].map(|role| ("role", role));
        for (name, wrong) in wrong_roles.into_iter().chain([("until", "soon"), ("scope", "vetc")]) {
            let mut form = fields(&whole);
            form.insert(name.to_owned(), wrong.to_owned());
            assert!(new_key(&form).is_none(), "{name} {wrong}");
        }
    }
}
