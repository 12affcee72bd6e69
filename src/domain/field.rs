//! The fields of an app user. [`FIELDS`] is the one table of their names, types and properties.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::field_form::{Input, Part, Shape, StoredForm, V2Path};

/// A row of [`FIELDS`].
#[derive(Debug)]
pub struct FieldSpec {
    /// The field.
    pub field: Field,
    /// The name of the member in v1; `None` if v1 does not have it.
    pub v1: Option<&'static str>,
    /// The location in v2.
    pub v2: Option<V2Path>,
    /// The column in a CSV file.
    pub csv: Option<&'static str>,
    /// True if searches use the words of the field.
    pub searched: bool,
    /// True for personal data: deleting the personal information clears the field.
    pub personal: bool,
    /// The values that calls may set.
    pub input: Input,
    /// The type in v2's answers: values of other types are not shown.
    pub shape: Shape,
    /// The form on disk.
    pub stored: StoredForm,
}

impl FieldSpec {
    /// The name in exports, the change feed and histories.
    pub const fn name(&self) -> &'static str {
        match (self.stored, self.v1) {
            (StoredForm::Name(name), _) | (StoredForm::Tag, Some(name)) => name,
            (StoredForm::Tag, None) => "",
        }
    }

    /// The name without the prefix of its version.
    fn plain_name(&self) -> &'static str {
        match self.v2 {
            Some(V2Path::User(name) | V2Path::Profile(name)) => name,
            None => self.name(),
        }
    }
}

/// Declares [`Field`] and [`FIELDS`]. A row has the members of [`FieldSpec`] in their order; a name that is left out is
/// none, and `searched` is false.
macro_rules! fields {
    (@name) => { None };
    (@name $name:expr) => { Some($name) };
    (@searched) => { false };
    (@searched true) => { true };
    ($(
        $(#[$doc:meta])*
        $variant:ident {
            $(v1: $v1:literal,)? $(v2: $v2:ident($v2_name:literal),)? $(csv: $csv:literal,)?
            $(searched: $searched:tt,)? personal: $personal:literal,
            input: $input:ident$(($most:literal))?, shape: $shape:ident, stored: $stored:ident$(($name:literal))?
        }
    )*) => {
        /// A field of an app user. Fields that the code uses have a variant of their own.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Field {
            $($(#[$doc])* $variant,)*
            /// Any other member of an app user in v1.
            Other(Arc<str>),
            /// Any other member of a v2 user.
            OtherV2(Arc<str>),
            /// Any other member of the profile of a v2 user.
            OtherProfile(Arc<str>),
            /// A custom property, by its key.
            Property(Arc<str>),
        }

        #[expect(non_upper_case_globals, reason = "each is named as its variant")]
        mod specs {
            use crate::domain::field::{Field, FieldSpec};
            use crate::domain::field_form::{Input, Shape, StoredForm, V2Path};

            $(pub(super) static $variant: FieldSpec = FieldSpec {
                field: Field::$variant,
                v1: fields!(@name $($v1)?),
                v2: fields!(@name $(V2Path::$v2($v2_name))?),
                csv: fields!(@name $($csv)?),
                searched: fields!(@searched $($searched)?),
                personal: $personal,
                input: Input::$input$(($most))?,
                shape: Shape::$shape,
                stored: StoredForm::$stored$(($name))?,
            };)*
        }

        /// Every field with a variant of its own.
        pub static FIELDS: &[&FieldSpec] = &[$(&specs::$variant),*];

        impl Field {
            /// The row of the field; `None` for fields without a variant of their own.
            pub fn spec(&self) -> Option<&'static FieldSpec> {
                match self {
                    $(Self::$variant => Some(&specs::$variant),)*
                    Self::Other(_) | Self::OtherV2(_) | Self::OtherProfile(_) | Self::Property(_) => None,
                }
            }
        }
    };
}

fields! {
    /// `userId`; v2 `externalId`.
    UserId { v1: "userId", v2: User("externalId"), csv: "userId", searched: true, personal: false,
        input: ReadOnly, shape: Text, stored: Tag }
    /// `givenName`.
    GivenName { v1: "givenName", v2: Profile("givenName"), csv: "givenName", searched: true, personal: true,
        input: Text(128), shape: Text, stored: Tag }
    /// `surname`.
    Surname { v1: "surname", v2: Profile("surname"), csv: "surname", searched: true, personal: true,
        input: Text(128), shape: Text, stored: Tag }
    /// `email`.
    Email { v1: "email", v2: Profile("email"), csv: "email", searched: true, personal: true,
        input: Text(128), shape: Text, stored: Tag }
    /// `signedUpAt`.
    SignedUpAt { v1: "signedUpAt", v2: User("signedUpAt"), csv: "signedUpAt", personal: false,
        input: DateTime, shape: Text, stored: Tag }
    /// The name of an app user without `givenName` and `surname`. Shown, and searched, only while both are unknown.
    DisplayName { v1: "displayName", v2: User("displayName"), searched: true, personal: true,
        input: Ignored, shape: Text, stored: Name("displayName") }
    /// v1's clients that are being linked. They belong to the part of the clients: a client moves from one list to the
    /// other.
    PendingClients { v1: "pendingClients", personal: false,
        input: Ignored, shape: List, stored: Name("pendingClients") }
    /// v2's `profile.avatarUrl`.
    AvatarUrl { v2: Profile("avatarUrl"), personal: true,
        input: Text(2048), shape: Text, stored: Name("profile.avatarUrl") }
    /// v2's `profile.locale`.
    Locale { v2: Profile("locale"), personal: false,
        input: Text(64), shape: Text, stored: Name("profile.locale") }
    /// v2's `toBeRetained`.
    ToBeRetained { v2: User("toBeRetained"), personal: false,
        input: Boolean, shape: Boolean, stored: Name("v2.toBeRetained") }
    /// v2's `brandId`: a `userId` is unique within a brand.
    BrandId { v2: User("brandId"), csv: "brandId", personal: false,
        input: Identifier, shape: Text, stored: Name("v2.brandId") }
    /// v2's `identities`.
    Identities { v2: User("identities"), personal: true,
        input: ReadOnly, shape: List, stored: Name("v2.identities") }
    /// v2's `zendeskId`.
    ZendeskId { v2: User("zendeskId"), personal: false,
        input: ReadOnly, shape: Text, stored: Name("v2.zendeskId") }
    /// v2's `authenticated`.
    Authenticated { v2: User("authenticated"), personal: false,
        input: ReadOnly, shape: Boolean, stored: Name("v2.authenticated") }
}

/// The prefix of a v2 user's members in names that all versions share.
const V2: &str = "v2.";
/// The prefix of a v2 profile's members.
const PROFILE: &str = "profile.";

/// Members without a variant that are not personal, in any version.
const IMPERSONAL: [&str; 2] = ["hasPaymentInfo", "localeOrigin"];

impl Field {
    fn find(is_it: impl Fn(&FieldSpec) -> bool) -> Option<Self> {
        FIELDS.iter().find(|spec| is_it(spec)).map(|spec| spec.field.clone())
    }

    /// The field of a name in an export or of a member in v1.
    pub fn from_name(name: &str) -> Self {
        let tagged = Self::find(|spec| spec.stored == StoredForm::Tag && spec.name() == name);
        tagged.unwrap_or_else(|| Self::from_stored_name(name))
    }

    /// The field of a member of a v2 user.
    pub fn from_v2(name: &str) -> Self {
        let known = Self::find(|spec| matches!(spec.v2, Some(V2Path::User(known)) if known == name));
        known.unwrap_or_else(|| Self::OtherV2(name.into()))
    }

    /// The field of a member of a v2 user's profile.
    pub fn from_v2_profile(name: &str) -> Self {
        let known = Self::find(|spec| matches!(spec.v2, Some(V2Path::Profile(known)) if known == name));
        known.unwrap_or_else(|| Self::OtherProfile(name.into()))
    }

    /// The field of a CSV column.
    pub fn from_csv(column: &str) -> Option<Self> {
        Self::find(|spec| spec.csv == Some(column))
    }

    fn from_stored_name(name: &str) -> Self {
        let known = Self::find(|spec| matches!(spec.stored, StoredForm::Name(known) if known == name));
        known.unwrap_or_else(|| match (name.strip_prefix(V2), name.strip_prefix(PROFILE)) {
            (Some(name), _) => Self::OtherV2(name.into()),
            (_, Some(name)) => Self::OtherProfile(name.into()),
            _ => Self::Other(name.into()),
        })
    }

    /// The name in exports, the change feed and histories.
    pub fn name(&self) -> Cow<'_, str> {
        match (self, self.name_parts()) {
            (Self::Property(key), _) => Cow::Owned(["properties.", key].concat()),
            (_, ("", name)) => Cow::Borrowed(name),
            (_, (prefix, name)) => Cow::Owned([prefix, name].concat()),
        }
    }

    /// The name as prefix and rest; for a property, its key.
    fn name_parts(&self) -> (&'static str, &str) {
        match self {
            Self::Other(name) | Self::Property(name) => ("", name),
            Self::OtherV2(name) => (V2, name),
            Self::OtherProfile(name) => (PROFILE, name),
            known => ("", known.spec().map_or("", FieldSpec::name)),
        }
    }

    /// True if v1 has the field.
    pub fn is_in_v1(&self) -> bool {
        match self {
            Self::Other(_) | Self::Property(_) => true,
            Self::OtherV2(_) | Self::OtherProfile(_) => false,
            known => known.spec().is_some_and(|spec| spec.v1.is_some()),
        }
    }

    /// True if v1 has the member with this name of the change feed or a history.
    pub fn is_name_in_v1(name: &str) -> bool {
        !name.starts_with(V2) && !name.starts_with(PROFILE)
    }

    /// True if the field is personal data. An unknown member may be.
    pub fn is_personal(&self) -> bool {
        match self {
            Self::Property(_) => true,
            Self::Other(name) | Self::OtherV2(name) | Self::OtherProfile(name) => {
                let named = FIELDS.iter().filter(|spec| spec.stored != StoredForm::Tag && !spec.personal);
                !IMPERSONAL.contains(&&**name)
                    && !named.map(|spec| spec.plain_name()).any(|known| known == &**name)
            }
            known => known.spec().is_some_and(|spec| spec.personal),
        }
    }

    /// True if the stored form is a variant of its own.
    pub fn is_tagged(&self) -> bool {
        self.spec().is_some_and(|spec| spec.stored == StoredForm::Tag)
    }

    /// The part that the field belongs to.
    pub fn part(&self) -> Option<Part> {
        match self {
            Self::Property(_) => Some(Part::Properties),
            Self::PendingClients => Some(Part::Clients),
            _ => None,
        }
    }

    /// The sort rank: first the tagged fields, then the named ones by name, then the properties by key.
    fn rank(&self) -> u8 {
        match self {
            Self::UserId => 0,
            Self::GivenName => 1,
            Self::Surname => 2,
            Self::Email => 3,
            Self::SignedUpAt => 4,
            Self::Property(_) => 6,
            _ => 5,
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

impl Ord for Field {
    /// The order of the stored form: records and answers are written in it.
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank()).then_with(|| match (self.name_parts(), other.name_parts()) {
            (("", one), ("", two)) => one.cmp(two),
            ((before, one), (other, two)) => {
                before.bytes().chain(one.bytes()).cmp(other.bytes().chain(two.bytes()))
            }
        })
    }
}

impl PartialOrd for Field {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A field as it is stored. Postcard writes the number of the variant: none is added, removed or moved.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Field")]
enum StoredField<'a> {
    UserId,
    GivenName,
    Surname,
    Email,
    SignedUpAt,
    Other(#[serde(borrow)] Cow<'a, str>),
    Property(#[serde(borrow)] Cow<'a, str>),
}

impl Serialize for Field {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let stored = match self {
            Self::UserId => StoredField::UserId,
            Self::GivenName => StoredField::GivenName,
            Self::Surname => StoredField::Surname,
            Self::Email => StoredField::Email,
            Self::SignedUpAt => StoredField::SignedUpAt,
            Self::Property(key) => StoredField::Property(Cow::Borrowed(key)),
            named => StoredField::Other(named.name()),
        };
        stored.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match StoredField::deserialize(deserializer)? {
            StoredField::UserId => Self::UserId,
            StoredField::GivenName => Self::GivenName,
            StoredField::Surname => Self::Surname,
            StoredField::Email => Self::Email,
            StoredField::SignedUpAt => Self::SignedUpAt,
            StoredField::Other(name) => Self::from_stored_name(&name),
            StoredField::Property(key) => Self::Property(key.as_ref().into()),
        })
    }
}
